//! The callers: keep-alive connections, each sending its next request when it has the answer to the last. A wrong
//! status ends the run: a worker that fails must not look fast.

use std::sync::Arc;
use std::{io, thread};

use testkit::client::{self, Response};

/// Connections of a turn.
pub(crate) const CONNECTIONS: usize = 8;
/// The URL of every write.
pub(crate) const URL: &str = "http://gate.example.com/posts?lang=en&draft=1";
/// The body of every write.
pub(crate) const BODY: &str = r#"{"title":"A write through the gate","slug":"a-write-through-the-gate","tags":["news"],"draft":true}"#;

/// The headers that a browser's `fetch` of another origin sends, and those that Cloudflare adds.
const BROWSER: [(&str, &str); 15] = [
    ("Connection", "keep-alive"),
    ("sec-ch-ua", r#""Chromium";v="140", "Not=A?Brand";v="24""#),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", r#""Linux""#),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    ),
    ("Accept", "application/json, text/plain, */*"),
    ("Content-Type", "application/json"),
    ("Origin", "https://www.example.com"),
    ("Referer", "https://www.example.com/"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-GB,en;q=0.9"),
    ("CF-Connecting-IP", "203.0.113.7"),
    ("CF-IPCountry", "DE"),
    ("CF-Ray", "8f1d2c3b4a5f6e7d-FRA"),
    ("X-Forwarded-For", "203.0.113.7"),
];

/// A request as it is sent.
pub(crate) type Request = Arc<[u8]>;
/// Names and values of headers.
pub(crate) type Headers<'h> = [(&'h str, &'h str)];

/// Returns a browser's write, with these headers as its credential: none, a session, a signature.
pub(crate) fn post(credential: &Headers<'_>) -> Request {
    write(&[&BROWSER, credential].concat(), BODY.as_bytes())
}

/// Returns a browser's read of one picture.
pub(crate) fn get(width: usize, credential: &Headers<'_>) -> Request {
    let line = format!("GET /pictures/1?w={width}");
    message(&line, &[&BROWSER, credential].concat(), &[])
}

/// Returns a write with these headers, beside `Host` and `Content-Length`.
pub(crate) fn write(headers: &Headers<'_>, body: &[u8]) -> Request {
    let length = body.len().to_string();
    let length = [("Content-Length", length.as_str())];
    message("POST /posts?lang=en&draft=1", &[headers, &length].concat(), body)
}

fn message(line: &str, headers: &Headers<'_>, body: &[u8]) -> Request {
    let mut head = format!("{line} HTTP/1.1\r\nHost: gate.example.com\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat().into()
}

/// Connections open to one worker. workerd hangs up on one that was idle for some seconds, so every turn opens its
/// own.
pub(crate) struct Callers<'r>(Vec<Connection<'r>>);

struct Connection<'r> {
    connection: client::Connection,
    /// The bytes still to be sent.
    requests: Vec<&'r [u8]>,
    status: u16,
}

impl<'r> Callers<'r> {
    /// Opens so many connections, which share the requests; every answer has to have this status.
    pub(crate) fn connect(
        port: u16,
        requests: &'r [Request],
        connections: usize,
        status: u16,
    ) -> io::Result<Self> {
        let connections = (0..connections).map(|first| {
            let connection = client::Connection::connect(port)?;
            // Backwards, for they are taken from the end.
            let requests = requests.iter().skip(first).step_by(connections);
            let mut requests: Vec<_> = requests.map(AsRef::as_ref).collect();
            requests.reverse();
            Ok(Connection { connection, requests, status })
        });
        Ok(Self(connections.collect::<io::Result<_>>()?))
    }

    /// Sends the next `times` requests on every connection, and returns one last answer, if there was any.
    pub(crate) fn send(&mut self, times: usize) -> io::Result<Option<Response>> {
        thread::scope(|scope| {
            let connections = self.0.iter_mut();
            let callers: Vec<_> =
                connections.map(|connection| scope.spawn(move || connection.send(times))).collect();
            let mut last = None;
            for caller in callers {
                let panicked = |_| io::Error::other("a caller panicked");
                last = caller.join().map_err(panicked)??;
            }
            Ok(last)
        })
    }
}

impl Connection<'_> {
    fn send(&mut self, times: usize) -> io::Result<Option<Response>> {
        let rest = self.requests.len().saturating_sub(times);
        let mut last = None;
        for request in self.requests.split_off(rest).iter().rev() {
            self.connection.write(request);
            let response = self.connection.try_response_to("POST")?;
            if response.status != self.status || !response.complete {
                let expected = self.status;
                return Err(io::Error::other(format!(
                    "expected status {expected}, got:\n{response}"
                )));
            }
            last = Some(response);
        }
        Ok(last)
    }
}
