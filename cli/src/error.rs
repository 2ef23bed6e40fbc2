//! Why a command stops: one line for a person, and the exit code for a script.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::Path;

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// The failure of a command. Exit code 2: the command line or the set-up is wrong. 1: it failed, was refused or found something.
#[derive(Debug)]
pub(crate) struct Error {
    /// The output of another program before it failed: shown in full, above the message.
    pub(crate) output: Option<String>,
    pub(crate) message: String,
    pub(crate) code: u8,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { output: None, message: message.into(), code: 1 }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, ..Self::new(message) }
    }

    /// Ends a command that succeeded and found something, with exit code 1. It has printed everything already.
    pub(crate) fn found() -> Self {
        Self::new("")
    }

    pub(crate) fn with_output(self, output: String) -> Self {
        Self { output: Some(output), ..self }
    }
}

/// Adds the action that failed to an error of the system.
pub(crate) trait Context<T> {
    fn context(self, what: impl Display) -> Result<T>;

    /// Adds the action, the file or folder, and the fix.
    fn at(self, doing: &str, path: &Path) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, what: impl Display) -> Result<T> {
        self.map_err(|error| Error::new(format!("{what}: {error}")))
    }

    fn at(self, doing: &str, path: &Path) -> Result<T> {
        self.map_err(|error| {
            let fix = fix(error.kind());
            Error::new(format!("{doing} {}: {error}{fix}", path.display()))
        })
    }
}

/// Returns the fix for an error about a file or folder.
const fn fix(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "; there is a file in the place of a folder: move it away, or name another folder"
        }
        ErrorKind::IsADirectory => "; there is a folder in the place of a file: move it away",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "; you have no permission: change that of the folder, or name another one"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "; there is not enough space: free some"
        }
        ErrorKind::NotFound => "; its folder does not exist: create it, or name another one",
        _ => "",
    }
}
