//! A client that sends exactly the bytes it is told to: targets that no library would send, a header twice, a body that
//! breaks off.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

use serde_json::Value;

use crate::gate::Gate;
use crate::upstream::PATIENCE;
use crate::wire::{self, Framing, Headers};

/// The host that tests call the gate by, where they say no other.
pub(crate) const HOST: &str = "gate.example";

/// A request to be.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Headers,
    pub(crate) body: Option<Vec<u8>>,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { method: method.into(), target: target.into(), headers: Vec::new(), body: None }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST with a small JSON body.
    pub(crate) fn post(target: &str) -> Self {
        Self::new("POST", target).header("Content-Type", "application/json").body(r#"{"a":1}"#)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn origin(self, origin: &str) -> Self {
        self.header("Origin", origin)
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// The bytes of the head alone, with `Host` unless the test set one.
    pub(crate) fn head(&self) -> Vec<u8> {
        let has = |name: &str| self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !has("host") {
            head.push_str(&format!("Host: {HOST}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &self.body
            && !has("content-length")
            && !has("transfer-encoding")
        {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        // One byte for each character, so that a test can write any byte as `\u{80}`–`\u{ff}`.
        head.chars()
            .map(|c| u8::try_from(u32::from(c)).expect("one byte for each character"))
            .collect()
    }

    pub(crate) fn send(&self, gate: &Gate) -> Response {
        self.send_to(gate.port)
    }

    pub(crate) fn send_to(&self, port: u16) -> Response {
        Connection::to_port(port).exchange(self)
    }
}

/// One connection to the gate, for tests that send in pieces.
pub(crate) struct Connection {
    input: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(gate: &Gate) -> Self {
        Self::to_port(gate.port)
    }

    pub(crate) fn to_port(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { input: BufReader::new(stream) }
    }

    /// Sends a whole request and reads the answer; the connection is then ready for the next one.
    pub(crate) fn exchange(&mut self, request: &Request) -> Response {
        let mut bytes = request.head();
        bytes.extend_from_slice(request.body.as_deref().unwrap_or_default());
        self.write(&bytes);
        self.response_to(&request.method)
    }

    /// Sends what it can: a gate that has refused already may have closed its side.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        self.input.get_mut().write_all(bytes).is_ok()
    }

    pub(crate) fn write_chunk(&mut self, bytes: &[u8]) -> bool {
        self.write(format!("{:x}\r\n", bytes.len()).as_bytes())
            && self.write(bytes)
            && self.write(b"\r\n")
    }

    /// Breaks off: both directions end here.
    pub(crate) fn abandon(self) {
        let _gone = self.input.get_ref().shutdown(Shutdown::Both);
    }

    pub(crate) fn response(&mut self) -> Response {
        self.response_to("POST")
    }

    fn response_to(&mut self, method: &str) -> Response {
        let mut response = self.read_head();
        if method != "HEAD" && response.status != 204 && response.status != 304 {
            let framing = response.framing();
            response.complete = if framing == Framing::None {
                self.input.read_to_end(&mut response.body).is_ok()
            } else {
                wire::read_body(&mut self.input, framing, |bytes| {
                    response.body.extend_from_slice(bytes)
                })
            };
        }
        response
    }

    /// Status and headers of the next final response, its body unread.
    pub(crate) fn read_head(&mut self) -> Response {
        loop {
            let (line, headers) = wire::read_head(&mut self.input).expect("the gate answers");
            let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
            if status >= 200 {
                return Response {
                    status,
                    reason: line.splitn(3, ' ').nth(2).unwrap_or_default().trim().into(),
                    headers,
                    body: Vec::new(),
                    complete: true,
                };
            }
        }
    }

    /// Reads exactly so many raw bytes of what comes next.
    pub(crate) fn read_exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.input.read_exact(&mut bytes).expect("as many bytes as announced");
        bytes
    }

    /// The next chunk of a chunked body; empty at its end.
    pub(crate) fn read_chunk(&mut self) -> Vec<u8> {
        let mut size = Vec::new();
        while !size.ends_with(b"\r\n") {
            size.extend(self.read_exactly(1));
        }
        let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap().trim(), 16).unwrap();
        let bytes = self.read_exactly(size);
        self.read_exactly(2);
        bytes
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    /// The body came to its announced end.
    pub(crate) complete: bool,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        wire::header(&self.headers, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("JSON expected in {self}"))
    }

    /// The code of a refusal; empty if this is none.
    pub(crate) fn code(&self) -> String {
        serde_json::from_slice::<Value>(&self.body)
            .ok()
            .and_then(|body| Some(body.get("code")?.as_str()?.to_owned()))
            .unwrap_or_default()
    }

    pub(crate) fn request_id(&self) -> String {
        self.header("x-request-id").expect("X-Request-Id on every answer")
    }

    /// Asserts a refusal of this status and code.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{self}");
        self
    }

    /// Asserts that the upstream's own 2xx came through.
    #[track_caller]
    pub(crate) fn passed(self) -> Self {
        assert!((200..300).contains(&self.status), "should have passed: {self}");
        self
    }

    fn framing(&self) -> Framing {
        wire::framing(&self.headers)
    }
}

impl std::fmt::Display for Response {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(out, "{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(out, "{name}: {value}")?;
        }
        write!(out, "\n{}", self.text())
    }
}
