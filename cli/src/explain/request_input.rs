//! The request to be explained, from arguments of curl or from a HAR file.

use writegate::{Head, Timestamp};

use crate::error::{Error, Result};

/// A request as it was sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RequestInput {
    pub(crate) method: String,
    pub(crate) url: String,
    /// Names in lower case, repeated fields joined, as the gate sees them.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Option<Timestamp>,
}

impl RequestInput {
    /// Returns the request as the gate parses it; `None` if it does not parse.
    pub(crate) fn head(&self) -> Option<Head<'_>> {
        let headers = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        Head::new(&self.method, &self.url, headers.collect(), self.has_body()).ok()
    }

    pub(crate) const fn has_body(&self) -> bool {
        !self.body.is_empty()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_signed(&self) -> bool {
        self.header("signature-input").is_some()
    }

    pub(super) fn add(&mut self, name: &str, value: &str) {
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        match self.headers.iter_mut().find(|(other, _)| *other == name) {
            Some((_, joined)) => *joined = format!("{joined}, {value}"),
            None => self.headers.push((name, value.to_owned())),
        }
    }

    /// Takes a header of curl's, except for another host than the URL's.
    pub(super) fn header_of_curl(&mut self, name: &str, value: &str) -> Result<()> {
        // The host of the URL is what a signature is about; curl sends this one instead. Charles and Proxyman copy both.
        if name.trim().eq_ignore_ascii_case("host") {
            let authority = self.url.split('/').nth(2).unwrap_or_default();
            if authority.eq_ignore_ascii_case(value.trim()) {
                return Ok(());
            }
            return Err(Error::usage(
                "-H Host: put that host into the URL instead, for the gate sees it there",
            ));
        }
        self.add(name, value);
        Ok(())
    }

    /// Replaces a header's value.
    pub(super) fn replace(&mut self, name: &str, value: &str) {
        if let Some((_, old)) = self.headers.iter_mut().find(|(other, _)| other == name) {
            value.clone_into(old);
        }
    }

    pub(super) fn add_unless_there(&mut self, name: &str, value: &str) {
        if self.header(name).is_none() {
            self.add(name, value);
        }
    }

    /// Adds the body's length, which every client sends.
    pub(super) fn complete(mut self) -> Self {
        if self.has_body() {
            let length = self.body.len().to_string();
            self.add_unless_there("content-length", &length);
        }
        self
    }
}
