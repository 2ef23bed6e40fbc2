//! Whether Hono and the gate do the same work: one request through each, and then the request that
//! reached the upstream, the answer that came back and the audit line have to be the same, but for
//! what is new in every request. A comparison with a peer that does less would say nothing.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use serde_json::Value;

use super::http;
use super::measure::Subject;
use super::upstream::Upstream;
use super::workerd::Logs;

/// A log line goes through a pipe; this is a bound, not a pause.
const LOG_LIMIT: Duration = Duration::from_secs(10);

/// What one request left behind, without what differs by nature.
#[derive(PartialEq)]
pub(crate) struct Work {
    sent: BTreeMap<String, String>,
    returned: BTreeMap<String, String>,
    audit: BTreeMap<String, Value>,
}

impl Work {
    /// Sends one request.
    pub(crate) fn of(subject: &Subject, upstream: &Upstream, logs: &Logs) -> io::Result<Self> {
        let mark = logs.mark();
        let returned = subject.callers()?.send(1)?;
        let line = logs
            .wait(mark, LOG_LIMIT, |line| {
                line.contains("\"event\":\"request\"")
            })
            .ok_or_else(|| io::Error::other(format!("{}: no audit line", subject.name)))?;
        let mut audit: BTreeMap<String, Value> = serde_json::from_str(&line)?;
        for varies in ["request_id", "time", "upstream_ms", "subject"] {
            if let Some(value) = audit.get_mut(varies) {
                *value = Value::String(kind(value).to_owned());
            }
        }
        Ok(Self {
            sent: fields(&upstream.latest()),
            returned: fields(&returned),
            audit,
        })
    }

    /// What differs, for a person to read; nothing if it is the same work.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = compare("request header", &self.sent, &other.sent);
        found.extend(compare("response header", &self.returned, &other.returned));
        found.extend(compare("audit member", &self.audit, &other.audit));
        found
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::String(_) => "a text",
        Value::Number(_) => "a number",
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => "something else",
    }
}

fn fields(head: &[u8]) -> BTreeMap<String, String> {
    http::headers(head)
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .map(|(name, value)| match name.as_str() {
            "x-request-id" => (name, String::new()),
            _ => (name, value),
        })
        .collect()
}

fn compare<V: PartialEq + std::fmt::Debug>(
    what: &str,
    ours: &BTreeMap<String, V>,
    theirs: &BTreeMap<String, V>,
) -> Vec<String> {
    let mut names: Vec<_> = ours.keys().chain(theirs.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter(|name| ours.get(*name) != theirs.get(*name))
        .map(|name| {
            format!(
                "{what} {name}: {:?} / {:?}",
                ours.get(name),
                theirs.get(name)
            )
        })
        .collect()
}
