//! The files of this checkout that git tracks or would add.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use super::scan::{Hit, Scanner};
use super::{Looked, MAX_BYTES, git};

pub(super) fn look(checkout: &Path, scanner: &Scanner) -> Result<Looked, String> {
    let listed =
        git::read(checkout, &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let paths: BTreeSet<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
    let mut looked = Looked::default();
    for path in paths {
        let file = checkout.join(path);
        // A tracked file that is deleted here is a part of the history.
        let Ok(metadata) = fs::symlink_metadata(&file) else {
            if path.contains(char::REPLACEMENT_CHARACTER) {
                looked.unread.push(format!("{path}: a name that is not UTF-8"));
            }
            continue;
        };
        if metadata.is_dir() {
            looked.repositories.push(path.trim_end_matches('/').to_owned());
        }
        if !metadata.is_file() && !metadata.is_symlink() {
            continue;
        }
        for hit in scanner.known(path.as_bytes()) {
            // The name would repeat it.
            looked.hit("a file's name:", &hit);
        }
        if metadata.is_symlink() {
            // git has where it leads to.
            let target = fs::read_link(&file).unwrap_or_default();
            looked
                .at(scanner, target.as_os_str().as_encoded_bytes(), |_| format!("{path}, a link:"));
            continue;
        }
        if metadata.len() > MAX_BYTES {
            looked.files += 1;
            looked.large += 1;
            match piecewise(&file, scanner) {
                Ok(hits) => hits.iter().for_each(|hit| looked.hit(path, hit)),
                Err(error) => looked.unread.push(format!("{path}: {error}")),
            }
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

/// Looks for the secrets of this machine in a file of any size.
fn piecewise(file: &Path, scanner: &Scanner) -> io::Result<Vec<Hit>> {
    let mut file = fs::File::open(file)?;
    let mut hits: Vec<Hit> = Vec::new();
    let mut piece = Vec::new();
    loop {
        // One secret may be in two pieces.
        let kept = piece.len().saturating_sub(scanner.longest());
        piece.drain(..kept);
        if file.by_ref().take(MAX_BYTES).read_to_end(&mut piece)? == 0 {
            return Ok(hits);
        }
        let found = scanner.known(&piece).into_iter();
        // Line numbers mean nothing in such a file.
        let new: Vec<Hit> =
            found.filter(|hit| !hits.iter().any(|known| known.kind == hit.kind)).collect();
        hits.extend(new);
    }
}
