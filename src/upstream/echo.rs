//! The echo guard: it finds and removes the upstream's credential in the names and values of response
//! headers.
//!
//! In scope: a credential raw, percent-encoded once or more often, escaped as in JSON, and in base64 or
//! base64url, padded or not, also within longer text. Out of scope: other encodings, which an upstream
//! would use only on purpose, and bodies.

use crate::base::percent::hex_pair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::base::secret::Secret;

/// The text that replaces a credential.
pub const REDACTED: &str = "[redacted]";

/// Shortest part of a credential that is searched for, in bytes. A shorter one would match unrelated text and
/// corrupt responses.
const MIN_GUARDED_BYTES: usize = 8;

/// All texts that must not appear, for one credential.
pub struct Guard {
    needles: Vec<Needle>,
    /// Length of the shortest text: shorter values are not searched.
    shortest: usize,
    /// For each byte, true if a text may begin with it: every response is searched, and most bytes begin nothing.
    may_begin: [bool; 256],
}

struct Needle {
    text: Secret,
    coding: Coding,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Plain,
    /// Only the characters that do not depend on the bytes around the credential; `is_cut` if one more
    /// character has its last bits.
    Base64 {
        is_cut: bool,
    },
}

impl Guard {
    /// Creates a guard for these parts of a credential.
    pub fn new(parts: &[Secret]) -> Self {
        let mut needles = Vec::new();
        for part in parts.iter().filter(|part| part.len() >= MIN_GUARDED_BYTES) {
            needles.push(Needle { text: part.clone(), coding: Coding::Plain });
            needles.extend((0..3).filter_map(|offset| in_base64(part, offset)));
        }
        let shortest = needles.iter().map(|needle| needle.text.len()).min();
        let mut may_begin = [false; 256];
        for (byte, may_begin) in (0..=u8::MAX).zip(&mut may_begin) {
            *may_begin = needles.iter().any(|needle| needle.may_begin(byte));
        }
        Self { shortest: shortest.unwrap_or(usize::MAX), needles, may_begin }
    }

    /// Returns true if a header's name contains a part. The platform has put every letter of it into
    /// lower case.
    pub fn is_in_name(&self, name: &str) -> bool {
        name.len() >= self.shortest
            && self.needles.iter().any(|needle| {
                let text = needle.text.expose();
                let mut windows = name.as_bytes().windows(text.len());
                // The first bytes by themselves nearly always decide.
                let first = |text: &[u8]| text.first().map(u8::to_ascii_lowercase);
                windows
                    .any(|window| first(window) == first(text) && window.eq_ignore_ascii_case(text))
            })
    }

    /// Returns the value with every part replaced; `None` if it contains none.
    pub fn redact(&self, value: &str) -> Option<String> {
        if value.len() < self.shortest {
            return None;
        }
        let bytes = value.as_bytes();
        let may_begin = |byte: &u8| self.may_begin.get(usize::from(*byte)) == Some(&true);
        let mut redacted = String::new();
        let mut copied = 0;
        let mut at = 0;
        while let Some(skipped) = bytes.get(at..)?.iter().position(may_begin) {
            at = at.checked_add(skipped)?;
            let rest = bytes.get(at..)?;
            match self.needles.iter().filter_map(|needle| needle.length_at(rest)).max() {
                Some(length) => {
                    redacted.push_str(value.get(copied..at)?);
                    redacted.push_str(REDACTED);
                    at = at.checked_add(length)?;
                    copied = at;
                }
                None => at = at.checked_add(1)?,
            }
        }
        if copied == 0 {
            return None;
        }
        redacted.push_str(value.get(copied..)?);
        Some(redacted)
    }
}

/// Returns the base64 of a credential that begins `offset` bytes after a multiple of three.
fn in_base64(part: &Secret, offset: usize) -> Option<Needle> {
    let mut bytes = vec![0; offset];
    bytes.extend_from_slice(part.expose());
    let encoded = STANDARD_NO_PAD.encode(&bytes);
    // A character has six bits. The first ones also depend on the bytes before the credential, and the
    // last one on those after it.
    let before = offset.checked_mul(8)?.div_ceil(6);
    let end = bytes.len().checked_mul(8)?.checked_div(6)?;
    let text = encoded.get(before..end)?;
    Some(Needle { text: Secret::new(text), coding: Coding::Base64 { is_cut: encoded.len() > end } })
}

impl Needle {
    /// Returns true if the needle, or an encoding of it, may begin with this byte.
    fn may_begin(&self, byte: u8) -> bool {
        let first = self.text.expose().first();
        matches!(byte, b'%' | b'\\') || first.is_some_and(|first| self.is_same(byte, *first))
    }

    /// Returns the number of bytes that the needle takes up at the beginning of `text`; `None` if it is
    /// not there.
    fn length_at(&self, text: &[u8]) -> Option<usize> {
        let needle = self.text.expose();
        let mut rest = match text.strip_prefix(needle) {
            // A credential that contains a `%` may look encoded.
            Some(rest) => rest,
            None => self.after_units(text, needle)?,
        };
        if let Coding::Base64 { is_cut } = self.coding {
            if let (true, [last, after @ ..]) = (is_cut, rest)
                && (last.is_ascii_alphanumeric() || b"+/-_".contains(last))
            {
                rest = after;
            }
            while let Some(length) = self.unit(rest, b'=') {
                rest = rest.get(length..)?;
            }
        }
        text.len().checked_sub(rest.len())
    }

    /// Returns the text after `needle`, each byte of which may be encoded.
    fn after_units<'t>(&self, text: &'t [u8], needle: &[u8]) -> Option<&'t [u8]> {
        let mut rest = text;
        for wanted in needle {
            rest = rest.get(self.unit(rest, *wanted)?..)?;
        }
        Some(rest)
    }

    /// Returns the number of bytes at the beginning of `text` that stand for the byte `wanted`.
    fn unit(&self, text: &[u8], wanted: u8) -> Option<usize> {
        let (first, rest) = text.split_first()?;
        if *first == b'%'
            && let Some(length) = self.percent_encoded(rest, wanted)
        {
            return length.checked_add(1);
        }
        match text {
            [first, ..] if self.is_same(*first, wanted) => Some(1),
            [b'\\', b'u', b'0', b'0', high, low, ..] => {
                self.is_same(hex_pair(*high, *low)?, wanted).then_some(6)
            }
            [b'\\', escaped, ..] if self.is_same(*escaped, wanted) => Some(2),
            _ => None,
        }
    }

    /// Returns the number of bytes after a `%` that stand for `wanted`, even if its `%` is encoded
    /// again.
    fn percent_encoded(&self, mut text: &[u8], wanted: u8) -> Option<usize> {
        let mut length = 0_usize;
        while let [high, low, rest @ ..] = text {
            let decoded = hex_pair(*high, *low)?;
            length = length.checked_add(2)?;
            if self.is_same(decoded, wanted) {
                return Some(length);
            }
            if decoded != b'%' {
                return None;
            }
            text = rest;
        }
        None
    }

    fn is_same(&self, byte: u8, wanted: u8) -> bool {
        match (self.coding, byte) {
            (Coding::Base64 { .. }, b'-') => wanted == b'+',
            (Coding::Base64 { .. }, b'_') => wanted == b'/',
            (Coding::Base64 { .. } | Coding::Plain, _) => byte == wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

    fn guard(token: &str) -> Guard {
        Guard::new(&[Secret::new(token)])
    }

    #[test]
    fn a_token_is_redacted_raw_and_percent_encoded() {
        let token = guard("tok~en/+12");
        let redacted = |value| token.redact(value);
        for (value, expected) in [
            ("a tok~en/+12 b", "a [redacted] b"),
            ("x?t=tok~en%2F%2b12&y", "x?t=[redacted]&y"),
            ("tok~en%2f+12tok~en/+12", "[redacted][redacted]"),
            ("x?t=tok%257Een%25252F%2b12&y", "x?t=[redacted]&y"),
            (r#"{"t":"tok~en\/+12"}"#, r#"{"t":"[redacted]"}"#),
            (r"tok~en\u002F\u002b12", "[redacted]"),
            ("x=%2574ok~en/+12", "x=[redacted]"),
            (r"x=\u0074ok~en/+12", "x=[redacted]"),
        ] {
            assert_eq!(redacted(value).as_deref(), Some(expected), "{value}");
        }
        let itself = guard("[redacted]");
        assert_eq!(itself.redact("[redacted]").as_deref(), Some("[redacted]"));
        for value in
            ["tok~en/+1", "%", "ü%zz", "tok~en%252", r"tok~en\u00", "tok~en\\", r"tok~en\x+12"]
        {
            assert_eq!(redacted(value), None, "{value}");
        }
        let percent = guard("a%25b%zz");
        for text in ["a%2525b%25zz", "a%25b%zz"] {
            assert_eq!(percent.redact(text).as_deref(), Some("[redacted]"));
        }
    }

    #[test]
    fn base64_of_any_kind_and_at_any_place_is_redacted() {
        for token in ["user:pass+word?>~", "12345678", "\u{3ff}\u{3ff}~~~?>?>~~"] {
            let guard = guard(token);
            for before in ["", "B", "Be", "Bearer ", "x-y:", "user:"] {
                for after in ["", "!", "!!", " and more"] {
                    let text = format!("{before}{token}{after}");
                    for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
                        let encoded = engine.encode(&text);
                        let redacted = guard.redact(&encoded).unwrap();
                        let core = redacted.replace(REDACTED, "");
                        // Groups of four characters that hold something else too.
                        let around = before.len() + after.len();
                        let left = if around == 0 { 0 } else { around / 3 + 2 };
                        assert!(core.len() <= left * 4, "{encoded}: {redacted}");
                        let percent = encoded.replace('+', "%2B").replace('/', "%2F");
                        let percent = percent.replace('=', "%3D");
                        assert!(guard.redact(&percent).is_some(), "{percent}");
                    }
                }
            }
        }
    }

    #[test]
    fn of_whole_groups_of_base64_nothing_behind_them_is_redacted() {
        let guard = guard("123456789");
        let encoded = STANDARD.encode("123456789");
        let redacted = guard.redact(&format!("{encoded}Z"));
        assert_eq!(redacted.as_deref(), Some("[redacted]Z"));
    }

    #[test]
    fn of_two_parts_the_longer_is_redacted() {
        let parts = ["12345678", "12345678-9"].map(Secret::new);
        for parts in [&parts[..], &[parts[1].clone(), parts[0].clone()]] {
            let redacted = Guard::new(parts).redact("a12345678-9-12345678");
            assert_eq!(redacted.as_deref(), Some("a[redacted]-[redacted]"));
        }
    }

    #[test]
    fn a_token_in_a_name_is_seen_in_lower_case() {
        let guard = guard("To-Ken_12");
        assert!(guard.is_in_name("x-to-ken_12-y"));
        assert!(guard.is_in_name("to-ken_12"));
        assert!(!guard.is_in_name("x-to-ken_1"));
        assert!(!guard.is_in_name("x-to-ken_1-2"));
    }

    #[test]
    fn a_short_part_is_not_looked_for() {
        let guard = guard("1234567");
        assert_eq!(guard.redact("1234567"), None);
        assert!(!guard.is_in_name("x-1234567"));
    }
}
