//! KV and the Cache API as workerd talks to them, in the benchmark's own process, so that their work does
//! not count as the gate's.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::http;

/// The number of answers that the cache holds at once.
const MOST_KEPT: usize = 100;

/// The services, and how often KV was read.
pub(crate) struct Stores {
    pub(crate) kv: u16,
    pub(crate) cache: u16,
    reads: Arc<AtomicU64>,
}

impl Stores {
    /// A KV that has a record `key/<id>` for every id, and an empty cache.
    pub(crate) fn start() -> io::Result<Self> {
        let reads = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&reads);
        let kv = listen(move |head, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            record(head)
        })?;
        let kept = Mutex::new(BTreeMap::new());
        let cache = listen(move |head, body| keep(&kept, head, body))?;
        Ok(Self { kv, cache, reads })
    }

    /// How often KV was read since this was last asked.
    pub(crate) fn take_reads(&self) -> u64 {
        self.reads.swap(0, Ordering::Relaxed)
    }
}

/// A server of one function from a request's head and body to an answer.
fn listen(answer: impl Fn(&str, &[u8]) -> Vec<u8> + Send + Sync + 'static) -> io::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || serve(&stream, &*answer));
        }
    });
    Ok(port)
}

fn serve(stream: &TcpStream, answer: &impl Fn(&str, &[u8]) -> Vec<u8>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream;
    let mut reader = BufReader::new(stream);
    let (mut head, mut body) = (Vec::new(), Vec::new());
    while http::read_into(&mut reader, &mut head, &mut body)? {
        out.write_all(&answer(&String::from_utf8_lossy(&head), &body))?;
        body.clear();
    }
    Ok(())
}

fn with_length(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// The record of `GET /key%2F<id>?…`: a customer of an image API.
fn record(head: &str) -> Vec<u8> {
    let id = head.split("%2F").nth(1).and_then(|rest| rest.split(['?', ' ']).next());
    let id = id.unwrap_or_default();
    let record = format!(
        r#"{{"id":"{id}","name":"Customer","schemes":["session","public-key"],"paths":["/pictures/*"],"allowed_origins":["https://www.example.com","https://*.example.com"]}}"#
    );
    with_length("200 OK", &record)
}

fn keep(kept: &Mutex<BTreeMap<String, Vec<u8>>>, head: &str, body: &[u8]) -> Vec<u8> {
    let mut words = head.split(' ');
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    let miss = || {
        b"HTTP/1.1 504 Gateway Timeout\r\nCF-Cache-Status: MISS\r\nContent-Length: 0\r\n\r\n"
            .to_vec()
    };
    let Ok(mut kept) = kept.lock() else {
        return miss();
    };
    match method {
        Some("PUT") => {
            // A benchmark of misses would fill the memory.
            if kept.len() >= MOST_KEPT {
                kept.clear();
            }
            kept.insert(target.to_owned(), with_hit(body));
            b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()
        }
        _ => kept.get(target).cloned().unwrap_or_else(miss),
    }
}

/// The answer that was sent to be kept, and that it was found.
fn with_hit(message: &[u8]) -> Vec<u8> {
    let end = message.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (line, rest) = message.split_at(end);
    [line, b"CF-Cache-Status: HIT\r\n", rest].concat()
}
