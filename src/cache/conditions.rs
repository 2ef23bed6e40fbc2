//! Conditions and ranges of a read that is answered from the cache (RFC 9110 sections 13 and 14).
//!
//! The gate evaluates them itself. Otherwise a store could decide differently, or a caller could make it
//! report a miss, which would send every such request to the upstream. The store is only asked for one
//! range of bytes; if it does not understand that, it is asked for the whole response.

use crate::base::headers::{self};
use crate::base::request::Head;
use crate::base::time::Timestamp;

use super::stored::LENGTH;

/// The conditions and the range of a read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    none_match: Option<String>,
    modified_since: Option<Timestamp>,
    range: Option<Range>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Range {
    From(u64),
    Last(u64),
}

impl Conditions {
    /// Parses the conditions. `If-None-Match` takes precedence over `If-Modified-Since` (section
    /// 13.1.3). A range that is not a single range of bytes may be ignored (section 14.2). So is one
    /// with `If-Range`, because the caller's part may be of another version (section 13.1.5).
    pub fn of(head: &Head<'_>) -> Self {
        let none_match = head.header("if-none-match").map(str::to_owned);
        let modified_since = head.header("if-modified-since").filter(|_| none_match.is_none());
        let range = head
            .header("range")
            .filter(|_| head.method() == "GET" && head.header("if-range").is_none());
        Self {
            none_match,
            modified_since: modified_since.and_then(Timestamp::parse_http_date),
            range: range.and_then(Range::parse),
        }
    }

    /// Returns true if the store is to be asked for the request's range.
    pub const fn ask_range(&self) -> bool {
        self.range.is_some()
    }

    /// Returns the status that replaces that of the cache entry, if there is one: 304 or 416, then
    /// without a body.
    pub(crate) fn status(&self, status: u16, headers: &[(&str, &str)]) -> Option<u16> {
        let header = |name: &str| headers::header(headers, name);
        let is_unchanged = match (&self.none_match, self.modified_since) {
            (Some(tags), _) => matches(tags, header("etag")),
            (None, Some(since)) => header("last-modified")
                .and_then(Timestamp::parse_http_date)
                .is_some_and(|modified| modified <= since),
            (None, None) => false,
        };
        if is_unchanged {
            return Some(304);
        }
        let range = self.range.filter(|_| status == 200);
        let is_beyond = range.is_some_and(|range| range.is_beyond(length(headers)));
        is_beyond.then_some(416)
    }
}

/// Returns the length of an entry's whole body, if it is known.
pub(super) fn length(headers: &[(&str, &str)]) -> Option<u64> {
    let announced = headers::header(headers, LENGTH).and_then(|length| length.parse().ok());
    announced.or_else(|| headers::content_length(headers))
}

impl Range {
    /// Parses `bytes=first-last`, `bytes=first-` or `bytes=-length` (section 14.1.2).
    fn parse(text: &str) -> Option<Self> {
        let (unit, range) = text.split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        let number = |digits: &str| {
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            // A number that is too large is beyond any length.
            is_number.then(|| digits.parse().unwrap_or(u64::MAX))
        };
        unit.trim().eq_ignore_ascii_case("bytes").then_some(())?;
        match (number(first), number(last)) {
            (None, Some(length)) if first.is_empty() => Some(Self::Last(length)),
            (Some(first), None) if last.is_empty() => Some(Self::From(first)),
            (Some(first), Some(last)) if first <= last => Some(Self::From(first)),
            _ => None,
        }
    }

    /// Returns true if a body of this length has no byte of the range (section 15.5.17).
    fn is_beyond(self, length: Option<u64>) -> bool {
        match self {
            Self::From(first) => length.is_some_and(|length| first >= length),
            Self::Last(length) => length == 0,
        }
    }
}

/// Returns true if one of the entity tags is that of the cache entry, by weak comparison (sections
/// 8.8.3.2 and 13.1.2). A tag may contain a comma.
fn matches(tags: &str, etag: Option<&str>) -> bool {
    if tags.trim() == "*" {
        return true;
    }
    let opaque = |tag: &str| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        let inner = tag.strip_prefix('"')?.split_once('"')?.0;
        Some(inner.to_owned())
    };
    let Some(wanted) = etag.and_then(|etag| opaque(etag.trim())) else {
        return false;
    };
    let mut rest = tags.trim_start_matches([' ', '\t', ',']);
    while let Some(tag) = opaque(rest) {
        if tag == wanted {
            return true;
        }
        let after = rest.splitn(3, '"').nth(2).unwrap_or_default();
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Mon, 07 Nov 1994 08:49:37 GMT";
    const EARLIER: &str = "Sat, 05 Nov 1994 08:49:37 GMT";

    fn status(method: &str, asked: &[(&'static str, &'static str)]) -> (bool, Option<u16>) {
        let head = Head::new(method, "https://gate.example/x", asked.to_vec(), false).unwrap();
        let conditions = Conditions::of(&head);
        let stored = [("etag", "W/\"a,b\""), ("last-modified", CHANGED), ("content-length", "10")];
        (conditions.ask_range(), conditions.status(200, &stored))
    }

    #[test]
    fn if_none_match_goes_before_if_modified_since() {
        for (tags, expected) in [
            ("\"a,b\"", Some(304)),
            ("W/\"a,b\"", Some(304)),
            ("\"x\", W/\"y,z\" ,\t\"a,b\"", Some(304)),
            (", \"a,b\"", Some(304)),
            ("*", Some(304)),
            ("\"x\"", None),
            ("a,b", None),
            ("\"a\", \"b\"", None),
            ("\"x\", a,b", None),
            ("\"A,B\"", None),
            ("", None),
        ] {
            for since in [CHANGED, LATER, EARLIER] {
                let asked = [("if-none-match", tags), ("if-modified-since", since)];
                assert_eq!(status("GET", &asked).1, expected, "{tags} {since}");
                assert_eq!(status("HEAD", &asked).1, expected, "{tags} {since}");
            }
        }
    }

    #[test]
    fn a_tag_matches_no_answer_without_one() {
        let conditions =
            Conditions { none_match: Some("\"a,b\"".to_owned()), ..Conditions::default() };
        assert_eq!(conditions.status(200, &[("last-modified", CHANGED)]), None);
    }

    #[test]
    fn if_modified_since_decides_without_it() {
        for (since, expected) in
            [(CHANGED, Some(304)), (LATER, Some(304)), (EARLIER, None), ("soon", None)]
        {
            assert_eq!(status("GET", &[("if-modified-since", since)]).1, expected);
        }
        let conditions = Conditions {
            modified_since: Timestamp::parse_http_date(LATER),
            ..Conditions::default()
        };
        assert_eq!(conditions.status(200, &[]), None);
    }

    #[test]
    fn the_store_is_asked_for_one_range_of_bytes_and_for_no_other() {
        for (range, is_asked, expected) in [
            ("bytes=0-0", true, None),
            ("Bytes = 2-5", true, None),
            ("bytes=9-", true, None),
            ("bytes=9-99999999999999999999999", true, None),
            ("bytes=-3", true, None),
            ("bytes=-99", true, None),
            ("bytes=10-", true, Some(416)),
            ("bytes=50-60", true, Some(416)),
            ("bytes=99999999999999999999999-", true, Some(416)),
            ("bytes=-0", true, Some(416)),
            ("bytes=5-2", false, None),
            ("bytes=0-1,5-6", false, None),
            ("bytes=0-1, 5-6", false, None),
            ("bytes=-", false, None),
            ("bytes=", false, None),
            ("bytes=a-b", false, None),
            ("bytes=+1-2", false, None),
            ("bytes 0-1", false, None),
            ("items=0-1", false, None),
            ("0-1", false, None),
            ("", false, None),
        ] {
            assert_eq!(status("GET", &[("range", range)]), (is_asked, expected), "{range}");
            assert_eq!(status("HEAD", &[("range", range)]), (false, None), "{range}");
            let conditional = [("range", range), ("if-range", "\"a,b\"")];
            assert_eq!(status("GET", &conditional), (false, None), "{range}");
            let unchanged = [("range", range), ("if-none-match", "*")];
            assert_eq!(status("GET", &unchanged).1, Some(304), "{range}");
        }
    }
}
