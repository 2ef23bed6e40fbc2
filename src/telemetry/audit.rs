//! The one log line per request (contract section 9), and the error lines beside it. Redacted by
//! type: nothing here can hold a secret, a query value or a header, only what is named below.

use serde::Serialize;

use crate::base::json;
use crate::base::request::{self, Head, MAX_TARGET_BYTES, Raw};
use crate::base::secret::Fingerprint;
use crate::base::time::Timestamp;
use crate::keys::{Key, Scheme};
use crate::limits::usage::{Amounts, Kind};
use crate::problem::Problem;

/// Longest name of a query parameter that is logged; a longer one may be a value.
const MAX_QUERY_KEY_BYTES: usize = 64;
/// Most query parameters whose names are logged.
const MAX_QUERY_KEYS: usize = 32;

/// Longest method that is logged.
const MAX_METHOD_BYTES: usize = 64;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The upstream's answer was passed on.
    Forwarded,
    /// The answer came from the cache.
    Cached,
    /// The gate answered for itself: a preflight, or one of its own paths.
    Answered,
    /// The caller's fault.
    Refused,
    /// The gate's or the upstream's fault, or the caller broke off.
    Failed,
}

/// What is known of a request so far; filled in as it passes.
#[derive(Clone, Debug, Serialize)]
pub struct AuditRecord {
    event: &'static str,
    outcome: Option<Outcome>,
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
    status: Option<u16>,
    upstream_status: Option<u16>,
    upstream_ms: Option<i64>,
    attempts: u32,
    request_bytes: Option<u64>,
    response_bytes: Option<u64>,
    cache: Option<&'static str>,
    token: Option<Fingerprint>,
    ip: Option<String>,
    country: Option<String>,
    colo: Option<String>,
    time: String,
}

/// What the platform knows of a request beside the request itself.
#[derive(Clone, Debug)]
pub struct Context {
    /// When it arrived.
    pub now: Timestamp,
    /// Its id, made by the edge: visible ASCII without quotes or backslashes.
    pub request_id: String,
    /// The caller's country, as Cloudflare tells it.
    pub country: Option<String>,
    /// The data centre.
    pub colo: Option<String>,
}

impl Outcome {
    /// How a request that ended so is charged for; `None` for what nobody asked an upstream for.
    #[must_use]
    pub const fn kind(self) -> Option<Kind> {
        match self {
            Self::Forwarded => Some(Kind::Forwarded),
            Self::Cached => Some(Kind::Cached),
            Self::Refused => Some(Kind::Refused),
            Self::Failed => Some(Kind::Failed),
            Self::Answered => None,
        }
    }
}

impl From<Problem> for Outcome {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Refused(_) => Self::Refused,
            Problem::Failed(_) => Self::Failed,
        }
    }
}

impl AuditRecord {
    /// Begins a record with what is known before anything was judged, so that a request that is refused
    /// at once has its method, path and address in its line too.
    #[must_use]
    pub fn new(context: Context, raw: &Raw<'_>) -> Self {
        let mut headers = raw.headers.iter();
        let ip = headers.find(|(name, _)| *name == request::ADDRESS_HEADER);
        let ip = ip.and_then(|(_, value)| request::address(value));
        Self {
            event: "request",
            outcome: None,
            code: None,
            request_id: context.request_id,
            key: None,
            verified: false,
            subject: None,
            scheme: None,
            method: Some(cut(raw.method, MAX_METHOD_BYTES)),
            path: path_of(raw.target).map(|path| cut(path, MAX_TARGET_BYTES)),
            query_keys: Vec::new(),
            route: None,
            status: None,
            upstream_status: None,
            upstream_ms: None,
            attempts: 0,
            request_bytes: None,
            response_bytes: None,
            cache: None,
            token: None,
            ip: ip.map(|address| address.to_string()),
            country: context.country,
            colo: context.colo,
            time: context.now.to_rfc3339(),
        }
    }

    /// The request is well-formed: adds the names of its parameters and its length.
    pub fn request(&mut self, head: &Head<'_>) {
        self.query_keys = head
            .parameters()
            .take(MAX_QUERY_KEYS)
            .map(|(name, value)| match value {
                Some(_) if name.len() <= MAX_QUERY_KEY_BYTES => name.to_owned(),
                // Without a `=` it is as likely a value as a name.
                Some(_) | None => "*".to_owned(),
            })
            .collect();
        self.request_bytes = match head.has_body() {
            true => head.content_length(),
            false => Some(0),
        };
    }

    /// A route takes it.
    pub fn route(&mut self, route: impl ToString) {
        self.route = Some(route.to_string());
    }

    /// A credential of this kind came with it.
    pub const fn scheme(&mut self, scheme: Scheme) {
        self.scheme = Some(scheme.name());
    }

    /// The credential's key was found. Only now may its id be logged.
    pub fn key(&mut self, key: &Key) {
        self.key = Some(key.id.to_string());
    }

    /// The credential is good.
    pub fn verified(&mut self, subject: Option<&str>) {
        self.verified = true;
        self.subject = subject.map(str::to_owned);
    }

    /// It goes to the upstream with the token of this fingerprint.
    pub fn token(&mut self, fingerprint: Fingerprint) {
        self.token = Some(fingerprint);
    }

    /// The upstream was asked: how often, and for how long in milliseconds.
    pub const fn asked(&mut self, attempts: u32, upstream_ms: i64) {
        self.attempts = attempts;
        self.upstream_ms = Some(upstream_ms);
    }

    /// The upstream answered.
    pub const fn answered(&mut self, status: u16) {
        self.upstream_status = Some(status);
    }

    /// The answer's body is so many bytes long; `None` where nobody said.
    pub const fn length(&mut self, response_bytes: Option<u64>) {
        self.response_bytes = response_bytes;
    }

    /// The store of answers was asked, and this came of it.
    pub const fn cached(&mut self, result: &'static str) {
        self.cache = Some(result);
    }

    /// The body turned out to be so many bytes long, of which nothing was known before.
    pub const fn sent(&mut self, request_bytes: u64) {
        if self.request_bytes.is_none() {
            self.request_bytes = Some(request_bytes);
        }
    }

    /// What the request came to.
    #[must_use]
    pub fn amounts(&self) -> Amounts {
        let upstream_ms = self.upstream_ms.unwrap_or_default();
        Amounts {
            requests: 1,
            bytes_in: self.request_bytes.unwrap_or_default(),
            bytes_out: self.response_bytes.unwrap_or_default(),
            upstream_ms: upstream_ms.try_into().unwrap_or_default(),
            upstream_429: 0,
        }
    }

    /// The request's id.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The method; nothing before the request came apart.
    #[must_use]
    pub fn method(&self) -> &str {
        self.method.as_deref().unwrap_or_default()
    }

    /// The key's id, once it was found.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// It is answered with a problem, in so many bytes.
    pub fn problem(&mut self, problem: Problem, body_bytes: usize) {
        self.code = Some(problem.code());
        self.response_bytes = u64::try_from(body_bytes).ok();
    }

    /// The line; no status when nobody was left to answer.
    #[must_use]
    pub fn end(&mut self, outcome: Outcome, status: Option<u16>) -> String {
        self.outcome = Some(outcome);
        self.status = status;
        json::to_line(self)
    }
}

/// The path of a target that may not be well-formed; `None` for one without.
fn path_of(target: &str) -> Option<&str> {
    let (_, rest) = target.split_once("://")?;
    let from = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let path = rest.get(from..)?.split(['?', '#']).next()?;
    Some(if path.is_empty() { "/" } else { path })
}

/// At most so many bytes of a text.
fn cut(text: &str, max_bytes: usize) -> String {
    text.get(..text.floor_char_boundary(max_bytes)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(method: &str, target: &str, headers: &[(&str, &str)]) -> serde_json::Value {
        let context = Context {
            now: Timestamp::from_seconds(0),
            request_id: "id".to_owned(),
            country: None,
            colo: None,
        };
        let raw = Raw { method, target, headers: headers.to_vec(), has_body: false };
        let line = AuditRecord::new(context, &raw).end(Outcome::Refused, Some(400));
        assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line}");
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn every_request_has_a_method_a_path_and_an_address() {
        for (target, path) in [
            ("https://g/a?b=c", Some("/a")),
            ("https://g", Some("/")),
            ("https://user:pass@g/a#secret", Some("/a")),
            ("https://g?b", Some("/")),
            ("https://a b/c", Some("/c")),
            ("/a", None),
        ] {
            let line = line("GET", target, &[("cf-connecting-ip", "::ffff:192.0.2.1")]);
            assert_eq!(line["path"].as_str(), path, "{target}");
            assert_eq!((&line["method"], &line["ip"]), (&"GET".into(), &"192.0.2.1".into()));
        }
        let long = format!("https://g/{}", "é".repeat(20_000));
        let shown = line(&"X".repeat(1_000), &long, &[]);
        assert_eq!(shown["path"].as_str().unwrap().len(), MAX_TARGET_BYTES - 1);
        assert_eq!(shown["method"].as_str().unwrap().len(), MAX_METHOD_BYTES);
    }

    #[test]
    fn names_of_parameters_are_few_and_short_and_no_values() {
        let (fits, long) = ("a".repeat(64), "b".repeat(65));
        let many = "c=1&".repeat(40);
        let target = format!("https://g/?{fits}=1&{long}=2&secret&{many}");
        let head = Head::new("GET", &target, Vec::new(), false).unwrap();
        let raw = Raw { method: "GET", target: &target, headers: Vec::new(), has_body: false };
        let context = Context {
            now: Timestamp::from_seconds(0),
            request_id: "id".to_owned(),
            country: None,
            colo: None,
        };
        let mut record = AuditRecord::new(context, &raw);
        record.request(&head);
        assert_eq!(record.query_keys.len(), MAX_QUERY_KEYS);
        assert_eq!(record.query_keys.get(..4).unwrap(), [fits.as_str(), "*", "*", "c"]);
    }

    #[test]
    fn what_a_caller_chose_is_escaped() {
        let odd = "\u{7f}\u{80}\u{9b}\u{200e}\u{202e}\u{2066}\u{feff}\u{1f600}é\"\\";
        let target = format!("https://g/{odd}");
        let path = line("GET", &target, &[])["path"].clone();
        assert_eq!(path, format!("/{odd}"), "and means the same");
    }
}
