//! `writegate completions` and `writegate man`: this command's descriptions for shells and for `man`.

use std::path::PathBuf;
use std::{fs, io};

use clap::Args;
use clap_complete::Shell;

use crate::error::{Context as _, Result};

#[derive(Args)]
pub(crate) struct Completions {
    /// The shell, such as bash, zsh, fish or powershell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Args)]
pub(crate) struct Man {
    /// The folder; it is made where it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Completions {
    pub(crate) fn run(&self, mut command: clap::Command) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "writegate", &mut script);
        print!("{}", String::from_utf8_lossy(&script));
        Ok(())
    }
}

impl Man {
    pub(crate) fn run(&self, command: clap::Command) -> Result<()> {
        let write = || -> io::Result<()> {
            fs::create_dir_all(&self.folder)?;
            clap_mangen::generate_to(command, &self.folder)
        };
        write().at("writing the man pages in", &self.folder)
    }
}
