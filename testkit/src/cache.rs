//! Gates with cached routes, and a table's cases of what comes from the cache.

use serde_json::json;

use crate::check::Check;
use crate::client::{Request, Response};
use crate::gate::{Gate, Setup};
use crate::logs::Line;
use crate::upstream::{Reply, Seen, Upstream};

/// An hour: longer than any test.
pub const TTL: u64 = 3_600;

/// Caches every path, for each key apart.
pub fn cached(setup: Setup) -> Setup {
    scoped(setup, "key")
}

/// Caches every path in this scope.
pub fn scoped(setup: Setup, scope: &str) -> Setup {
    let cache = json!({"ttl": TTL, "scope": scope});
    setup.route("/*", json!({"cache": cache})).site(json!({})).cache()
}

/// Returns an upstream whose every answer is another, with these headers as well.
pub fn counting(more: impl Fn(&Seen, Reply) -> Reply + Send + Sync + 'static) -> Upstream {
    Upstream::answering(move |request, nth| more(request, Reply::ok(&format!("answer {nth}"))))
}

/// Starts a gate in front of an upstream whose every answer is another.
pub fn start(set_up: impl FnOnce(Setup) -> Setup) -> Check {
    Check::before(counting(|_, reply| reply), set_up)
}

/// Returns a read of this target with a session of the default key.
pub fn get(gate: &Gate, target: &str) -> Request {
    Request::get(target).bearer(&gate.bearer())
}

/// Returns the number of answers that the cache has stored so far.
pub fn kept(gate: &Gate) -> usize {
    gate.logs.until("what was kept", |lines| Some(copies(lines)))
}

fn copies(lines: &[Line]) -> usize {
    let lines = lines.iter().filter_map(Line::json);
    lines.filter(|line| line["operation"] == "PUT" && line["status"] == 204).count()
}

/// The `Cache-Status` of an answer from the cache.
pub const HIT: &str = "writegate; hit";
/// The `Cache-Status` of an answer that the upstream gave.
pub const MISS: &str = "writegate; fwd=miss";

impl Check {
    /// Expects that this request is answered from the cache.
    pub fn hit(&mut self, what: &str, request: &Request) -> Response {
        self.read_at(self.gate.port, what, request, HIT)
    }

    /// Expects that this request reaches the upstream.
    pub fn miss(&mut self, what: &str, request: &Request) -> Response {
        self.read_at(self.gate.port, what, request, MISS)
    }

    /// Expects that this request, sent to this isolate, gets this status.
    pub fn read_at(&mut self, port: u16, what: &str, request: &Request, status: &str) -> Response {
        let before = self.upstream.seen().len();
        let answer = request.send_to(port);
        let seen = self.upstream.seen().len() - before;
        let cache_status = answer.header("cache-status").unwrap_or_default();
        let right = cache_status == status && seen == usize::from(status == MISS);
        self.that(right, || {
            format!("{what}: expected {status:?}, {seen} requests at the upstream, got {answer}")
        });
        answer
    }

    /// Expects that this request reaches the upstream, and waits until its answer is kept.
    pub fn warm(&mut self, what: &str, request: &Request) -> Response {
        let before = kept(&self.gate);
        let answer = self.miss(what, request);
        self.gate.logs.until(&format!("copy of what was asked for: {what}"), |lines| {
            (copies(lines) > before).then_some(())
        });
        answer
    }
}
