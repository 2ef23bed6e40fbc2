//! The messages between Rust and JavaScript, on the side of Rust; `wire.js` is the other side.
//!
//! A message is one string of lines, because a crossing costs more than its text, and no header, URL or
//! JSON document contains a line break. In scope: the format. Out of scope: sending messages.

use zeroize::Zeroizing;

use crate::base::headers::{self, HeaderEdits};
use crate::base::request::Raw;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::cache::CacheWrite;
use crate::gateway::exchange::{LogLines, Step};
use crate::gateway::forward::{Body, Outbound};
use crate::gateway::response::GateResponse;
use crate::telemetry::audit::Context;

/// Room for most messages, in bytes.
const ROOM: usize = 1_024;
/// Room for a response of the gate itself: a problem document and an audit line.
const RESPONSE_ROOM: usize = 2_048;

/// Room for the headers of most requests and responses, in fields.
const MOST_HEADERS: usize = 24;

/// Reads a request: method, URL, request id, country and data centre if the headers do not state them,
/// `body` or nothing, then the headers. Returns `None` for a text with fewer lines.
pub fn request(text: &str, now: Timestamp) -> Option<(Raw<'_>, Context)> {
    let mut lines = lines(text);
    let (method, target, id) = (lines.next()?, lines.next()?, lines.next()?);
    let (country, colo, body) = (lines.next()?, lines.next()?, lines.next()?);
    let raw = Raw { method, target, headers: pairs(lines), has_body: !body.is_empty() };
    let header = |name: &str| headers::header(&raw.headers, name);
    // `CF-Ray` ends in the data centre's name.
    let of_ray = || header("cf-ray")?.rsplit_once('-').map(|(_, colo)| colo);
    let non_empty = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let context = Context {
        now,
        request_id: id.to_owned(),
        country: non_empty(country).or_else(|| header("cf-ipcountry").map(str::to_owned)),
        colo: non_empty(colo).or_else(|| of_ray().map(str::to_owned)),
    };
    Some((raw, context))
}

/// Reads the headers of a response.
pub fn headers(text: &str) -> Vec<(&str, &str)> {
    match text {
        "" => Vec::new(),
        _ => pairs(lines(text)),
    }
}

/// Reads the response to a probe: its status and the beginning of its body.
pub fn probed(text: &str) -> Option<(u16, &str)> {
    let (status, body) = text.split_once('\n')?;
    Some((status.parse().ok()?, body))
}

/// Writes a response of the gate itself: status, audit line, alarm, body, then headers.
pub fn response(response: &GateResponse) -> String {
    Message::new(RESPONSE_ROOM).response(response).text
}

/// Writes a plan: URL, the transport of the body, time limit, headers to drop, the cache lookup (cache
/// key, two purge markers, `range` if the caller requests one) or nothing, then headers to set.
///
/// It contains the upstream token, so its buffer never grows, and it is wiped.
pub fn plan(outbound: &Outbound<'_>, timeout_ms: u32) -> Zeroizing<String> {
    let room = outbound.url.len().saturating_add(ROOM).saturating_add(room_of(&outbound.set));
    let mut message = Message::new(room.saturating_add(room_of_list(&outbound.drop)));
    message = message.line(&outbound.url);
    message = match outbound.body {
        Body::None => message.line("none"),
        Body::Stream => message.line("stream"),
        Body::Buffered => message.line("buffered"),
        Body::Counted(max_bytes) => message.line(&max_bytes.to_string()),
    };
    message = message.line(&timeout_ms.to_string()).list(&outbound.drop);
    message = match &outbound.cache {
        None => message.line(""),
        Some(lookup) => {
            let [route, url] = lookup.purge_markers();
            let range = if lookup.conditions.ask_range() { ",range" } else { "" };
            message.line(&[&lookup.name, ",", &route, ",", &url, range].concat())
        }
    };
    Zeroizing::new(message.secrets(&outbound.set).text)
}

/// Writes the next step of an exchange: a word on the first line, and what it needs on those after it.
pub fn step(step: &Step<'_>) -> String {
    let message = match step {
        Step::Again(pause_ms) => Message::new(ROOM).line("again").line(&pause_ms.to_string()),
        Step::Inspect => Message::new(ROOM).line("inspect"),
        Step::Respond(response) => Message::new(RESPONSE_ROOM).line("respond").response(response),
        Step::Pass(edits, lines, copy) => pass(edits, lines, copy.as_ref()),
    };
    message.text
}

/// Writes the step `pass`: audit line, alarm, `metered` or nothing, another status or nothing, headers
/// to drop, the number of headers to set, those, and for a copy that is stored again headers to drop and
/// to set.
fn pass(edits: &HeaderEdits<'_>, lines: &LogLines, copy: Option<&CacheWrite<'_>>) -> Message {
    let status = edits.status.map(|status| status.to_string());
    let mut message = Message::new(ROOM)
        .line("pass")
        .line(&lines.audit)
        .line(lines.alarm.as_deref().unwrap_or_default())
        .line(if lines.is_metered { "metered" } else { "" })
        .line(status.as_deref().unwrap_or_default())
        .list(&edits.drop)
        .line(&edits.set.len().to_string())
        .fields(edits.set.iter().map(|(name, value)| (*name, value.as_str())));
    if let Some(copy) = copy {
        let set = copy.set.iter().map(|(name, value)| (*name, value.as_str()));
        message = message.list(&copy.drop).fields(set);
    }
    message
}

/// Writes a probe: URL, time limit, then the headers to send. It contains the upstream token and is
/// wiped.
pub fn probe(url: &str, timeout_ms: u32, headers: &[(String, Secret)]) -> Zeroizing<String> {
    let room = url.len().saturating_add(ROOM).saturating_add(room_of(headers));
    Zeroizing::new(Message::new(room).line(url).line(&timeout_ms.to_string()).secrets(headers).text)
}

/// Writes batches of usage: one line each for a key id and its batch.
pub fn batches(batches: &[(String, String)]) -> String {
    let pairs = batches.iter().map(|(key, batch)| (key.as_str(), batch.as_str()));
    Message::new(ROOM).fields(pairs).text
}

/// Reads the ledgers of `count` keys: for each the answer to a batch, and rows. `None` if it is not that.
#[must_use]
pub fn ledgers(lines: &str, count: usize) -> Option<Vec<(String, String)>> {
    let pairs = pairs(self::lines(lines)).into_iter();
    let owned: Vec<_> = pairs.map(|(answer, rows)| (answer.to_owned(), rows.to_owned())).collect();
    (owned.len() == count).then_some(owned)
}

/// Splits a text as `split('\n')` does, which takes twice as long for lines as short as these.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    core::iter::from_fn(move || next_line(&mut rest))
}

// Ten copies of it would make the Worker larger.
#[inline(never)]
fn next_line<'t>(rest: &mut Option<&'t str>) -> Option<&'t str> {
    let text = rest.take()?;
    let Some(end) = memchr::memchr(b'\n', text.as_bytes()) else {
        return Some(text);
    };
    *rest = text.get(end.checked_add(1)?..);
    text.get(..end)
}

/// Reads names and values, one line each.
fn pairs<'h>(mut lines: impl Iterator<Item = &'h str>) -> Vec<(&'h str, &'h str)> {
    let mut pairs = Vec::with_capacity(MOST_HEADERS);
    pairs.extend(core::iter::from_fn(|| Some((lines.next()?, lines.next()?))));
    pairs
}

fn room_of(headers: &[(String, Secret)]) -> usize {
    let room =
        |(name, value): &(String, Secret)| name.len().saturating_add(value.len()).saturating_add(2);
    headers.iter().map(room).fold(0, usize::saturating_add)
}

fn room_of_list(names: &[&str]) -> usize {
    names.iter().map(|name| name.len().saturating_add(1)).fold(0, usize::saturating_add)
}

/// A message that is being written.
struct Message {
    text: String,
    has_lines: bool,
}

impl Message {
    fn new(room: usize) -> Self {
        Self { text: String::with_capacity(room), has_lines: false }
    }

    fn line(mut self, text: &str) -> Self {
        self.begin_line();
        self.text.push_str(text);
        self
    }

    /// Adds a line of header names, which contain no comma.
    fn list(mut self, names: &[&str]) -> Self {
        self.begin_line();
        for (index, name) in names.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.text.push_str(name);
        }
        self
    }

    fn fields<'f>(self, fields: impl Iterator<Item = (&'f str, &'f str)>) -> Self {
        fields.fold(self, |message, (name, value)| message.line(name).line(value))
    }

    fn secrets(self, headers: &[(String, Secret)]) -> Self {
        headers.iter().fold(self, |message, (name, value)| {
            message.line(name).line(value.expose_str().unwrap_or_default())
        })
    }

    fn response(self, response: &GateResponse) -> Self {
        let fields = response.headers.iter().map(|(name, value)| (*name, value.as_str()));
        self.line(&response.status.to_string())
            .line(&response.audit)
            .line(response.alarm.as_deref().unwrap_or_default())
            .line(&response.body)
            .fields(fields)
    }

    fn begin_line(&mut self) {
        if core::mem::replace(&mut self.has_lines, true) {
            self.text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests;
