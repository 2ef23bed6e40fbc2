//! Makes sure that two workers do the same work: of one request through each, the request that reached the upstream,
//! the answer that came back and the audit line have to be the same, but for what is new in every request. A
//! comparison with a peer that does less would say nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use testkit::upstream::Upstream;
use testkit::wire::Headers;
use testkit::workerd::Workerd;

use super::Result;
use super::rounds::Subject;

/// A log line goes through a pipe; this is a bound, not a pause.
const LOG_LIMIT: Duration = Duration::from_secs(10);

/// Members of the audit line that differ from request to request, or with the wording of a refusal. workerd fills
/// neither `request.cf` nor what Cloudflare would make of it, so a worker that takes country and data centre from
/// there has none, where one that takes them from the headers has.
const VARY: [&str; 7] =
    ["request_id", "time", "upstream_ms", "subject", "response_bytes", "country", "colo"];

/// Fails, with what differs, unless both do the same work.
pub(crate) fn check(
    one: &Subject<'_>,
    other: &Subject<'_>,
    upstream: &Upstream,
    workerd: &Workerd,
) -> Result<()> {
    let (left, right) = (Work::of(one, upstream, workerd)?, Work::of(other, upstream, workerd)?);
    let mut found = compare("request header", &left.sent, &right.sent);
    found.extend(compare("response header", &left.returned, &right.returned));
    found.extend(compare("audit member", &left.audit, &right.audit));
    match found.is_empty() {
        true => Ok(()),
        false => {
            let list = found.join("\n  ");
            Err(format!("not the same work: {} / {}\n  {list}", one.name, other.name).into())
        }
    }
}

/// The traces of one request, without what differs by nature.
struct Work {
    sent: BTreeMap<String, String>,
    returned: BTreeMap<String, String>,
    audit: BTreeMap<String, Value>,
}

impl Work {
    /// Sends one request.
    fn of(subject: &Subject<'_>, upstream: &Upstream, workerd: &Workerd) -> Result<Self> {
        let mark = workerd.logs().mark();
        let returned = subject.once(workerd)?;
        let line = workerd
            .logs()
            .wait(mark, LOG_LIMIT, |line| line.contains("\"event\":\"request\""))
            .ok_or_else(|| format!("{}: no audit line", subject.name))?;
        let mut audit: BTreeMap<String, Value> = serde_json::from_str(&line)?;
        for name in VARY {
            audit.entry(name.to_owned()).and_modify(|value| *value = Value::Null);
        }
        // A refusal sends none.
        let sent = upstream.take().pop().map(|seen| fields(&seen.headers)).unwrap_or_default();
        Ok(Self { sent, returned: fields(&returned.headers), audit })
    }
}

fn fields(headers: &Headers) -> BTreeMap<String, String> {
    headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .map(|(name, value)| match name.as_str() {
            // The second differs with the wording of a refusal.
            "x-request-id" | "content-length" => (name, String::new()),
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
        .map(|name| format!("{what} {name}: {:?} / {:?}", ours.get(name), theirs.get(name)))
        .collect()
}
