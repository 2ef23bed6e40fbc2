//! The allowlist of strings that somebody has looked at and found to be no secret: `.writegate-ignore`, a short hash a line,
//! never the string itself.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use sha2::{Digest as _, Sha256};

pub(super) const FILE: &str = ".writegate-ignore";

/// Returns the name of a finding in that file: 16 hex digits.
pub(super) fn mark(string: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"writegate-ignore/1\n");
    hash.update(string);
    let hash = hash.finalize();
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Default)]
pub(super) struct Allowlist(BTreeSet<String>);

impl Allowlist {
    pub(super) fn read(checkout: &Path) -> Result<Self, String> {
        match fs::read_to_string(checkout.join(FILE)) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{FILE}: {error}")),
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut marks = BTreeSet::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            let form = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            match line.len() {
                0 => {}
                16 if line.chars().all(form) => {
                    marks.insert(line.to_owned());
                }
                // It may be the string itself, so it is not quoted.
                _ => {
                    return Err(format!(
                        "{FILE}, line {}: expected 16 hex digits, and # with the reason",
                        index + 1
                    ));
                }
            }
        }
        Ok(Self(marks))
    }

    pub(super) fn has(&self, mark: &str) -> bool {
        self.0.contains(mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_mark_and_a_reason() {
        let (one, other) = (mark(b"a"), mark(b"b"));
        let allowlist = Allowlist::parse(&format!("# vectors\n\n{one}  # of RFC 7515\n")).unwrap();
        assert!(allowlist.has(&one) && !allowlist.has(&other));
        for wrong in ["hunter2hunter2hu", "0123456789abcde", "0123456789ABCDEF"] {
            let error = Allowlist::parse(&format!("{one}\n{wrong}")).err().unwrap();
            assert!(error.contains("line 2") && !error.contains(wrong), "{error}");
        }
    }
}
