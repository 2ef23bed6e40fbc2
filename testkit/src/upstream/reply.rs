//! The reply of a recording upstream: whole, in parts, cut short, or held back until the test lets it go.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex};

use super::PATIENCE;

/// Closed until the test opens it.
#[derive(Clone, Default)]
pub struct Latch(Arc<(Mutex<bool>, Condvar)>);

impl Latch {
    /// Lets everybody pass who waits, now and later.
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub(super) fn wait(&self) {
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
    pub(super) fn write(&self, to_head: bool, out: &mut TcpStream) -> io::Result<bool> {
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
