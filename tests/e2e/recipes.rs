//! The recipes of `docs/recipes/`: each one's configuration, taken out by its fence, on real workerd, and clients that are
//! not ours against it. Only their base URL and their key are others than at the API itself.

mod cloudflare_api;
mod cms;
mod images;
mod workers_ai;

use std::process::Command;

use serde_json::Value;
use testkit::client::Request;
use testkit::docs::fences;
use testkit::gate::{Gate, Setup};
use testkit::program::{Program, npm};
use testkit::upstream::{PATIENCE, Seen, Upstream};

/// The ids of the recipes' keys.
const FIRST: &str = "pk_first";
const OPERATOR: &str = "pk_operator";
const PROBE: &str = "pk_probe";

/// A recipe, and a gate that follows it, in front of a recording upstream.
struct Recipe {
    name: &'static str,
    upstream: Upstream,
    gate: Gate,
}

impl Recipe {
    fn before(name: &'static str, upstream: Upstream) -> Self {
        let gate = Setup::of(&configuration(name), &upstream).start();
        Self { name, upstream, gate }
    }

    /// Runs the recipe's own example with a session of the first key, then this.
    fn client(&self, more: &str) -> Program {
        let mut examples = fences(&format!("recipes/{}.md", self.name), "js");
        assert_eq!(examples.len(), 1, "one example of {}", self.name);
        let program = format!("{}\n{more}", examples.remove(0));
        let mut node = Command::new("node");
        node.args(["--input-type=module", "-e", &program])
            .current_dir(npm())
            .env("GATE", format!("http://127.0.0.1:{}", self.gate.port))
            .env("SESSION", self.gate.session_of(FIRST).mint());
        Program::start(&mut node)
    }

    /// Asserts that the upstream had these requests, each with the gate's token and nothing of what the caller proved
    /// itself with.
    fn saw(&self, expected: &[(&str, &str)]) -> Vec<Seen> {
        let seen = self.upstream.seen();
        let calls: Vec<_> =
            seen.iter().map(|seen| (seen.method.as_str(), seen.target.as_str())).collect();
        assert_eq!(calls, expected);
        for seen in &seen {
            let bearer = format!("Bearer {}", self.gate.token);
            assert_eq!(seen.header("authorization"), Some(bearer), "{seen:#?}");
            // Sessions are JWTs, and no token of these tests is one.
            let whole = format!("{:?} {}", seen.headers, String::from_utf8_lossy(&seen.body));
            assert!(!whole.contains("eyJ"), "{whole}");
        }
        seen
    }

    /// Asserts that the probe's key may ask the probe, at this path of the gate, and nothing else; the operator's
    /// asks only the gate.
    fn others_may_only(&self, probe: &str) {
        let as_ = |id: &str, method: &str, path: &str| {
            Request::new(method, path).bearer(&self.gate.session_of(id).mint()).send(&self.gate)
        };
        let before = self.upstream.seen().len();
        as_(PROBE, "POST", probe).refused(403, "method-denied");
        as_(PROBE, "GET", &format!("{probe}/x")).refused(403, "path-denied");
        as_(OPERATOR, "GET", probe).refused(403, "path-denied");
        as_(OPERATOR, "GET", "/_gate/status").passed();
        assert_eq!(self.upstream.seen().len(), before);
        as_(PROBE, "GET", probe).passed();
        assert_eq!(self.upstream.seen().len(), before + 1);
    }
}

/// Returns the recipe's `wrangler.toml`.
fn configuration(name: &str) -> Value {
    let mut blocks = fences(&format!("recipes/{name}.md"), "toml");
    assert_eq!(blocks.len(), 1, "one configuration of {name}");
    toml::from_str(&blocks.remove(0)).unwrap()
}

/// Returns the result of a client's program at its end: a line of JSON after this word.
fn result(client: &mut Program) -> Value {
    let line = client.until("RESULT ", PATIENCE);
    let (_, json) = line.split_once("RESULT ").unwrap();
    serde_json::from_str(json).unwrap()
}
