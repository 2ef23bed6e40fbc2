//! Paths: which are refused because gate and upstream could read them differently, and the
//! patterns that routes, keys and sessions name. Everything is compared raw.

use core::fmt;

use crate::problem::Refusal;

/// What [`check`] found in an acceptable path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// It holds `%2F` or `%5C`: acceptable only where the route says `encoded_slash`.
    pub encoded_slash: bool,
}

/// Refuses a raw path that two readers could take for two paths (contract section 4): RFC 3986
/// section 5.2.4 removes dot segments, some servers decode `%2F` before routing, some merge `//`,
/// some cut a segment at `;`.
///
/// # Errors
/// `bad-path`.
pub fn check(path: &str) -> Result<Checked, Refusal> {
    if !path.starts_with('/') || path.contains("//") || path.contains('\\') {
        return Err(Refusal::BadPath);
    }
    let mut encoded_slash = false;
    let mut segment = Segment::default();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'%' => decode(&mut rest),
            _ => None,
        };
        match (byte, decoded) {
            (_, Some(b'/' | b'\\')) => {
                encoded_slash = true;
                segment.end()?;
            }
            (b'/', _) => segment.end()?,
            (_, Some(0)) => return Err(Refusal::BadPath),
            (_, Some(decoded)) => segment.push(decoded),
            (byte, None) => segment.push(byte),
        }
    }
    segment.end()?;
    Ok(Checked { encoded_slash })
}

/// The byte that two hexadecimal digits stand for, consuming them; `None`, consuming nothing,
/// when they are not there.
fn decode(rest: &mut core::str::Bytes<'_>) -> Option<u8> {
    let mut ahead = rest.clone();
    let high = char::from(ahead.next()?).to_digit(16)?;
    let low = char::from(ahead.next()?).to_digit(16)?;
    *rest = ahead;
    u8::try_from(high.checked_mul(16)?.checked_add(low)?).ok()
}

/// One decoded segment, as far as it matters: only dots so far, how many, and whether a `;` has
/// cut it.
#[derive(Default)]
struct Segment {
    dots: u8,
    other: bool,
    cut: bool,
}

impl Segment {
    fn push(&mut self, byte: u8) {
        match byte {
            _ if self.cut => {}
            b';' => self.cut = true,
            b'.' => self.dots = self.dots.saturating_add(1),
            _ => self.other = true,
        }
    }

    fn end(&mut self) -> Result<(), Refusal> {
        let is_dot = !self.other && matches!(self.dots, 1 | 2);
        *self = Self::default();
        if is_dot {
            Err(Refusal::BadPath)
        } else {
            Ok(())
        }
    }
}

/// An exact path, or a prefix written with a final `/*`, which stands for any rest (also an empty
/// one) but not for the path before it.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The path, or the prefix with its final `/`.
    text: String,
    prefix: bool,
}

impl Pattern {
    /// Reads a pattern. `None` unless it begins with `/`, is printable ASCII without `?`, `#` and
    /// `\`, is no path that [`check`] refuses, and has `*` only as a final `/*`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (stem, prefix) = match text.strip_suffix('*') {
            Some(stem) => (stem, true),
            None => (text, false),
        };
        let printable = stem
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"?#*".contains(&byte));
        if !printable || (prefix && !stem.ends_with('/')) || check(stem).is_err() {
            return None;
        }
        Some(Self {
            text: stem.to_owned(),
            prefix,
        })
    }

    /// What the pattern leaves of `path` when it matches: the rest that `*` stands for, or
    /// nothing for an exact match.
    #[must_use]
    pub fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        match path.strip_prefix(self.text.as_str()) {
            Some(rest) if self.prefix || rest.is_empty() => Some(rest),
            Some(_) | None => None,
        }
    }

    /// Whether `path` is one of those the pattern stands for.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.rest(path).is_some()
    }

    /// Whether it ends in `/*`.
    #[must_use]
    pub const fn is_prefix(&self) -> bool {
        self.prefix
    }

    /// The path, or the prefix with its final `/` and without the `*`.
    #[must_use]
    pub fn stem(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, if self.prefix { "*" } else { "" })
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
            "",
            "a",
            "*",
            "//",
            "/a//b",
            "/a\\b",
            "/.",
            "/..",
            "/a/../b",
            "/a/./b",
            "/a/..",
            "/%2e/",
            "/%2E%2e/x",
            "/.%2e",
            "/a/..;x/b",
            "/a/.;/b",
            "/a/%2e%2e%3bx",
            "/a%00b",
            "/a/..%2fb",
            "/a%2f..",
            "/a%5c..%5cb",
            "/x%2F.%2Fy",
            "/%2e%2e",
        ] {
            assert_eq!(check(path), Err(Refusal::BadPath), "{path}");
        }
    }

    #[test]
    fn paths_that_only_look_like_those_pass() {
        for path in [
            "/",
            "/a",
            "/a/",
            "/a/b",
            "/...",
            "/..a",
            "/a..",
            "/.a",
            "/a.b/c",
            "/%2e%2e%2e",
            "/%252e%252e/",
            "/a;b",
            "/;..",
            "/a/%",
            "/a/%zz",
            "/%2",
            "/a:b@c",
            "/~%7e",
        ] {
            assert_eq!(
                check(path),
                Ok(Checked {
                    encoded_slash: false
                }),
                "{path}"
            );
        }
        for path in ["/a%2Fb", "/a%2fb", "/a%5Cb", "/https%3A%2F%2Fx"] {
            assert_eq!(
                check(path),
                Ok(Checked {
                    encoded_slash: true
                }),
                "{path}"
            );
        }
    }

    #[test]
    fn a_final_star_stands_for_any_rest_and_not_for_the_path_before() {
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
            "", "*", "a/*", "/a*", "/a/*/b", "/a/**", "/a?b", "/a/../*", "/a b", "//*",
        ] {
            assert!(Pattern::parse(text).is_none(), "{text}");
        }
    }
}
