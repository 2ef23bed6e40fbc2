//! The log of the workers of a process, as the tests ask for it. Lines are waited for, never slept for.

use std::time::Instant;

use serde_json::Value;

use crate::upstream::PATIENCE;
use crate::workerd;

/// The console method that wrote a line, as far as workerd tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// `console.log`
    Log,
    /// `console.warn`, `console.error`, and workerd's own complaints
    Error,
}

/// One line of output.
#[derive(Clone, Debug)]
pub struct Line {
    /// Which stream it came from.
    pub stream: Stream,
    /// The line itself.
    pub text: String,
}

impl Line {
    /// Returns the line as a JSON object, if it is one.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.text).ok().filter(Value::is_object)
    }

    /// Returns true if it is the line of this event.
    pub fn is_event(&self, event: &str) -> bool {
        self.json().is_some_and(|line| line["event"] == event)
    }
}

/// All lines of one process, so far.
pub struct Logs(pub workerd::Logs);

impl Logs {
    fn lines(&self) -> Vec<Line> {
        // Taken in this order, a line that came between the two would count as `console.log`'s: the tests that ask for
        // the stream have waited for the line before.
        let errors = self.0.errors();
        let stream = |text: &String| {
            if errors.contains(text) { Stream::Error } else { Stream::Log }
        };
        let tagged = |text: String| Line { stream: stream(&text), text };
        self.0.lines().into_iter().map(tagged).collect()
    }

    /// Waits, within bounds, until `find` finds something in the lines so far.
    #[track_caller]
    pub fn until<T>(&self, what: &str, find: impl Fn(&[Line]) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            let mark = self.0.mark();
            let lines = self.lines();
            if let Some(found) = find(&lines) {
                return found;
            }
            let left = end.saturating_duration_since(Instant::now());
            let more = self.0.wait(mark, left, |_| true);
            assert!(more.is_some(), "no {what} in the log: {lines:#?}");
        }
    }

    /// Returns the audit line of one request.
    #[track_caller]
    pub fn audit(&self, request_id: &str) -> Value {
        self.until(&format!("audit line of {request_id}"), |lines| {
            lines
                .iter()
                .filter(|line| line.is_event("request"))
                .filter_map(Line::json)
                .find(|line| line["request_id"] == request_id)
        })
    }

    /// Returns the lines of one event, once there are `count` of them.
    #[track_caller]
    pub fn events(&self, event: &str, count: usize) -> Vec<(Stream, Value)> {
        self.until(&format!("{count} {event} lines"), |lines| {
            let found: Vec<_> = lines
                .iter()
                .filter(|line| line.is_event(event))
                .filter_map(|line| Some((line.stream, line.json()?)))
                .collect();
            (found.len() >= count).then_some(found)
        })
    }

    /// Returns everything, once the process has ended and both of its streams are read out.
    pub fn all(&self) -> Vec<Line> {
        let _ended = self.0.wait(self.0.mark(), PATIENCE, |_| false);
        self.lines()
    }
}
