//! A front before the gates of a rollout, as Cloudflare is one: each connection goes to one gate, and while a version goes
//! out, some places still have the old one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use testkit::client::Request;
use testkit::upstream::{Reply, Seen, Upstream};

use crate::rotate_points::Points;

/// A gate, and the token that it has.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) port: u16,
    pub(crate) token: String,
}

/// The course of a rollout, as a reader of the gate's status sees it: true for the new version. Callers are served by the old
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
    _server: Upstream,
    state: Arc<Mutex<State>>,
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
        let state = Arc::new(Mutex::new(State {
            backends: Vec::new(),
            rollout: Rollout::quick(),
            looks: VecDeque::new(),
            old_callers: 0,
        }));
        let shared = Arc::clone(&state);
        let server = Upstream::answering(move |seen, _| serve(&shared, &points, seen));
        Arc::new(Self { port: server.port, _server: server, state })
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
}

fn serve(state: &Mutex<State>, points: &Points, seen: &Seen) -> Reply {
    // The command's own calls are points; a caller's write is not.
    if seen.method == "GET" {
        let answer = points.pass(&format!("GET gate:{}", seen.target), || {
            let backend = state.lock().unwrap().route(seen.target == "/_gate/status");
            forward(backend.port, seen)
        });
        return answer.unwrap_or_else(Reply::hang_up);
    }
    let (port, is_old) = {
        let mut state = state.lock().unwrap();
        let (backend, newest) = (state.route(false), state.backends.last().unwrap().port);
        let is_old = newest != backend.port;
        state.old_callers += usize::from(is_old);
        (backend.port, is_old)
    };
    let answer = forward(port, seen);
    state.lock().unwrap().old_callers -= usize::from(is_old);
    answer
}

/// Sends a request on, and returns its answer.
fn forward(port: u16, seen: &Seen) -> Reply {
    let framing = ["transfer-encoding", "content-length", "connection"];
    let is_own =
        |(name, _): &&(String, String)| !framing.contains(&name.to_ascii_lowercase().as_str());
    let request = Request {
        method: seen.method.clone(),
        target: seen.target.clone(),
        headers: seen.headers.iter().filter(is_own).cloned().collect(),
        body: Some(seen.body.clone()).filter(|body| !body.is_empty()),
    };
    let Ok(answer) = request.try_send_to(port) else {
        return Reply::hang_up();
    };
    let headers = answer.headers.iter().filter(is_own);
    let reply =
        headers.fold(Reply::new(answer.status), |reply, (name, value)| reply.header(name, value));
    reply.body(answer.body)
}
