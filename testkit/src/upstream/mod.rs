//! A recording upstream on loopback, written on threads of the standard library: it keeps every request as it came
//! over the wire, whole or broken off, and answers as the test's script says. It never sleeps; where an answer has to
//! wait, it waits for a [`Latch`] that the test opens.

use std::collections::VecDeque;
use std::io::{self, BufReader, Read};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::check::Counts;
use crate::wire::{self, Framing, Headers};

mod reply;

pub use reply::{Latch, Reply};

/// The longest that anything in a test may wait for something else. It bounds a hang; nothing is measured by it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The progress of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Its body is still on the way.
    Arriving,
    /// The whole request was there.
    Complete,
    /// The connection ended before the body did.
    BrokenOff,
}

/// One request as the upstream saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The request target, as it came over the wire.
    pub target: String,
    /// The header fields in the order of the wire.
    pub headers: Headers,
    /// The framing of its body.
    pub framing: Framing,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// The progress of the request.
    pub arrival: Arrival,
}

impl Seen {
    /// Returns all values of a field, joined as RFC 9110 joins them.
    pub fn header(&self, name: &str) -> Option<String> {
        wire::header(&self.headers, name)
    }
}

type Script = dyn Fn(&Seen, usize) -> Reply + Send + Sync;

/// The requests that arrived, as far as they are kept.
struct Log {
    /// The number of requests before the first that is kept.
    dropped: usize,
    requests: VecDeque<Seen>,
    most: usize,
}

impl Log {
    /// Keeps one more request, and returns its number.
    fn push(&mut self, seen: Seen) -> usize {
        self.requests.push_back(seen);
        while self.requests.len() > self.most {
            self.requests.pop_front();
            self.dropped += 1;
        }
        self.dropped + self.requests.len() - 1
    }

    /// Returns the request of this number, if it is still kept.
    fn get(&mut self, number: usize) -> Option<&mut Seen> {
        self.requests.get_mut(number.checked_sub(self.dropped)?)
    }
}

struct State {
    log: Mutex<Log>,
    changed: Condvar,
    script: Box<Script>,
    /// It answers when a request's head is there, and reads the body afterwards.
    is_early: bool,
}

/// The upstream: listens until the process ends.
pub struct Upstream {
    /// The port that it listens on, on loopback.
    pub port: u16,
    state: Arc<State>,
}

impl Upstream {
    /// Answers every request 200 `done`.
    pub fn start() -> Self {
        Self::answering(|_, _| Reply::ok("done"))
    }

    /// Answers by `script`, which gets the whole request and how many came before it.
    pub fn answering(script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(Box::new(script), false, usize::MAX).unwrap()
    }

    /// Answers by `script` when a request's head is there: its body is read afterwards.
    pub fn answering_early(script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(Box::new(script), true, usize::MAX).unwrap()
    }

    /// Answers by `script` and keeps only the newest request: for more of them than fit in memory.
    pub fn keeping_newest(
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::listen(Box::new(script), false, 1)
    }

    fn listen(script: Box<Script>, is_early: bool, most: usize) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let log = Log { dropped: 0, requests: VecDeque::new(), most };
        let state =
            Arc::new(State { log: Mutex::new(log), changed: Condvar::new(), script, is_early });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                // A caller who hangs up is no concern of the next one.
                std::thread::spawn(move || serve(&state, stream));
            }
        });
        Ok(Self { port, state })
    }

    /// Answers the first requests with these, in order, and all later ones with the last of them.
    pub fn queue(replies: Vec<Reply>) -> Self {
        Self::answering(move |_, nth| replies[nth.min(replies.len() - 1)].clone())
    }

    /// Returns the URL that it answers at.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns everything that was seen so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.log.lock().unwrap().requests.iter().cloned().collect()
    }

    /// Returns everything that was seen since this was last asked.
    pub fn take(&self) -> Vec<Seen> {
        let mut log = self.state.log.lock().unwrap();
        log.dropped += log.requests.len();
        log.requests.drain(..).collect()
    }

    /// Waits, within bounds, until what was seen is as asked.
    pub fn until(&self, what: &str, enough: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        let guard = self.state.log.lock().unwrap();
        let (mut guard, late) = self
            .state
            .changed
            .wait_timeout_while(guard, PATIENCE, |log| !enough(log.requests.make_contiguous()))
            .unwrap();
        let seen = guard.requests.make_contiguous().to_vec();
        assert!(!late.timed_out(), "the upstream waited in vain for {what}; it saw {seen:#?}");
        seen
    }

    /// Returns the one request there was.
    pub fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "one request at the upstream: {seen:#?}");
        seen.into_iter().next().unwrap()
    }

    /// Returns the last request there was.
    pub fn last(&self) -> Seen {
        self.seen().pop().expect("a request at the upstream")
    }

    /// Asserts that no request arrived.
    pub fn assert_untouched(&self) {
        let seen = self.seen();
        assert!(seen.is_empty(), "nothing may reach the upstream, but it saw {seen:#?}");
    }
}

impl Counts for Upstream {
    fn count(&self) -> usize {
        self.state.log.lock().unwrap().requests.len()
    }
}

impl State {
    fn update<T>(&self, change: impl FnOnce(&mut Log) -> T) -> T {
        let made = change(&mut self.log.lock().unwrap());
        self.changed.notify_all();
        made
    }
}

/// Serves one connection, request after request.
fn serve(state: &State, stream: TcpStream) -> io::Result<()> {
    // Else the end of an answer in parts would wait for the caller to acknowledge its beginning.
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut input = BufReader::new(stream);
    while let Some((first_line, headers)) = wire::read_head(&mut input) {
        let framing = wire::framing(&headers);
        let mut words = first_line.split(' ');
        let mut seen = Seen {
            method: words.next().unwrap_or_default().into(),
            target: words.next().unwrap_or_default().into(),
            headers,
            framing,
            body: Vec::new(),
            arrival: Arrival::Arriving,
        };
        let number = state.update(|log| log.push(seen.clone()));
        let is_head = seen.method == "HEAD";
        let early = state.is_early.then(|| {
            let (reply, mut out) = ((state.script)(&seen, number), out.try_clone().unwrap());
            std::thread::spawn(move || matches!(reply.write(is_head, &mut out), Ok(true)))
        });
        let whole = wire::read_body(&mut input, framing, |bytes| {
            seen.body.extend_from_slice(bytes);
            state.update(|log| log.get(number).map(|kept| kept.body.extend_from_slice(bytes)));
        });
        seen.arrival = if whole { Arrival::Complete } else { Arrival::BrokenOff };
        state.update(|log| log.get(number).map(|kept| kept.arrival = seen.arrival));
        if !whole {
            return Ok(());
        }
        let goes_on = match early {
            Some(writing) => writing.join().unwrap(),
            None => matches!((state.script)(&seen, number).write(is_head, &mut out), Ok(true)),
        };
        if !goes_on {
            // A polite end, so that what was written is not lost to a reset.
            let _gone = out.shutdown(Shutdown::Write);
            let _rest = input.read(&mut [0; 1024]);
            return Ok(());
        }
    }
    Ok(())
}
