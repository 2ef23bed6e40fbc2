//! The callers: keep-alive connections, each with a session of its own, each sending its next
//! request when it has the answer to the last. A wrong status ends the run: a worker that fails
//! must not look fast.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use super::http;

pub(crate) const BODY: &str = r#"{"title":"A write through the gate","slug":"a-write-through-the-gate","tags":["news"],"draft":true}"#;

/// What a browser's `fetch` of another origin sends, and what Cloudflare adds to it.
const HEADERS: &str = "Connection: keep-alive\r\n\
    sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\"\r\n\
    sec-ch-ua-mobile: ?0\r\n\
    sec-ch-ua-platform: \"Linux\"\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
    Accept: application/json, text/plain, */*\r\n\
    Content-Type: application/json\r\n\
    Origin: https://www.example.com\r\n\
    Referer: https://www.example.com/\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9\r\n\
    CF-Connecting-IP: 203.0.113.7\r\n\
    CF-Ray: 8f1d2c3b4a5f6e7d-FRA\r\n\
    X-Forwarded-For: 203.0.113.7\r\n";

/// The URL of every request.
pub(crate) const URL: &str = "http://gate.example.com/posts?lang=en&draft=1";

/// A read of one picture.
pub(crate) fn get(proof: &[(&str, &str)]) -> Vec<u8> {
    let proof: String = proof
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("GET /pictures/1?w=640 HTTP/1.1\r\nHost: gate.example.com\r\n{HEADERS}{proof}\r\n")
        .into_bytes()
}

/// The request with these headers as its proof: none, a session, a signature.
pub(crate) fn post(proof: &[(&str, &str)]) -> Vec<u8> {
    let proof: String = proof
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!(
        "POST /posts?lang=en&draft=1 HTTP/1.1\r\nHost: gate.example.com\r\n{HEADERS}{proof}\
         Content-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    )
    .into_bytes()
}

/// Connections open to one worker. workerd hangs up on one that was idle for some seconds, so every
/// round opens its own, and sends a few requests before it measures.
pub(crate) struct Callers<'r> {
    /// With the requests that each sends in turn.
    connections: Vec<(TcpStream, Vec<&'r [u8]>)>,
    status: u16,
}

impl<'r> Callers<'r> {
    /// So many connections, which share `requests`; every answer has to have this status.
    pub(crate) fn connect(
        address: SocketAddr,
        requests: &'r [Vec<u8>],
        connections: usize,
        status: u16,
    ) -> io::Result<Self> {
        let connections = (0..connections)
            .map(|first| {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                let own = requests.iter().skip(first).step_by(connections);
                Ok((stream, own.map(Vec::as_slice).collect()))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self {
            connections,
            status,
        })
    }

    /// Sends `times` requests on every connection, and returns the head of one last answer.
    pub(crate) fn send(&self, times: usize) -> io::Result<Vec<u8>> {
        thread::scope(|scope| {
            let callers: Vec<_> = self
                .connections
                .iter()
                .map(|(stream, requests)| {
                    scope.spawn(|| call(stream, requests, self.status, times))
                })
                .collect();
            let mut head = Vec::new();
            for caller in callers {
                let panicked = || io::Error::other("a caller panicked");
                head = caller.join().map_err(|_| panicked())??;
            }
            Ok(head)
        })
    }
}

fn call(stream: &TcpStream, requests: &[&[u8]], status: u16, times: usize) -> io::Result<Vec<u8>> {
    let mut out = stream;
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    for request in requests.iter().cycle().take(times) {
        out.write_all(request)?;
        if !http::read_message(&mut reader, &mut head)? {
            return Err(io::Error::other("the worker hung up"));
        }
        if http::status(&head) != Some(status) {
            let head = String::from_utf8_lossy(&head);
            return Err(io::Error::other(format!(
                "expected status {status}, got:\n{head}"
            )));
        }
    }
    Ok(head)
}
