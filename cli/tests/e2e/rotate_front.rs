//! A front before the gates of a rollout, as Cloudflare is one: each connection goes to one gate, and while a version goes
//! out, some places still have the old one.

use std::collections::VecDeque;
use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use testkit::upstream::PATIENCE;
use testkit::wire;

use crate::rotate_points::Points;

/// A gate, and the token that it has.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) port: u16,
    pub(crate) token: String,
}

/// The course of a rollout, as seen by whoever reads the gate's status: true for the new version. Callers are served by the old
/// one until all of this was seen.
#[derive(Clone)]
pub(crate) enum Rollout {
    Looks(Vec<bool>),
    /// The new one never serves.
    Stuck,
}

impl Rollout {
    /// Makes one that is as bad as it can be for somebody who counts to ten.
    pub(crate) fn hard() -> Self {
        let nine = [true; 9];
        let parts = [&[false, false][..], &nine, &[false], &nine, &[false]];
        Self::Looks(parts.concat())
    }

    pub(crate) fn quick() -> Self {
        Self::Looks(vec![true, false])
    }
}

pub(crate) struct Front {
    pub(crate) port: u16,
    state: Mutex<State>,
}

struct State {
    /// The newest last.
    backends: Vec<Backend>,
    rollout: Rollout,
    looks: VecDeque<bool>,
    /// Callers that the old one serves at this moment.
    old_callers: usize,
}

impl State {
    fn route(&mut self, look: bool) -> Backend {
        let old = self.backends[0].clone();
        let new = self.backends[self.backends.len() - 1].clone();
        if matches!(self.rollout, Rollout::Stuck) {
            return old;
        }
        if self.looks.is_empty() && self.old_callers == 0 {
            self.backends = vec![new.clone()];
        }
        let at_new = match look {
            true => self.looks.pop_front().unwrap_or(self.backends.len() == 1),
            false => self.looks.is_empty(),
        };
        if at_new { new } else { old }
    }
}

impl Front {
    pub(crate) fn start(points: Arc<Points>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let front = Arc::new(Self {
            port: listener.local_addr().unwrap().port(),
            state: Mutex::new(State {
                backends: Vec::new(),
                rollout: Rollout::quick(),
                looks: VecDeque::new(),
                old_callers: 0,
            }),
        });
        let shared = Arc::clone(&front);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (front, points) = (Arc::clone(&shared), Arc::clone(&points));
                std::thread::spawn(move || {
                    let _over = front.serve(&points, stream);
                });
            }
        });
        front
    }

    /// Sets the course of the rollouts to come.
    pub(crate) fn set(&self, rollout: Rollout) {
        self.state.lock().unwrap().rollout = rollout;
    }

    /// Lets a version go out.
    pub(crate) fn deploy(&self, backend: Backend) {
        let mut state = self.state.lock().unwrap();
        let first = state.backends.is_empty();
        state.backends.push(backend);
        state.looks = match &state.rollout {
            Rollout::Looks(looks) if !first => looks.clone().into(),
            _ => VecDeque::new(),
        };
    }

    /// Returns the tokens of all gates that callers may still reach.
    pub(crate) fn reachable(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.backends.iter().map(|b| b.token.clone()).collect()
    }

    fn serve(&self, points: &Points, stream: TcpStream) -> Option<()> {
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut input = BufReader::new(stream.try_clone().ok()?);
        let (first, headers) = wire::read_head(&mut input)?;
        let mut head = format!("{first}\r\n");
        for (name, value) in &headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        match first.starts_with("GET ") {
            // The command's own.
            true => {
                let call = first.trim_end_matches(" HTTP/1.1");
                let call = call.replacen(' ', " gate:", 1);
                let answer = points.pass(&call, || {
                    let look = first.contains(" /_gate/status ");
                    let backend = self.state.lock().unwrap().route(look);
                    exchange(backend.port, &head)
                });
                (&stream).write_all(&answer??).ok()
            }
            false => self.splice(&head, input, stream),
        }
    }

    /// Returns a caller's connection, to its end.
    fn splice(&self, head: &str, mut input: BufReader<TcpStream>, stream: TcpStream) -> Option<()> {
        let (backend, old) = {
            let mut state = self.state.lock().unwrap();
            let backend = state.route(false);
            let newest = &state.backends[state.backends.len() - 1];
            let old = newest.port != backend.port;
            state.old_callers += usize::from(old);
            (backend, old)
        };
        let spliced = || {
            let mut there = TcpStream::connect(("127.0.0.1", backend.port)).ok()?;
            there.write_all(head.as_bytes()).ok()?;
            let mut onward = there.try_clone().ok()?;
            let up = std::thread::spawn(move || {
                let _ended = std::io::copy(&mut input, &mut onward);
                let _told = onward.shutdown(Shutdown::Write);
            });
            let mut back = stream;
            let _ended = std::io::copy(&mut there, &mut back);
            let _told = back.shutdown(Shutdown::Both);
            up.join().ok()
        };
        let done = spliced();
        self.state.lock().unwrap().old_callers -= usize::from(old);
        done
    }
}

/// Returns one request without a body, and its whole answer as bytes that end with the connection.
fn exchange(port: u16, head: &str) -> Option<Vec<u8>> {
    let mut there = TcpStream::connect(("127.0.0.1", port)).ok()?;
    there.set_read_timeout(Some(PATIENCE)).ok()?;
    there.write_all(head.as_bytes()).ok()?;
    let mut input = BufReader::new(there);
    let (first, headers) = wire::read_head(&mut input)?;
    let mut body = Vec::new();
    let framing = wire::framing(&headers);
    if !wire::read_body(&mut input, framing, |part| body.extend_from_slice(part)) {
        let _none = input.read(&mut [0]);
        return None;
    }
    let mut answer = format!("{first}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in &headers {
        let framing = ["transfer-encoding", "content-length", "connection"];
        if !framing.contains(&name.to_ascii_lowercase().as_str()) {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    let mut answer = format!("{answer}\r\n").into_bytes();
    answer.extend(body);
    Some(answer)
}
