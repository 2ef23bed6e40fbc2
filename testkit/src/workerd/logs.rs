//! The output of a workerd process, as lines that can be waited for.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::START_LIMIT;

/// The lines that workerd and its workers print: `console.log` goes to standard output, `console.warn`
/// and `console.error` to standard error, each call one or more lines.
#[derive(Clone, Default)]
pub struct Logs(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    lines: Vec<String>,
    /// The lines among them that came from standard error.
    errors: Vec<String>,
    /// From the control channel, by socket.
    ports: BTreeMap<String, u16>,
    /// The number of the two streams that have ended.
    ended: u32,
}

impl Logs {
    /// Returns every line so far.
    pub fn lines(&self) -> Vec<String> {
        self.state().lines.clone()
    }

    /// Returns the lines so far that came from standard error.
    pub fn errors(&self) -> Vec<String> {
        self.state().errors.clone()
    }

    /// Returns the number of lines: where to begin a [`Logs::wait`] for what is logged from now on.
    pub fn mark(&self) -> usize {
        self.state().lines.len()
    }

    /// Returns the first line from `mark` on that fits, waiting for it if need be, but no longer than `limit`.
    pub fn wait(
        &self,
        mark: usize,
        limit: Duration,
        fits: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let found = |state: &State| {
            let mut lines = state.lines.iter().skip(mark);
            lines.find(|line| fits(line)).cloned()
        };
        self.until(limit, |state| found(state).map_or(state.ended == 2, |_| true));
        found(&self.state())
    }

    /// Returns line `index`, waiting for it as long as workerd runs.
    pub fn next(&self, index: usize) -> Option<String> {
        loop {
            let line = self.wait(index, START_LIMIT, |_| true);
            if line.is_some() || self.state().ended == 2 {
                return line;
            }
        }
    }

    /// Follows both streams of another program, which must be pipes.
    pub fn follow_all(&self, child: &mut Child) {
        if let Some(stdout) = child.stdout.take() {
            self.follow(stdout, true);
        }
        if let Some(stderr) = child.stderr.take() {
            self.follow(stderr, false);
        }
    }

    pub(super) fn ports(&self, sockets: &[(String, String)]) -> io::Result<BTreeMap<String, u16>> {
        let complete = |state: &State| state.ports.len() >= sockets.len();
        self.until(START_LIMIT, |state| complete(state) || state.ended == 2);
        let state = self.state();
        if complete(&state) {
            return Ok(state.ports.clone());
        }
        let said = state.lines.join("\n");
        Err(io::Error::other(format!("workerd did not start: {said}")))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn until(&self, limit: Duration, done: impl Fn(&State) -> bool) {
        let end = Instant::now() + limit;
        let mut state = self.state();
        while !done(&state) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.0.1.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn follow(&self, stream: impl Read + Send + 'static, control: bool) {
        let logs = self.clone();
        std::thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(stream.read_until(b'\n', &mut line), Ok(length) if length > 0) {
                let text = String::from_utf8_lossy(&line);
                let text = text.trim_end_matches(['\r', '\n']);
                let mut state = logs.state();
                match control.then(|| listening(text)).flatten() {
                    Some((socket, port)) => drop(state.ports.insert(socket, port)),
                    None => {
                        if !control {
                            state.errors.push(text.to_owned());
                        }
                        state.lines.push(text.to_owned());
                    }
                }
                drop(state);
                logs.0.1.notify_all();
                line.clear();
            }
            logs.state().ended += 1;
            logs.0.1.notify_all();
        });
    }
}

/// Parses `{"event":"listen","socket":"gate","port":40123}`, the control channel's only kind of line.
fn listening(line: &str) -> Option<(String, u16)> {
    let value: Value = serde_json::from_str(line).ok()?;
    let port = value.get("port")?.as_u64()?.try_into().ok()?;
    let socket = value.get("socket")?.as_str()?.to_owned();
    (value.get("event")?.as_str()? == "listen").then_some((socket, port))
}
