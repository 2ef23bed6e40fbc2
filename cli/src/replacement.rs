//! Replaces a file: the new file is completed beside the old one, so nobody ever reads half of it. If it never replaces the old
//! one, it is removed, also after a signal.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Context as _, Result};
use crate::interrupt;

pub(crate) struct Replacement {
    beside: PathBuf,
    place: PathBuf,
}

impl Replacement {
    /// Writes the content with this mode, or with the permissions of the file that is there.
    pub(crate) fn new(place: &Path, content: &[u8], mode: Option<u32>) -> Result<Self> {
        // A link stays, and the file that it leads to is replaced.
        let place = match place.is_symlink() {
            true => fs::canonicalize(place).at("writing", place)?,
            false => place.to_owned(),
        };
        let mut beside = place.as_os_str().to_owned();
        beside.push(SUFFIX);
        let new = Self { beside: PathBuf::from(beside), place };
        interrupt::remove_then(&new.beside);
        new.fill(content, mode).at("writing", &new.beside)?;
        Ok(new)
    }

    fn fill(&self, content: &[u8], mode: Option<u32>) -> io::Result<()> {
        match fs::remove_file(&self.beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // Elsewhere the folder's own permissions are the file's.
        #[cfg(unix)]
        if let Some(mode) = mode {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        }
        let mut file = options.open(&self.beside)?;
        if let (None, Ok(former)) = (mode, fs::metadata(&self.place)) {
            file.set_permissions(former.permissions())?;
        }
        file.write_all(content)?;
        file.sync_all()
    }

    pub(crate) fn place(self) -> Result<()> {
        fs::rename(&self.beside, &self.place).at("writing", &self.place)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // It no longer exists if it replaced the old file.
        let _ = fs::remove_file(&self.beside);
        interrupt::keep_then(&self.beside);
    }
}

/// The suffix of the name until the file is complete.
pub(crate) const SUFFIX: &str = ".new";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_placed_is_removed_whether_dropped_or_interrupted() {
        let place = std::env::temp_dir().join(crate::random::text(16).unwrap());
        fs::write(&place, "old").unwrap();
        let beside = PathBuf::from(format!("{}{SUFFIX}", place.display()));
        let new = || Replacement::new(&place, b"new", Some(0o600)).unwrap();
        drop(new());
        assert!(!beside.exists());
        let interrupted = new();
        assert!(beside.exists());
        interrupt::clean();
        assert!(!beside.exists());
        drop(interrupted);
        assert_eq!(fs::read_to_string(&place).unwrap(), "old");
        new().place().unwrap();
        interrupt::clean();
        assert_eq!(fs::read_to_string(&place).unwrap(), "new");
        assert!(!beside.exists());
        fs::remove_file(place).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_its_file_is_replaced() {
        let place = std::env::temp_dir().join(crate::random::text(16).unwrap());
        let link = place.with_extension("link");
        fs::write(&place, "old").unwrap();
        std::os::unix::fs::symlink(&place, &link).unwrap();
        Replacement::new(&link, b"new", None).unwrap().place().unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&place).unwrap(), "new");
        fs::remove_file(&link).unwrap();
        fs::remove_file(place).unwrap();
    }
}
