//! Paths: the refusal of those that gate and upstream could read differently, and the patterns for paths
//! in routes, keys and sessions.
//!
//! A path has two readings here: raw, as it was sent, and lenient, as the most permissive server reads
//! it. Any other server reads it in a way between these. A pattern that matches the raw path matches
//! every reading, and a pattern that matches any reading matches the lenient one. So if both readings
//! lead to one place, every reading does.

use core::fmt;
use std::borrow::Cow;

use crate::base::percent::{self, Byte};
use crate::problem::Refusal;

/// A path that [`check`] accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked<'p> {
    raw: &'p str,
    lenient: Cow<'p, [u8]>,
    /// It contains `%2F` or `%5C`, which only a route with `encoded_slash` accepts.
    pub encoded_slash: bool,
}

impl<'p> Checked<'p> {
    /// Returns the path as it was sent.
    pub const fn raw(&self) -> &'p str {
        self.raw
    }

    /// Returns true if some server may read this as a path that begins with `prefix`.
    pub fn may_begin_with(&self, prefix: &str) -> bool {
        begins_with(&self.lenient, prefix.as_bytes())
    }

    /// Returns true if some server may decode the path, or cut off a part of it.
    pub fn has_escapes(&self) -> bool {
        self.raw.contains(['%', ';'])
    }
}

/// Checks that all servers read a raw path alike (docs/wire-contract.md, "Order"). RFC 3986 section
/// 5.2.4 removes dot segments; some servers decode `%2F` before routing, some merge `//`, some cut a
/// segment at `;`, or at a `?` or `#` that they decode too early, and some drop a space at its end.
///
/// # Errors
/// `bad-path`.
pub fn check(path: &str) -> Result<Checked<'_>, Refusal> {
    if !path.starts_with('/') || path.contains("//") || path.contains('\\') {
        return Err(Refusal::BadPath);
    }
    let (mut encoded_slash, mut plain) = (false, true);
    let mut segment = Segment::default();
    for byte in percent::decode(path) {
        plain &= matches!(byte, Byte::Plain(byte) if byte != b';');
        match byte {
            Byte::Escaped(b'/' | b'\\') => {
                encoded_slash = true;
                let _ = segment.end()?;
            }
            Byte::Plain(b'/') => plain &= segment.end()?,
            Byte::Escaped(0) => return Err(Refusal::BadPath),
            Byte::Plain(_) | Byte::Escaped(_) | Byte::Broken => segment.push(byte.value()),
        }
    }
    plain &= segment.end()?;
    Ok(Checked {
        raw: path,
        lenient: match plain {
            true => Cow::Borrowed(path.as_bytes()),
            false => Cow::Owned(lenient(path)),
        },
        encoded_slash,
    })
}

/// Returns the lenient reading of a path: everything is decoded once; segments are cut at `;`, `?` and
/// `#` and lose the dots and spaces at their end (as on Windows); any slash separates them; empty ones
/// disappear. [`Pattern`] compares it without regard to case.
fn lenient(path: &str) -> Vec<u8> {
    let mut read = Vec::with_capacity(path.len());
    let mut is_cut = false;
    for byte in percent::decode(path).map(Byte::value) {
        match byte {
            b'/' | b'\\' => {
                is_cut = false;
                trim_end(&mut read);
                if read.last() != Some(&b'/') {
                    read.push(b'/');
                }
            }
            b';' | b'?' | b'#' => is_cut = true,
            _ if is_cut => {}
            byte => read.push(byte),
        }
    }
    trim_end(&mut read);
    read
}

fn trim_end(segment: &mut Vec<u8>) {
    while segment.pop_if(|last| *last <= b' ' || *last == b'.').is_some() {}
}

/// The facts about a decoded segment that tell whether it is a dot segment: its number of dots, whether
/// it has other characters, and whether it was cut.
#[derive(Default)]
struct Segment {
    dots: u8,
    other: bool,
    cut: bool,
    ends_in_dot: bool,
}

impl Segment {
    fn push(&mut self, byte: u8) {
        self.ends_in_dot = byte == b'.';
        match byte {
            _ if self.cut => {}
            b';' | b'?' | b'#' => self.cut = true,
            b'.' => self.dots = self.dots.saturating_add(1),
            ..=b' ' => {}
            _ => self.other = true,
        }
    }

    /// Ends this segment and begins the next. Returns true if no server drops characters at the end of
    /// this one.
    fn end(&mut self) -> Result<bool, Refusal> {
        let segment = core::mem::take(self);
        match !segment.other && matches!(segment.dots, 1 | 2) {
            true => Err(Refusal::BadPath),
            false => Ok(!segment.ends_in_dot),
        }
    }
}

/// A pattern for paths: an exact path, or a prefix written with a final `/*`, which stands for any rest
/// (also an empty one) but not for the path before it.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The pattern as it was written.
    text: String,
    /// The lenient reading of the stem.
    lenient: Box<[u8]>,
    prefix: bool,
}

/// The hint for a pattern that does not parse.
pub const PATTERN_HINT: &str = "expected a path such as \"/cms/*\" or \"/cms/posts\": a * only as a final /*, no ; \" < > ^ ` { }, and A-Z a-z 0-9 - . _ ~ as themselves, not as %XX";

impl Pattern {
    /// Parses a pattern. Returns `None` unless it begins with `/`, is printable ASCII without `?`, `#`,
    /// `;`, `\` and what browsers send as `%XX` (URL Standard, section 1.3), encodes no character that needs no encoding (RFC 3986 section 2.3), passes
    /// [`check`], and has `*` only as a final `/*`.
    pub fn parse(text: &str) -> Option<Self> {
        let (stem, prefix) = match text.strip_suffix('*') {
            Some(stem) => (stem, true),
            None => (text, false),
        };
        let printable =
            stem.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#*;\"<>^`{}".contains(&byte));
        if !printable || encodes_unreserved(stem) || (prefix && !stem.ends_with('/')) {
            return None;
        }
        Some(Self { lenient: check(stem).ok()?.lenient.into(), text: text.to_owned(), prefix })
    }

    /// Returns the part of `path` that `*` stands for, or an empty string for an exact match; `None`
    /// when the pattern does not match.
    pub fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        match path.strip_prefix(self.stem()) {
            Some(rest) if self.prefix || rest.is_empty() => Some(rest),
            Some(_) | None => None,
        }
    }

    /// Returns true if the pattern matches `path`.
    pub fn matches(&self, path: &str) -> bool {
        self.rest(path).is_some()
    }

    /// Returns true if some server may read `path` as one that the pattern matches.
    pub fn may_match(&self, path: &Checked<'_>) -> bool {
        begins_with(&path.lenient, &self.lenient)
            && (self.prefix || path.lenient.len() == self.lenient.len())
    }

    /// Returns true if some server may read the pattern as one that begins with `prefix`.
    pub fn may_begin_with(&self, prefix: &str) -> bool {
        begins_with(&self.lenient, prefix.as_bytes())
    }

    /// Returns true if some server may read the two patterns as the same one.
    pub fn is_duplicate_of(&self, other: &Self) -> bool {
        self.prefix == other.prefix && self.lenient.eq_ignore_ascii_case(&other.lenient)
    }

    /// Returns the length of the lenient reading. Of two prefixes of a path, the longer is the narrower.
    pub const fn narrowness(&self) -> usize {
        self.lenient.len()
    }

    /// Returns true if the pattern ends in `/*`.
    pub const fn is_prefix(&self) -> bool {
        self.prefix
    }

    /// Returns the path, or the prefix with its final `/` and without the `*`.
    pub fn stem(&self) -> &str {
        self.text.strip_suffix('*').unwrap_or(&self.text)
    }

    /// Returns the pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn begins_with(path: &[u8], prefix: &[u8]) -> bool {
    let begin = path.get(..prefix.len());
    begin.is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
}

/// Returns true if `path` has a `%XX` that stands for an unreserved character.
fn encodes_unreserved(path: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    percent::decode(path).any(|byte| matches!(byte, Byte::Escaped(byte) if is_unreserved(byte)))
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ambiguous_paths_are_refused() {
        for path in [
            "", "a", "*", "//", "//a", "/a//", "/a/.", "/a/%2E./b", "/a/.%2e/b", "/a//b", "/a\\b",
            "/.", "/..", "/a/../b", "/a/./b", "/a/..", "/%2e/", "/%2E%2e/x", "/.%2e", "/a/..;x/b",
            "/a/.;/b", "/a/%2e%2e%3bx", "/a%00b", "/a/..%2fb", "/a%2f..", "/a%5c..%5cb",
            "/x%2F.%2Fy", "/%2e%2e", "/a/..%20/b", "/a/.%09", "/a/..%3Fx", "/a/..%23/b",
        ] {
            assert_eq!(check(path), Err(Refusal::BadPath), "{path}");
        }
    }

    #[test]
    fn paths_that_only_look_like_those_pass() {
        for path in [
            "/", "/a", "/a/", "/a/b", "/...", "/..a", "/a..", "/.a", "/a.b/c", "/%2e%2e%2e",
            "/%252e%252e/", "/a;b", "/;..", "/a/%", "/a/%zz", "/%2", "/a:b@c", "/~%7e",
        ] {
            let checked = check(path).map(|checked| checked.encoded_slash);
            assert_eq!(checked, Ok(false), "{path}");
        }
        for path in ["/a%2Fb", "/a%2fb", "/a%5Cb", "/https%3A%2F%2Fx"] {
            let checked = check(path).map(|checked| checked.encoded_slash);
            assert_eq!(checked, Ok(true), "{path}");
        }
    }

    #[test]
    fn a_pattern_is_shown_as_it_is_written() {
        for text in ["/a", "/a/*", "/*"] {
            let pattern = Pattern::parse(text).unwrap();
            assert_eq!((pattern.to_string(), format!("{pattern:?}")), (text.into(), text.into()));
        }
    }

    #[test]
    fn the_lenient_reading_is_every_reading_at_once() {
        for (path, lenient) in [
            ("/cms/%75sers/7", "/cms/users/7"),
            ("/cms/users;x=1/7", "/cms/users/7"),
            ("/cms/%75sers%3Bx;y/7", "/cms/users/7"),
            ("/cms/users./7", "/cms/users/7"),
            ("/cms/users%20/7.", "/cms/users/7"),
            ("/cms/users%0a", "/cms/users"),
            ("/cms/users%3Fx", "/cms/users"),
            ("/cms%2Fusers%5c7", "/cms/users/7"),
            ("/cms%2F/users", "/cms/users"),
            ("/cms/;x/users/", "/cms/users/"),
            ("/cms/%2575sers", "/cms/%75sers"),
            ("/cms/%", "/cms/%"),
            ("/a.b/.c", "/a.b/.c"),
        ] {
            assert_eq!(&*check(path).unwrap().lenient, lenient.as_bytes(), "{path}");
        }
    }

    #[test]
    fn a_final_star_matches_any_rest_and_not_the_path_before() {
        let posts = Pattern::parse("/cms/posts/*").unwrap();
        assert_eq!(posts.rest("/cms/posts/1/2"), Some("1/2"));
        assert_eq!(posts.rest("/cms/posts/"), Some(""));
        assert!(!posts.matches("/cms/posts"));
        assert!(!posts.matches("/cms/postscript"));
        let exact = Pattern::parse("/cms/posts").unwrap();
        assert!(exact.matches("/cms/posts"));
        assert!(!exact.matches("/cms/posts/"));
        assert!(Pattern::parse("/*").unwrap().matches("/"));
    }

    #[test]
    fn patterns_that_could_mislead_do_not_parse() {
        for text in [
            "", "*", "a/*", "/a*", "/a/*/b", "/a/**", "/a?b", "/a/../*", "/a b", "//*", "/a;b",
            "/a;b/*", "/%61/*", "/a%2db", "/a%7E", "/users/{id}", "/\"", "/a<", "/a>", "/^",
            "/a`b/*",
        ] {
            assert!(Pattern::parse(text).is_none(), "{text}");
        }
    }
}
