//! The files of this checkout: those that git has, and those that it would take.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::scan::Scanner;
use super::{Looked, MAX_BYTES, git};

pub(super) fn look(checkout: &Path, scanner: &Scanner) -> Result<Looked, String> {
    let listed =
        git::read(checkout, &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let paths: BTreeSet<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
    let mut looked = Looked::default();
    for path in paths {
        let file = checkout.join(path);
        // A link's content is its target's, and what git has and is gone here is the history's.
        let Ok(metadata) = fs::symlink_metadata(&file) else {
            if path.contains(char::REPLACEMENT_CHARACTER) {
                looked.unread.push(format!("{path}: a name that is no UTF-8"));
            }
            continue;
        };
        if !metadata.is_file() {
            continue;
        }
        if metadata.len() > MAX_BYTES {
            looked.large += 1;
            continue;
        }
        match fs::read(&file) {
            Ok(content) => {
                looked.at(scanner, &content, |hit| format!("{path}:{}", hit.line));
            }
            Err(error) => looked.unread.push(format!("{path}: {error}")),
        }
    }
    Ok(looked)
}
