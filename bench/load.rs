//! The callers: a fixed number of keep-alive connections, each sending the next request when it has
//! the answer to the last. A wrong status ends the run: a failing worker must not look fast.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use super::http;

/// One kind of request, as it goes over the wire, and the status it has to get.
pub struct Request {
    /// Head and body.
    pub bytes: Vec<u8>,
    /// The one status that is right.
    pub status: u16,
}

/// Connections kept open to one worker. workerd hangs up on a connection that was idle for some
/// seconds, so a round opens its own, and sends a few requests before it measures.
pub struct Callers {
    streams: Vec<TcpStream>,
}

impl Callers {
    /// Opens `count` connections.
    pub fn connect(address: SocketAddr, count: usize) -> io::Result<Self> {
        let streams = (0..count)
            .map(|_| {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                Ok(stream)
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { streams })
    }

    /// Sends `total` requests over all connections and waits for the last answer.
    pub fn send(&self, request: &Request, total: usize) -> io::Result<()> {
        let share = total.div_ceil(self.streams.len().max(1));
        thread::scope(|scope| {
            let callers: Vec<_> = self
                .streams
                .iter()
                .map(|stream| scope.spawn(move || call(stream, request, share)))
                .collect();
            callers.into_iter().try_for_each(|caller| {
                caller
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a caller panicked")))
            })
        })
    }

    /// How many requests `send(_, total)` really sends: every connection sends as many as the others.
    pub fn rounded(&self, total: usize) -> usize {
        let count = self.streams.len().max(1);
        total.div_ceil(count) * count
    }
}

fn call(stream: &TcpStream, request: &Request, times: usize) -> io::Result<()> {
    let mut out = stream;
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    for _ in 0..times {
        out.write_all(&request.bytes)?;
        if !http::read_message(&mut reader, &mut head)? {
            return Err(io::Error::other("the worker hung up"));
        }
        if http::status(&head) != Some(request.status) {
            return Err(io::Error::other(format!(
                "expected status {}, got:\n{}",
                request.status,
                String::from_utf8_lossy(&head)
            )));
        }
    }
    Ok(())
}
