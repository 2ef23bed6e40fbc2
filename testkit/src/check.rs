//! A table of cases against one gate. All of them are tried and all failures are reported at the end; after every
//! refusal the upstream must have seen nothing new.

use crate::client::{Request, Response};
use crate::gate::{Gate, Setup};
use crate::upstream::Upstream;

/// A gate that answers requests: a process of workerd, or the library by itself.
pub trait Answers {
    /// Answers a request.
    fn answer(&self, request: &Request) -> Response;

    /// Returns its root secret.
    fn signing_secret(&self) -> &str;

    /// Returns the record that its registry has of a key.
    fn stored(&self, id: &str) -> Option<serde_json::Value>;
}

/// An API that counts the requests that reach it.
pub trait Counts {
    /// Returns the number of requests so far.
    fn count(&self) -> usize;
}

/// One gate, its upstream, and what went wrong so far.
pub struct Check<G = Gate, U = Upstream> {
    /// The API behind the gate.
    pub upstream: U,
    /// The gate that every case is tried on.
    pub gate: G,
    wrong: Vec<String>,
}

impl Check {
    /// Starts a gate in front of an upstream that answers everything 200.
    pub fn of(set_up: impl FnOnce(Setup) -> Setup) -> Self {
        Self::before(Upstream::start(), set_up)
    }

    /// Starts a gate in front of this upstream, with the set-up changed as the test wants it.
    pub fn before(upstream: Upstream, set_up: impl FnOnce(Setup) -> Setup) -> Self {
        let gate = set_up(Setup::to(&upstream)).start();
        Self::with(upstream, gate)
    }
}

impl<G: Answers, U: Counts> Check<G, U> {
    /// Begins a table with this gate in front of this upstream.
    pub const fn with(upstream: U, gate: G) -> Self {
        Self { upstream, gate, wrong: Vec::new() }
    }

    /// Expects that this request is refused so, and does not reach the upstream.
    pub fn refused(&mut self, what: &str, request: &Request, status: u16, code: &str) -> Response {
        self.refused_as_any(what, request, &[(status, code)])
    }

    /// Asserts a refusal where the contract leaves open which of these it is.
    pub fn refused_as_any(
        &mut self,
        what: &str,
        request: &Request,
        either: &[(u16, &str)],
    ) -> Response {
        let before = self.upstream.count();
        let answer = request.send(&self.gate);
        if !either.contains(&(answer.status, answer.code().as_str())) {
            self.wrong.push(format!("{what}: expected {either:?}, got {answer}"));
        }
        if self.upstream.count() != before {
            self.wrong.push(format!("{what}: reached the upstream"));
        }
        answer
    }

    /// Expects that this request reaches the upstream, and the upstream's answer comes back.
    pub fn passes(&mut self, what: &str, request: &Request) -> Response {
        let before = self.upstream.count();
        let answer = request.send(&self.gate);
        if !(200..300).contains(&answer.status) {
            self.wrong.push(format!("{what}: should have passed, got {answer}"));
        } else if self.upstream.count() != before + 1 {
            self.wrong.push(format!("{what}: should have reached the upstream once"));
        }
        answer
    }
}

impl<G, U> Check<G, U> {
    /// Records a failure unless this is right.
    pub fn that(&mut self, right: bool, what: impl FnOnce() -> String) {
        if !right {
            self.wrong.push(what());
        }
    }
}

impl<G, U> Drop for Check<G, U> {
    fn drop(&mut self) {
        let wrong = &self.wrong;
        assert!(
            wrong.is_empty() || std::thread::panicking(),
            "{} cases went wrong:\n- {}",
            wrong.len(),
            wrong.join("\n- ")
        );
    }
}
