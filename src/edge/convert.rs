//! Between the core's types and lines of text: one string is one crossing, and no header, URL or
//! JSON document holds a line break.

use std::fmt::Write as _;

use crate::base::headers::{self, HeaderEdits};
use crate::base::request::Raw;
use crate::base::time::Timestamp;
use crate::cache::CacheWrite;
use crate::gateway::exchange::{LogLines, Step};
use crate::gateway::forward::{Body, Outbound};
use crate::gateway::response::GateResponse;
use crate::telemetry::audit::Context;
use crate::upstream::url::UpstreamCredential;

/// Reads what `describe` wrote: method, URL, request id, country and data centre where the headers do not
/// say them, `body` or nothing, then a line each for the name and the value of every header.
pub(super) fn arrival(described: &str) -> Option<(Raw<'_>, Context)> {
    let mut lines = described.split('\n');
    let (method, target, id) = (lines.next()?, lines.next()?, lines.next()?);
    let (country, colo, body) = (lines.next()?, lines.next()?, lines.next()?);
    let raw = Raw { method, target, headers: pairs(lines), has_body: !body.is_empty() };
    let header = |name: &str| headers::header(&raw.headers, name);
    // `CF-Ray` ends in the data centre's name.
    let of_ray = || header("cf-ray")?.rsplit_once('-').map(|(_, colo)| colo);
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let context = Context {
        now: now(),
        request_id: id.to_owned(),
        country: known(country).or_else(|| header("cf-ipcountry").map(str::to_owned)),
        colo: known(colo).or_else(|| of_ray().map(str::to_owned)),
    };
    Some((raw, context))
}

/// Names and values, a line each.
pub(super) fn pairs<'h>(mut lines: impl Iterator<Item = &'h str>) -> Vec<(&'h str, &'h str)> {
    core::iter::from_fn(|| Some((lines.next()?, lines.next()?))).collect()
}

/// The platform's clock; it stands still between I/O.
pub(super) fn now() -> Timestamp {
    at(js_sys::Date::now())
}

/// A time from `Date.now()`.
pub(super) fn at(ms: f64) -> Timestamp {
    Timestamp::from_numeric_date(ms / 1_000.0).unwrap_or(Timestamp::from_millis(0))
}

/// A number of bytes; JavaScript has no integers, and a float cast saturates.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of bytes is whole, and exact up to 9 PB"
)]
pub(super) const fn bytes(number: f64) -> u64 {
    number as u64
}

/// Status, audit line, alarm, body, then headers.
pub(super) fn answer(answer: &GateResponse) -> String {
    let alarm = answer.alarm.as_deref().unwrap_or_default();
    let mut text = String::with_capacity(2_048);
    let _infallible = write!(text, "{}\n{}\n{alarm}\n{}", answer.status, answer.audit, answer.body);
    for (name, value) in &answer.headers {
        push_pair(&mut text, name, value);
    }
    text
}

/// URL, how the body travels, timeout, headers to drop, where the answer is kept (its name, two of
/// marks, `range` if the store is asked for one, or nothing), then headers to set.
pub(super) fn outbound(outbound: &Outbound<'_>, timeout_ms: u32) -> String {
    let body = match outbound.body {
        Body::None => "none".to_owned(),
        Body::Stream => "stream".to_owned(),
        Body::InFlightGuard => "held".to_owned(),
        Body::Counted(most) => most.to_string(),
    };
    let mut text = String::with_capacity(1_024);
    let _infallible = write!(text, "{}\n{body}\n{timeout_ms}\n", outbound.url);
    push_list(&mut text, &outbound.drop);
    text.push('\n');
    if let Some(lookup) = &outbound.cache {
        let (name, [route, url]) = (&lookup.name, lookup.purge_markers());
        let _infallible = write!(text, "{name},{route},{url}");
        if lookup.conditions.ask_range() {
            text.push_str(",range");
        }
    }
    for (name, value) in &outbound.set {
        push_pair(&mut text, name, value.expose_str().unwrap_or_default());
    }
    text
}

/// What to do next: a word on the first line, what it needs on those after it.
pub(super) fn step(step: &Step<'_>) -> String {
    match step {
        Step::Again(pause_ms) => format!("again\n{pause_ms}"),
        Step::Inspect => "inspect".to_owned(),
        Step::Respond(own) => format!("answer\n{}", answer(own)),
        Step::Pass(edits, lines, kept) => pass(edits, lines, kept.as_ref()),
    }
}

/// `pass`, audit line, alarm, `metered` or nothing, another status or nothing, headers to drop, how many are set, those, and for the
/// copy that is kept again headers to drop and to set.
fn pass(edits: &HeaderEdits<'_>, lines: &LogLines, kept: Option<&CacheWrite<'_>>) -> String {
    let alarm = lines.alarm.as_deref().unwrap_or_default();
    let mut text = String::with_capacity(1_024);
    let metered = if lines.is_metered { "metered" } else { "" };
    let _infallible = write!(text, "pass\n{}\n{alarm}\n{metered}\n", lines.audit);
    if let Some(status) = edits.status {
        let _infallible = write!(text, "{status}");
    }
    text.push('\n');
    push_list(&mut text, &edits.drop);
    let _infallible = write!(text, "\n{}", edits.set.len());
    for (name, value) in &edits.set {
        push_pair(&mut text, name, value);
    }
    if let Some(kept) = kept {
        text.push('\n');
        push_list(&mut text, &kept.drop);
        for (name, value) in &kept.set {
            push_pair(&mut text, name, value);
        }
    }
    text
}

/// Header names, which hold no comma, joined with one.
fn push_list(text: &mut String, names: &[&str]) {
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(name);
    }
}

fn push_pair(text: &mut String, name: &str, value: &str) {
    text.push('\n');
    text.push_str(name);
    text.push('\n');
    text.push_str(value);
}

/// URL, timeout, then headers to set.
pub(super) fn probe(url: &str, timeout_ms: u32, credential: &UpstreamCredential) -> String {
    let mut text = format!("{url}\n{timeout_ms}");
    for (name, value) in credential.headers() {
        push_pair(&mut text, name, value.expose_str().unwrap_or_default());
    }
    text
}
