//! The user's project: wrangler's configuration, and the files with secrets beside it, read as wrangler reads them.
//!
//! No other module opens these files: `cli/tests/command/project.rs` looks for that.

mod deployed;
mod dev;
mod document;
mod dotenv;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::Args;
use writegate::Secret;

use crate::error::{Context as _, Error, Result};
use crate::replacement::Replacement;
use crate::utf16;

pub(crate) use deployed::{Deployed, is_secret, placeholder_root, placeholder_token};
pub(crate) use dev::{exported, secret};
pub(crate) use document::{BINDINGS, Document, names};
pub(crate) use dotenv::Variables;

/// wrangler's configurations, the one that it prefers first.
const CONFIGURATIONS: [&str; 3] = ["wrangler.json", "wrangler.jsonc", USUAL];
/// The configuration that `init` writes.
pub(crate) const USUAL: &str = "wrangler.toml";
/// The file with which a build tool redirects wrangler to another configuration.
const REDIRECT: &str = ".wrangler/deploy/config.json";
/// The variable that names wrangler's default environment.
const CLOUDFLARE_ENV: &str = "CLOUDFLARE_ENV";

/// The choice of wrangler's environment.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProjectOptions {
    /// wrangler's environment: [env.NAME] of its configuration [default: none; CLOUDFLARE_ENV is ignored]
    #[arg(long = "env", value_name = "NAME")]
    environment: Option<String>,
}

impl ProjectOptions {
    /// Returns the project around the current folder.
    pub(crate) fn find(&self) -> Result<Project> {
        let project = self.look()?;
        project.file()?;
        Ok(project)
    }

    /// Returns the project around the current folder, or the current folder without any configuration.
    pub(crate) fn look(&self) -> Result<Project> {
        let environment = self.environment().map(str::to_owned);
        let here = env::current_dir().context("finding the current directory")?;
        let project = Project::around(&here, environment)?;
        if self.environment.is_none()
            && project.has_configuration()
            && (project.wrangler_chooses(&project.root)? || project.wrangler_chooses(&here)?)
        {
            eprintln!(
                "writegate: this is about the top level of {}; wrangler by itself takes the environment that \
                 {CLOUDFLARE_ENV} names, unless told --env=\"\"",
                project.name()
            );
        }
        // A later call reports that it cannot read them.
        let names = project.changed_in_dev().unwrap_or_default();
        if !names.is_empty() {
            eprintln!(
                "writegate: this is about {}; the {} of .dev.vars or .env counts in `wrangler dev` only",
                project.name(),
                names.join(", ")
            );
        }
        Ok(project)
    }

    /// Returns the environment's name. Like wrangler, takes an empty one for no name.
    pub(crate) fn environment(&self) -> Option<&str> {
        self.environment.as_deref().filter(|name| !name.is_empty())
    }
}

/// A folder with wrangler's configuration.
pub(crate) struct Project {
    pub(crate) root: PathBuf,
    /// wrangler's configuration, if there is one.
    file: Option<PathBuf>,
    /// The file that redirects wrangler to another configuration.
    redirect: Option<PathBuf>,
    /// wrangler's environment that the command is about. It inherits no variables.
    pub(crate) environment: Option<String>,
}

impl Project {
    fn around(here: &Path, environment: Option<String>) -> Result<Self> {
        let (file, other) = configurations(here);
        if let (Some(file), Some(other)) = (&file, &other) {
            warn_of_other(file, other);
        }
        let root = file.as_deref().and_then(Path::parent).unwrap_or(here).to_owned();
        Ok(Self { root, file, redirect: nearest(here, REDIRECT), environment })
    }

    /// Returns the project in this folder, regardless of the folders above.
    pub(crate) fn at(root: &Path, environment: Option<&str>) -> Result<Self> {
        let root = std::path::absolute(root).context("finding the folder")?;
        let mut found = CONFIGURATIONS.into_iter().map(|name| root.join(name));
        let file = found.find(|path| path.is_file());
        let redirect = nearest(&root, REDIRECT);
        Ok(Self { root, file, redirect, environment: environment.map(str::to_owned) })
    }

    /// Refuses a new project whose configuration wrangler does not read, and warns if it reads it only with --config.
    pub(crate) fn check_new(&self) -> Result<()> {
        self.refuse_redirect()?;
        let mut others = CONFIGURATIONS.into_iter().filter(|name| *name != USUAL);
        if let Some(other) = others.find_map(|name| nearest(&self.root, name)) {
            warn_of_other(&self.root.join(USUAL), &other);
        }
        Ok(())
    }

    /// Returns true if wrangler by itself, in this folder as with `npm run deploy` in the project's, takes an environment.
    fn wrangler_chooses(&self, folder: &Path) -> Result<bool> {
        // An empty one of the process gives way to that of the files.
        if env::var(CLOUDFLARE_ENV).is_ok_and(|name| !name.is_empty()) {
            return Ok(true);
        }
        let mut named = false;
        for name in [".env", ".env.local"] {
            let file = folder.join(name);
            if file.is_file() {
                let variables = Variables::parse(&read(&file)?.unwrap_or_default());
                named = variables.get(CLOUDFLARE_ENV).map_or(named, |value| !value.is_empty());
            }
        }
        Ok(named)
    }

    /// Returns the Cloudflare token that wrangler uses for this project and environment, unless it has a login.
    pub(crate) fn wrangler_token(&self) -> Result<Option<Secret>> {
        const NAME: &str = "CLOUDFLARE_API_TOKEN";
        match exported(NAME) {
            None => Ok(self.dot_env()?.get(NAME).and_then(secret)),
            exported => Ok(exported),
        }
    }

    /// Returns the option that names the environment, as it follows a command.
    pub(crate) fn env_option(&self) -> String {
        let environment = self.environment.as_ref();
        environment.map(|name| format!(" --env {name}")).unwrap_or_default()
    }

    /// Returns wrangler's configuration.
    pub(crate) fn file(&self) -> Result<&Path> {
        self.refuse_redirect()?;
        self.file.as_deref().ok_or_else(|| {
            Error::usage(format!(
                "no {} here or in a folder above: run this in the gate's folder",
                CONFIGURATIONS.join(", ")
            ))
        })
    }

    /// Refuses a project whose configuration wrangler does not read.
    pub(crate) fn refuse_redirect(&self) -> Result<()> {
        match &self.redirect {
            None => Ok(()),
            Some(redirect) => Err(Error::usage(format!(
                "{} redirects wrangler to another configuration, which writegate does not read: \
                delete that file",
                redirect.display()
            ))),
        }
    }

    /// Returns true if there is a configuration to be read.
    pub(crate) const fn has_configuration(&self) -> bool {
        self.file.is_some() && self.redirect.is_none()
    }

    /// Returns the other configurations beside it.
    pub(crate) fn others(&self) -> Vec<&'static str> {
        let file = self.file.as_deref();
        let is_other = |name: &&str| {
            let path = self.root.join(name);
            Some(path.as_path()) != file && path.is_file()
        };
        CONFIGURATIONS.into_iter().filter(is_other).collect()
    }

    /// Returns the configuration for the environment.
    pub(crate) fn document(&self) -> Result<Document> {
        let document = self.unchecked_document()?;
        document.check_environment()?;
        Ok(document)
    }

    /// Returns the configuration, which may not have the environment.
    pub(crate) fn unchecked_document(&self) -> Result<Document> {
        let (file, name) = (self.file()?, self.name());
        Document::parse(&name, &read(file)?.unwrap_or_default(), self.environment.as_deref())
            .map_err(|error| Error::usage(format!("{name}: {error}")))
    }

    /// Returns the configuration's name, or that of the usual one.
    pub(crate) fn name(&self) -> String {
        let name = self.file.as_deref().and_then(Path::file_name);
        name.map_or_else(|| USUAL.to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// Replaces the configuration by the result of `change`. The old file stays until the new one is complete.
    pub(crate) fn rewrite(&self, change: impl FnOnce(&str) -> Result<String>) -> Result<()> {
        let (file, name) = (self.file()?, self.name());
        if file.extension().is_none_or(|kind| kind != "toml") {
            return Err(Error::usage(format!(
                "{name}: only a wrangler.toml can be changed by this; change it by hand"
            )));
        }
        let old = read(file)?.unwrap_or_default();
        let new = as_before(&old, change(&old)?);
        // The target, if it is a link.
        let file = fs::canonicalize(file).at("finding", file)?;
        Replacement::new(&file, new.as_bytes(), None)?.place()
    }

    /// Returns the text of a file of its folder, if there is one.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>> {
        read(&self.root.join(name))
    }
}

/// Gives a text the byte order mark and the line ends of the former one, which an editor of TOML does not keep.
fn as_before(old: &str, new: String) -> String {
    let mark =
        if old.starts_with('\u{feff}') && !new.starts_with('\u{feff}') { "\u{feff}" } else { "" };
    let (lines, windows) = (old.matches('\n').count(), old.matches("\r\n").count());
    let new = match lines == windows && lines > 0 {
        true => new.replace("\r\n", "\n").replace('\n', "\r\n"),
        false => new,
    };
    format!("{mark}{new}")
}

/// Returns the nearest configuration, and that which wrangler by itself takes here, if it is another.
fn configurations(here: &Path) -> (Option<PathBuf>, Option<PathBuf>) {
    let found: Vec<PathBuf> =
        CONFIGURATIONS.into_iter().filter_map(|name| nearest(here, name)).collect();
    // wrangler goes up for one name after the other, so a file further up may win there.
    let depth = |path: &&PathBuf| path.components().count();
    let deepest = found.iter().map(|path| depth(&path)).max();
    let file = found.iter().find(|path| Some(depth(path)) == deepest).cloned();
    let other = found.into_iter().next().filter(|other| Some(other) != file.as_ref());
    (file, other)
}

/// Returns the file of this name in the folder or in the nearest one above that has it.
fn nearest(folder: &Path, name: &str) -> Option<PathBuf> {
    folder.ancestors().map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn warn_of_other(file: &Path, other: &Path) {
    eprintln!(
        "writegate: this is about {}; wrangler by itself takes {} here, unless told --config",
        file.display(),
        other.display()
    );
}

fn read(path: &Path) -> Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) if utf16::decoded(&bytes).is_some() => Err(Error::usage(format!(
            "{} is in UTF-16, as PowerShell writes it, which wrangler does not read: save it as UTF-8",
            path.display()
        ))),
        // As Node does.
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).at("reading", path),
    }
}

#[cfg(test)]
mod tests;
