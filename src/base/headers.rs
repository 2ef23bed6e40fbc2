//! Header fields of a response: reading and editing them.
//!
//! In scope: what every reader of a response needs. Out of scope: which fields are removed
//! (`gateway::reply`).

use super::digits;

/// Changes to the upstream's response.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits<'h> {
    /// A status that replaces the upstream's; the body is then left out.
    pub status: Option<u16>,
    /// Headers that are removed.
    pub drop: Vec<&'h str>,
    /// Headers that are set, replacing those of the same name.
    pub set: Vec<(&'h str, String)>,
    /// The names of the headers in which the upstream token was found and redacted.
    pub echoed: Vec<&'h str>,
}

impl HeaderEdits<'_> {
    /// Returns the value that the caller gets for a header of the upstream: redacted where necessary.
    pub fn value<'a>(&'a self, name: &str, sent: &'a str) -> &'a str {
        let set = self.set.iter().find(|(set, _)| *set == name);
        set.map_or(sent, |(_, value)| value)
    }
}

/// Returns the `Content-Length` of a response, if it has one, it consists of digits, and no `Transfer-Encoding` overrides it
/// (RFC 9112 section 6.3).
pub fn content_length(headers: &[(&str, &str)]) -> Option<u64> {
    let length = digits::parse(header(headers, "content-length")?);
    length.filter(|_| header(headers, "transfer-encoding").is_none())
}

/// Returns the value of the header `name` (lower case). The platform joins repeated fields.
pub fn header<'h>(headers: &[(&str, &'h str)], name: &str) -> Option<&'h str> {
    let mut headers = headers.iter();
    headers.find(|(other, _)| *other == name).map(|(_, value)| *value)
}

/// Returns true if a response with this status to this method has a body (RFC 9110 section 6.4.1).
pub fn has_body(method: &str, status: u16) -> bool {
    method != "HEAD" && !matches!(status, 204 | 205 | 304)
}
