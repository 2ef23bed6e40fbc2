//! What a running workerd writes: `console.log` to one stream, `console.warn` and `console.error` to the other. Lines are
//! waited for, never slept for.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::Value;

use crate::upstream::PATIENCE;

/// The console method that wrote a line, as far as workerd tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// `console.log`
    Log,
    /// `console.warn`, `console.error`, and workerd's own complaints
    Error,
}

/// One line of output.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) stream: Stream,
    pub(crate) text: String,
}

impl Line {
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.text)
            .ok()
            .filter(Value::is_object)
    }

    fn is_event(&self, event: &str) -> bool {
        self.json().is_some_and(|line| line["event"] == event)
    }
}

/// All lines so far of one process.
#[derive(Clone, Default)]
pub(crate) struct Logs(Arc<(Mutex<Kept>, Condvar)>);

#[derive(Default)]
struct Kept {
    lines: Vec<Line>,
    open: usize,
}

impl Logs {
    /// Reads a stream to its end, on a thread of its own.
    pub(crate) fn follow(&self, stream: Stream, input: impl Read + Send + 'static) {
        self.0.0.lock().unwrap().open += 1;
        let shared = Arc::clone(&self.0);
        std::thread::spawn(move || {
            for text in BufReader::new(input).lines().map_while(Result::ok) {
                shared.0.lock().unwrap().lines.push(Line { stream, text });
                shared.1.notify_all();
            }
            shared.0.lock().unwrap().open -= 1;
            shared.1.notify_all();
        });
    }

    /// Waits, within bounds, until `find` finds something in the lines so far.
    #[track_caller]
    pub(crate) fn until<T>(&self, what: &str, find: impl Fn(&[Line]) -> Option<T>) -> T {
        let (mutex, changed) = &*self.0;
        let kept = mutex.lock().unwrap();
        let (kept, _) = changed
            .wait_timeout_while(kept, PATIENCE, |kept| find(&kept.lines).is_none())
            .unwrap();
        find(&kept.lines).unwrap_or_else(|| panic!("no {what} in the log: {:#?}", kept.lines))
    }

    /// The audit line of one request.
    #[track_caller]
    pub(crate) fn audit(&self, request_id: &str) -> Value {
        self.until(&format!("audit line of {request_id}"), |lines| {
            lines
                .iter()
                .filter(|line| line.is_event("request"))
                .filter_map(Line::json)
                .find(|line| line["request_id"] == request_id)
        })
    }

    /// The first `count` lines of one event.
    #[track_caller]
    pub(crate) fn events(&self, event: &str, count: usize) -> Vec<(Stream, Value)> {
        self.until(&format!("{count} {event} lines"), |lines| {
            let found: Vec<_> = lines
                .iter()
                .filter(|line| line.is_event(event))
                .filter_map(|line| Some((line.stream, line.json()?)))
                .collect();
            (found.len() >= count).then_some(found)
        })
    }

    /// Everything, once the process has ended and both streams are read out.
    #[track_caller]
    pub(crate) fn all(&self) -> Vec<Line> {
        let (mutex, changed) = &*self.0;
        let kept = mutex.lock().unwrap();
        let (kept, late) = changed
            .wait_timeout_while(kept, PATIENCE, |kept| kept.open > 0)
            .unwrap();
        assert!(!late.timed_out(), "the streams of an ended process end");
        kept.lines.clone()
    }
}
