//! A recording upstream on loopback, written on threads of the standard library: it keeps every request as it came
//! over the wire, whole or broken off, and answers as the test's script says. It never sleeps; where an answer has to
//! wait, it waits for a [`Latch`] that the test opens.

use std::collections::VecDeque;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::check::Counts;
use crate::wire::{self, Framing, Headers};

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

/// Closed until the test opens it.
#[derive(Clone, Default)]
pub struct Latch(Arc<(Mutex<bool>, Condvar)>);

impl Latch {
    /// Lets everybody pass who waits, now and later.
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn wait(&self) {
        let guard = self.0.0.lock().unwrap();
        let _opened = self.0.1.wait_timeout_while(guard, PATIENCE, |open| !*open);
    }
}

/// The upstream's reaction to a request that has arrived.
#[derive(Clone)]
pub struct Reply {
    status: u16,
    reason: String,
    headers: Vec<(String, String)>,
    body: Body,
    before: Option<Latch>,
}

#[derive(Clone)]
enum Body {
    Whole(Vec<u8>),
    /// Sent with `Transfer-Encoding: chunked`; each part waits for its latch.
    Parts(Vec<(Option<Latch>, Vec<u8>)>),
    /// Chunks without their end: the connection ends instead.
    PartsCutShort(Vec<(Option<Latch>, Vec<u8>)>),
    /// A `Content-Length` of so many bytes, these bytes, and the end of the connection.
    CutShort(usize, Vec<u8>),
    /// These bytes in place of a whole answer.
    Raw(Vec<u8>),
    /// No answer at all: the connection is closed.
    HangUp,
}

impl Reply {
    /// Makes a reply with this status and an empty body.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            reason: "Answer".into(),
            headers: Vec::new(),
            body: Body::Whole(Vec::new()),
            before: None,
        }
    }

    /// Makes a 200 with this body.
    pub fn ok(body: &str) -> Self {
        Self::new(200).body(body)
    }

    /// Makes no reply: the connection is closed.
    pub fn hang_up() -> Self {
        Self { body: Body::HangUp, ..Self::new(0) }
    }

    /// Sends these bytes in place of a whole answer, with its head.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { body: Body::Raw(bytes.into()), ..Self::new(0) }
    }

    /// Sets the reason phrase.
    pub fn reason(mut self, reason: &str) -> Self {
        self.reason = reason.into();
        self
    }

    /// Adds a header field.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the whole body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Whole(body.into());
        self
    }

    /// Sends the body in chunks, each after its latch.
    pub fn parts(mut self, parts: Vec<(Option<Latch>, Vec<u8>)>) -> Self {
        self.body = Body::Parts(parts);
        self
    }

    /// Sends the body in chunks and ends the connection before the last of them.
    pub fn parts_cut_short(mut self, parts: Vec<(Option<Latch>, Vec<u8>)>) -> Self {
        self.body = Body::PartsCutShort(parts);
        self
    }

    /// Announces so many bytes, sends these, and ends the connection.
    pub fn cut_short(mut self, announced: usize, sent: &[u8]) -> Self {
        self.body = Body::CutShort(announced, sent.to_vec());
        self
    }

    /// Replies only after this latch is open.
    pub fn after(mut self, latch: &Latch) -> Self {
        self.before = Some(latch.clone());
        self
    }

    /// Returns its status, its header fields and its whole body, for an upstream without a wire.
    ///
    /// # Panics
    /// For a reply that is sent in parts, or cut short.
    pub fn whole(&self) -> (u16, &[(String, String)], &[u8]) {
        match &self.body {
            Body::Whole(body) => (self.status, &self.headers, body),
            _ => panic!("only a wire has parts"),
        }
    }

    /// Writes the answer; `false` when the connection is over afterwards.
    fn write(&self, to_head: bool, out: &mut TcpStream) -> io::Result<bool> {
        if let Some(latch) = &self.before {
            latch.wait();
        }
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, self.reason);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let own_length =
            self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        match &self.body {
            Body::HangUp => return Ok(false),
            Body::Raw(bytes) => out.write_all(bytes)?,
            Body::Whole(body) => {
                if !own_length && self.status != 204 && self.status != 304 {
                    head.push_str(&format!("Content-Length: {}\r\n", body.len()));
                }
                head.push_str("\r\n");
                let body = if to_head { &[] } else { body.as_slice() };
                out.write_all(&[head.as_bytes(), body].concat())?;
            }
            Body::CutShort(announced, body) => {
                out.write_all(format!("{head}Content-Length: {announced}\r\n\r\n").as_bytes())?;
                out.write_all(body)?;
                return Ok(false);
            }
            Body::Parts(parts) | Body::PartsCutShort(parts) => {
                out.write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes())?;
                for (latch, part) in parts {
                    if let Some(latch) = latch {
                        latch.wait();
                    }
                    out.write_all(format!("{:x}\r\n", part.len()).as_bytes())?;
                    out.write_all(part)?;
                    out.write_all(b"\r\n")?;
                }
                if matches!(self.body, Body::PartsCutShort(_)) {
                    return Ok(false);
                }
                out.write_all(b"0\r\n\r\n")?;
            }
        }
        Ok(true)
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

/// Returns one connection, request after request.
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
