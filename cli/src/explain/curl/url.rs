//! The URL that curl asks for.

use percent_encoding::{CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::error::{Error, Result};
use crate::explain::request_input::RequestInput;
use crate::{percent, target};

use super::Options;

impl Options {
    /// Sets the URL as curl asks for it: without a fragment, with the query that is added, and with the user in a header.
    pub(super) fn set_url(
        &mut self,
        request: &mut RequestInput,
        url: &str,
        added: Option<String>,
    ) -> Result<()> {
        let url = url.split('#').next().unwrap_or_default();
        let (scheme, rest) =
            url.split_once("://").unwrap_or((self.scheme.as_deref().unwrap_or("http"), url));
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (mut authority, target) = rest.split_at(end);
        if let Some((user, host)) = authority.rsplit_once('@') {
            authority = host;
            // Without a password, an empty one is sent.
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            let plain = |part| percent_decode_str(part).decode_utf8_lossy().into_owned();
            self.user.get_or_insert_with(|| format!("{}:{}", plain(name), plain(password)));
        }
        let unglobbed;
        let target = match self.is_globless {
            true => target,
            false => {
                unglobbed = without_globs(target)?;
                &unglobbed
            }
        };
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let plain = without_dots(path);
        // A folder is where the file goes.
        let named = self.upload.as_ref().filter(|_| plain.is_empty() || plain.ends_with('/'));
        // Where curl adds to a URL, it leaves an empty query out, and dots too, whatever --path-as-is says.
        let is_rebuilt = added.is_some() || named.is_some();
        if authority.is_empty() {
            return Err(Error::usage(
                "the URL: expected a whole one, such as https://gate.example.com/posts",
            ));
        }
        let mut path = if self.is_as_is && !is_rebuilt { path.to_owned() } else { plain };
        if let Some((name, _)) = named {
            path.push_str(if path.is_empty() { "/" } else { "" });
            path.push_str(&percent::encoded(name.as_bytes()));
        }
        // That of a query stays.
        path = utf8_percent_encode(&path, CONTROLS).to_string();
        let query = query.filter(|query| !(is_rebuilt && query.is_empty()));
        let query = match (query, added) {
            (Some(query), Some(added)) => {
                Some(format!("{}&{added}", query.strip_suffix('&').unwrap_or(query)))
            }
            (query, added) => query.map(str::to_owned).or(added.filter(|text| !text.is_empty())),
        };
        if query.as_ref().is_some_and(|query| query.contains(|c: char| c.is_ascii_control())) {
            return Err(Error::usage("the URL: curl sends no line breaks in it"));
        }
        let target = self.target.take().unwrap_or_else(|| match query {
            None => path,
            Some(query) => format!("{path}?{query}"),
        });
        request.url = target::sent_url(&format!("{scheme}://{authority}{target}"))
            .map_err(|hint| Error::usage(format!("the URL: {hint}")))?;
        Ok(())
    }
}

/// Returns a target without the backslashes that keep brackets from meaning several requests, as browsers write it.
fn without_globs(target: &str) -> Result<String> {
    let mut plain = String::with_capacity(target.len());
    let mut rest = target.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\\' => plain.push(rest.next_if(|next| "[]{}".contains(*next)).unwrap_or(character)),
            '{' | '[' => {
                return Err(Error::usage(
                    "the URL: curl makes several requests of { } and [ ]: write one of them, or \
                    add -g",
                ));
            }
            other => plain.push(other),
        }
    }
    Ok(plain)
}

/// Returns the path without `.` and `..` (RFC 3986 section 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    format!("/{}", kept.join("/"))
}
