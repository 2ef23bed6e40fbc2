//! The upstream that every worker writes to: a thread per connection, keep-alive, always the same
//! 201 with a few headers and a small JSON body. It accepts only the write token, so a worker that
//! does not set it cannot look fast.

use std::io::{self, BufReader, Write};
use std::mem;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::http;

/// The path below which it answers.
pub(crate) const BASE: &str = "/v1";

const BODY: &str = r#"{"id":48213,"slug":"a-write-through-the-gate","status":"draft","created_at":"2026-11-22T20:00:00Z","revision":1}"#;
const PICTURE_BYTES: usize = 8_192;
const REFUSED: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";

/// A running upstream. Its threads end with the process.
pub(crate) struct Upstream {
    /// Where it listens, on loopback.
    pub(crate) address: SocketAddr,
    latest: Arc<Mutex<Vec<u8>>>,
}

impl Upstream {
    /// Listens on a free port and accepts requests that carry `authorization`.
    pub(crate) fn start(authorization: String) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let latest = Arc::new(Mutex::new(Vec::new()));
        let (authorization, heads) = (Arc::new(authorization), Arc::clone(&latest));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (authorization, heads) = (Arc::clone(&authorization), Arc::clone(&heads));
                thread::spawn(move || serve(&stream, &authorization, &heads));
            }
        });
        Ok(Self { address, latest })
    }

    /// Takes the head of the latest request on any connection: empty when there was none since.
    pub(crate) fn take_latest(&self) -> Vec<u8> {
        self.latest.lock().map(|mut head| mem::take(&mut *head)).unwrap_or_default()
    }
}

fn serve(stream: &TcpStream, authorization: &str, latest: &Mutex<Vec<u8>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream;
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    let created = format!(
        "HTTP/1.1 201 Created\r\nDate: Sun, 22 Nov 2026 20:00:00 GMT\r\nServer: upstream\r\n\
         Content-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\nETag: \"r1\"\r\n\
         Location: {BASE}/posts/48213\r\nX-Runtime: 0.004\r\nSet-Cookie: sid=upstream; HttpOnly\r\n\
         \r\n{BODY}",
        BODY.len()
    );
    // A picture of 8 KB.
    let found = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: image/webp\r\nContent-Length: {}\r\nETag: \"r1\"\r\n\r\n{}",
        PICTURE_BYTES,
        "p".repeat(PICTURE_BYTES)
    );
    while http::read_message(&mut reader, &mut head)? {
        if let Ok(mut latest) = latest.lock() {
            latest.clone_from(&head);
        }
        let accepted = http::header(&head, "authorization") == Some(authorization);
        out.write_all(match accepted {
            true if head.starts_with(b"GET ") => found.as_bytes(),
            true => created.as_bytes(),
            false => REFUSED,
        })?;
    }
    Ok(())
}
