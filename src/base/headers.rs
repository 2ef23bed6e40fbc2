//! Header fields of a response: looked up, and changed.
//!
//! In scope: what every part that reads a response needs. Out of scope: which fields are removed (`gateway::reply`).

/// Changes to the upstream's response.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits<'h> {
    /// Another status, with which the body does not go on.
    pub status: Option<u16>,
    /// Headers that do not go to the caller.
    pub drop: Vec<&'h str>,
    /// Headers that are set, replacing whatever was there.
    pub set: Vec<(&'h str, String)>,
    /// The headers in which the token was found and redacted.
    pub echoed: Vec<&'h str>,
}

impl HeaderEdits<'_> {
    /// Returns the value with which a header of the upstream goes on: redacted where it must be.
    #[must_use]
    pub fn value<'a>(&'a self, name: &str, sent: &'a str) -> &'a str {
        let set = self.set.iter().find(|(set, _)| *set == name);
        set.map_or(sent, |(_, value)| value)
    }
}

/// `Content-Length` of a response, when it is there.
#[must_use]
pub fn content_length(headers: &[(&str, &str)]) -> Option<u64> {
    header(headers, "content-length")?.parse().ok()
}

/// The value of a header, whose name is in lower case. The platform joins repeated fields.
#[must_use]
pub fn header<'h>(headers: &[(&str, &'h str)], name: &str) -> Option<&'h str> {
    let mut headers = headers.iter();
    headers.find(|(other, _)| *other == name).map(|(_, value)| *value)
}

/// Whether an answer of this status to this method has a body (RFC 9110 section 6.4.1).
#[must_use]
pub fn has_body(method: &str, status: u16) -> bool {
    method != "HEAD" && !matches!(status, 204 | 205 | 304)
}
