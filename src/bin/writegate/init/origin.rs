//! Where a secret of this machine was found. Another gate's may be in the environment by chance, and wins there
//! over that of `.dev.vars`: what differs is refused, what the environment alone has is told.

use std::env;
use std::path::Path;

use writegate::secret::Secret;

use crate::failure::{Failure, Result};
use crate::settings;

use super::files::{self, SECRETS};

/// Which place has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The environment alone.
    Environment,
    /// `.dev.vars`, and the environment nothing else.
    File,
}

/// A secret of this name and its place; `None` where there is none.
pub(super) fn find(checkout: &Path, name: &str) -> Result<Option<(Secret, Origin)>> {
    let Some(secret) = settings::secret(checkout, name)? else {
        return Ok(None);
    };
    let exported = env::var(name).is_ok_and(|value| !value.is_empty());
    let file = files::read(checkout, SECRETS)?.unwrap_or_default();
    let origin = match (exported, written(&file, name)) {
        (true, None) => Origin::Environment,
        (true, Some(text)) if !is(text, secret.expose_str().unwrap_or_default()) => {
            return Err(Failure::usage(format!(
                "{name} of the environment is another than that of {SECRETS}: unset the one that is not this gate's, \
                 and keep the other"
            )));
        }
        _ => Origin::File,
    };
    Ok(Some((secret, origin)))
}

/// What `.dev.vars` has after this name; `None` where that is nothing. The last line counts, as for wrangler.
fn written<'f>(file: &'f str, name: &str) -> Option<&'f str> {
    let text = file.lines().rev().find_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (key, text) = line.split_once('=')?;
        (key.trim() == name).then_some(text.trim())
    });
    text.filter(|text| !["", "''", "\"\"", "``"].contains(text) && !text.starts_with('#'))
}

/// Whether such a text means this value, bare or quoted, with or without a comment. In doubt it does not.
fn is(text: &str, value: &str) -> bool {
    // Bare, these would be read as something else.
    let bare = !value.contains('#') && !value.starts_with(['\'', '"', '`']);
    let quotes = ["'", "\"", "`", ""];
    quotes.into_iter().any(|quote| {
        let rest = text
            .strip_prefix(quote)
            .and_then(|text| text.strip_prefix(value))
            .and_then(|text| text.strip_prefix(quote));
        (bare || !quote.is_empty())
            && rest.is_some_and(|rest| rest.is_empty() || rest.trim_start().starts_with('#'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_and_an_empty_one_is_none() {
        let file = "A=1\nexport A = 2 # two\nB=\nC=''\n#D=1\nE= # none\n";
        assert_eq!(written(file, "A"), Some("2 # two"));
        for name in ["B", "C", "D", "E", "F"] {
            assert_eq!(written(file, name), None, "{name}");
        }
    }

    #[test]
    fn a_text_means_one_value() {
        for text in ["ab", "'ab'", "\"ab\" # c", "`ab`", "ab # c", "ab#c"] {
            assert!(is(text, "ab"), "{text}");
        }
        for text in ["abc", "'abc'", "a", "'ab", "\"ab'", "xab", "'ab'c"] {
            assert!(!is(text, "ab"), "{text}");
        }
        assert!(is("{\"token\":\"a\"}", "{\"token\":\"a\"}"));
        // What is given is what the text means, not how it looks.
        assert!(is("'a#b'", "a#b") && !is("a#b", "a#b"));
        assert!(!is("'ab'", "'ab'") && is("\"'ab'\"", "'ab'"));
    }
}
