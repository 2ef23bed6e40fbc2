//! A client that sends exactly the bytes of a test: targets that no library would send, a header twice, a body that
//! breaks off.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

use serde_json::Value;

use crate::check::Answers;
use crate::gate::Gate;
use crate::upstream::PATIENCE;
use crate::wire::{self, Framing, Headers};

/// The host that tests call the gate by, where they say no other.
pub const HOST: &str = "gate.example";

/// A request to be.
#[derive(Clone)]
pub struct Request {
    /// The method, as it is written on the wire.
    pub method: String,
    /// The request target, as it is written on the wire.
    pub target: String,
    /// The header fields in order; `Host` and `Content-Length` are added where they are missing.
    pub headers: Headers,
    /// The body, if there is one.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// Makes a request without headers and without a body.
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.into(), target: target.into(), headers: Vec::new(), body: None }
    }

    /// Makes a GET of this target.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// Makes a POST with a small JSON body.
    pub fn post(target: &str) -> Self {
        Self::new("POST", target).header("Content-Type", "application/json").body(r#"{"a":1}"#)
    }

    /// Adds a header field.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds this token as a bearer credential.
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// Adds the `Origin` of a browser.
    pub fn origin(self, origin: &str) -> Self {
        self.header("Origin", origin)
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Returns only the bytes of the head, with `Host` unless the test set one.
    pub fn head(&self) -> Vec<u8> {
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

    /// Returns the bytes of the head and the body.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }

    /// Sends it to a gate on a connection of its own.
    pub fn send(&self, gate: &impl Answers) -> Response {
        gate.answer(self)
    }

    /// Sends it to this port of loopback on a connection of its own.
    pub fn send_to(&self, port: u16) -> Response {
        self.try_send_to(port).expect("the gate answers")
    }

    /// Sends it to this port of loopback, where there may be nobody.
    pub fn try_send_to(&self, port: u16) -> io::Result<Response> {
        let mut connection = Connection::connect(port)?;
        connection.write(&self.bytes());
        connection.try_response_to(&self.method)
    }
}

/// One connection to the gate, for tests that send in pieces.
pub struct Connection {
    input: BufReader<TcpStream>,
}

impl Connection {
    /// Connects to a gate.
    pub fn open(gate: &Gate) -> Self {
        Self::to_port(gate.port)
    }

    /// Connects to this port of loopback.
    pub fn to_port(port: u16) -> Self {
        Self::connect(port).unwrap()
    }

    /// Connects to this port of loopback, where there may be nobody.
    pub fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { input: BufReader::new(stream) })
    }

    /// Sends a whole request and reads the answer; the connection is then ready for the next one.
    pub fn exchange(&mut self, request: &Request) -> Response {
        self.write(&request.bytes());
        self.response_to(&request.method)
    }

    /// Sends what it can: a gate that has refused already may have closed its side.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.input.get_mut().write_all(bytes).is_ok()
    }

    /// Sends one chunk of a chunked body.
    pub fn write_chunk(&mut self, bytes: &[u8]) -> bool {
        self.write(format!("{:x}\r\n", bytes.len()).as_bytes())
            && self.write(bytes)
            && self.write(b"\r\n")
    }

    /// Breaks off: both directions end here.
    pub fn abandon(self) {
        let _gone = self.input.get_ref().shutdown(Shutdown::Both);
    }

    /// Reads the answer to a request that was sent in pieces.
    pub fn response(&mut self) -> Response {
        self.response_to("POST")
    }

    fn response_to(&mut self, method: &str) -> Response {
        self.try_response_to(method).expect("the gate answers")
    }

    /// Reads the answer to a request of this method. One without a head is an error; one whose body does not come to
    /// its end is not `complete`.
    pub fn try_response_to(&mut self, method: &str) -> io::Result<Response> {
        let mut response = self.try_read_head()?;
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
        Ok(response)
    }

    /// Status and headers of the next final response, its body unread.
    pub fn read_head(&mut self) -> Response {
        self.try_read_head().expect("the gate answers")
    }

    fn try_read_head(&mut self) -> io::Result<Response> {
        loop {
            let (line, headers) = wire::read_head(&mut self.input)
                .ok_or_else(|| no_answer("no head of an answer"))?;
            let mut words = line.splitn(3, ' ').skip(1);
            let status = words.next().and_then(|word| word.trim().parse().ok());
            let status = status.ok_or_else(|| no_answer("no status in the first line"))?;
            if status >= 200 {
                return Ok(Response {
                    status,
                    reason: words.next().unwrap_or_default().trim().into(),
                    headers,
                    body: Vec::new(),
                    complete: true,
                });
            }
        }
    }

    /// Reads exactly so many raw bytes of what comes next.
    pub fn read_exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.input.read_exact(&mut bytes).expect("as many bytes as announced");
        bytes
    }

    /// Returns the next chunk of a chunked body; empty at its end.
    pub fn read_chunk(&mut self) -> Vec<u8> {
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

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The reason phrase.
    pub reason: String,
    /// The header fields in the order of the wire.
    pub headers: Headers,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// The body came to its announced end.
    pub complete: bool,
}

impl Response {
    /// Returns all values of a field, joined as RFC 9110 joins them.
    pub fn header(&self, name: &str) -> Option<String> {
        wire::header(&self.headers, name)
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON; the test fails if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("JSON expected in {self}"))
    }

    /// Returns the code of a refusal; empty if this is not a refusal.
    pub fn code(&self) -> String {
        serde_json::from_slice::<Value>(&self.body)
            .ok()
            .and_then(|body| Some(body.get("code")?.as_str()?.to_owned()))
            .unwrap_or_default()
    }

    /// Returns the id that the gate gave this request.
    pub fn request_id(&self) -> String {
        self.header("x-request-id").expect("X-Request-Id on every answer")
    }

    /// Asserts a refusal of this status and code.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{self}");
        self
    }

    /// Asserts that the upstream's own 2xx came through.
    #[track_caller]
    pub fn passed(self) -> Self {
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

fn no_answer(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
