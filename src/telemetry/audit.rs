//! The audit line: the one log line of a request (docs/wire-contract.md, "Audit and rotation lines"). It
//! is redacted by type: the record has no field for a secret, a query value or a header.

use crate::base::json_writer::ObjectWriter;
use crate::base::request::{self, Head, MAX_TARGET_BYTES, Raw};
use crate::base::secret::Fingerprint;
use crate::base::time::Timestamp;
use crate::credential::Verified;
use crate::keys::{Key, Scheme};
use crate::limits::usage::Amounts;
use crate::problem::Problem;
use crate::telemetry::outcome::Outcome;
use crate::upstream::route::Route;

/// Longest name of a query parameter, in bytes, that is logged. A longer one may be a value.
const MAX_QUERY_KEY_BYTES: usize = 64;
/// Most query parameters whose names are logged.
const MAX_QUERY_KEYS: usize = 32;

/// Longest method, country and data centre, in bytes, that are logged. A caller without Cloudflare's edge
/// chooses these headers.
const MAX_WORD_BYTES: usize = 64;

/// The audit line of a request, filled in while the request is processed.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    code: Option<&'static str>,
    request_id: String,
    key: Option<String>,
    verified: bool,
    subject: Option<String>,
    scheme: Option<&'static str>,
    method: Option<String>,
    path: Option<String>,
    query_keys: Vec<String>,
    route: Option<String>,
    upstream_status: Option<u16>,
    upstream_ms: Option<i64>,
    attempts: u32,
    /// Number of 429 responses of the upstream, which are charged and not logged.
    upstream_429: u64,
    request_bytes: Option<u64>,
    response_bytes: Option<u64>,
    cache: Option<&'static str>,
    token: Option<Fingerprint>,
    ip: Option<String>,
    country: Option<String>,
    colo: Option<String>,
    time: String,
}

/// Facts about a request that only the platform knows.
#[derive(Clone, Debug)]
pub struct Context {
    /// Time of arrival.
    pub now: Timestamp,
    /// Request id, made by the edge: visible ASCII without quotes or backslashes.
    pub request_id: String,
    /// The caller's country, as Cloudflare states it.
    pub country: Option<String>,
    /// The data centre.
    pub colo: Option<String>,
}

impl AuditRecord {
    /// Begins a record before the request is checked, so that a request that is refused at once has its
    /// method, path and address in its line too.
    pub fn new(context: Context, raw: &Raw<'_>) -> Self {
        let mut headers = raw.headers.iter();
        let ip = headers.find(|(name, _)| *name == request::ADDRESS_HEADER);
        let ip = ip.and_then(|(_, value)| request::address(value));
        Self {
            code: None,
            request_id: context.request_id,
            key: None,
            verified: false,
            subject: None,
            scheme: None,
            method: Some(cut(raw.method, MAX_WORD_BYTES)),
            path: path_of(raw.target).map(|path| cut(path, MAX_TARGET_BYTES)),
            query_keys: Vec::new(),
            route: None,
            upstream_status: None,
            upstream_ms: None,
            attempts: 0,
            upstream_429: 0,
            request_bytes: None,
            response_bytes: None,
            cache: None,
            token: None,
            ip: ip.map(|address| address.to_string()),
            country: context.country.map(word),
            colo: context.colo.map(word),
            time: context.now.to_rfc3339(),
        }
    }

    /// Adds the names of the query parameters and the length of the body, once the request is parsed.
    pub fn request(&mut self, head: &Head<'_>) {
        self.query_keys = head
            .parameters()
            .take(MAX_QUERY_KEYS)
            .map(|(name, value)| match value {
                Some(_) if name.len() <= MAX_QUERY_KEY_BYTES => name.to_owned(),
                // Without a `=` it may as well be a value.
                Some(_) | None => "*".to_owned(),
            })
            .collect();
        self.request_bytes = match head.has_body() {
            true => head.content_length(),
            false => Some(0),
        };
    }

    /// Sets the route.
    pub fn route(&mut self, route: &Route) {
        self.route = Some(route.path.as_str().to_owned());
    }

    /// Sets the scheme of the credential.
    pub const fn scheme(&mut self, scheme: Scheme) {
        self.scheme = Some(scheme.name());
    }

    /// Sets the scheme of a Turnstile token, for which the gate mints a session.
    pub const fn turnstile(&mut self) {
        self.scheme = Some("turnstile");
    }

    /// Sets the key id. It must not be logged before a record of that id is found.
    pub fn key(&mut self, key: &Key) {
        self.key = Some(key.id.to_string());
    }

    /// Marks the credential as verified, unless it is a bare public key, and sets the subject.
    pub fn verified(&mut self, verified: &Verified) {
        if !verified.scheme().is_bare() {
            self.verified = true;
            self.subject = verified.claims().and_then(|claims| claims.subject.clone());
        }
    }

    /// Marks the Turnstile token as verified.
    pub const fn turnstile_verified(&mut self) {
        self.verified = true;
    }

    /// Sets the fingerprint of the token that the request is forwarded with.
    pub fn token(&mut self, fingerprint: Fingerprint) {
        self.token = Some(fingerprint);
    }

    /// Sets the number of attempts at the upstream, and their duration in milliseconds.
    pub const fn attempted(&mut self, attempts: u32, upstream_ms: i64) {
        self.attempts = attempts;
        self.upstream_ms = Some(upstream_ms);
    }

    /// Sets the status of the upstream's response.
    pub const fn answered(&mut self, status: u16) {
        self.upstream_status = Some(status);
        if status == 429 {
            self.upstream_429 = self.upstream_429.saturating_add(1);
        }
    }

    /// Sets the length of the response body; `None` if it was not announced.
    pub const fn length(&mut self, response_bytes: Option<u64>) {
        self.response_bytes = response_bytes;
    }

    /// Sets the result of the cache lookup.
    pub const fn cached(&mut self, result: &'static str) {
        self.cache = Some(result);
    }

    /// Sets the length of a request body that was not announced.
    pub const fn sent(&mut self, request_bytes: u64) {
        if self.request_bytes.is_none() {
            self.request_bytes = Some(request_bytes);
        }
    }

    /// Returns the usage of the request.
    pub fn amounts(&self) -> Amounts {
        let upstream_ms = self.upstream_ms.unwrap_or_default();
        Amounts {
            requests: 1,
            bytes_in: self.request_bytes.unwrap_or_default(),
            bytes_out: self.response_bytes.unwrap_or_default(),
            upstream_ms: upstream_ms.try_into().unwrap_or_default(),
            upstream_429: self.upstream_429,
        }
    }

    /// Returns the code of a refusal or a fault.
    pub const fn code(&self) -> Option<&'static str> {
        self.code
    }

    /// Returns the request id.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Returns the method.
    pub fn method(&self) -> &str {
        self.method.as_deref().unwrap_or_default()
    }

    /// Returns the key id, once its record was found.
    pub fn key_id(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Sets the code and the length of a problem document.
    pub fn problem(&mut self, problem: Problem, body_bytes: usize) {
        self.code = Some(problem.code());
        self.response_bytes = u64::try_from(body_bytes).ok();
    }

    /// Ends the record and returns its line. There is no status if the caller broke off.
    pub fn end(&self, outcome: Outcome, status: Option<u16>) -> String {
        let mut line = ObjectWriter::line();
        line.set("event", "request");
        line.set("outcome", outcome.name());
        line.set("code", self.code);
        line.set("request_id", self.request_id.as_str());
        line.set("key", self.key.as_deref());
        line.set("verified", self.verified);
        line.set("subject", self.subject.as_deref());
        line.set("scheme", self.scheme);
        line.set("method", self.method.as_deref());
        line.set("path", self.path.as_deref());
        line.set_list("query_keys", &self.query_keys);
        line.set("route", self.route.as_deref());
        line.set("status", status);
        line.set("upstream_status", self.upstream_status);
        line.set("upstream_ms", self.upstream_ms);
        line.set("attempts", self.attempts);
        line.set("request_bytes", self.request_bytes);
        line.set("response_bytes", self.response_bytes);
        line.set("cache", self.cache);
        line.set("token", self.token.as_ref().map(Fingerprint::as_str));
        line.set("ip", self.ip.as_deref());
        line.set("country", self.country.as_deref());
        line.set("colo", self.colo.as_deref());
        line.set("time", self.time.as_str());
        line.end()
    }
}

/// Returns the path of a target that may be malformed; `None` if it has none.
fn path_of(target: &str) -> Option<&str> {
    let (_, rest) = target.split_once("://")?;
    let from = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let path = rest.get(from..)?.split(['?', '#']).next()?;
    Some(if path.is_empty() { "/" } else { path })
}

/// Cuts a word to at most [`MAX_WORD_BYTES`].
fn word(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_WORD_BYTES));
    text
}

/// Cuts a text to at most `max_bytes` bytes.
fn cut(text: &str, max_bytes: usize) -> String {
    text.get(..text.floor_char_boundary(max_bytes)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
