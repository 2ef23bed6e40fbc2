//! `docs/incidents.md`, walked through with the command and a running gate: what leaked is refused from then on, and what was
//! handed out anew passes. A deployment is a gate that is started anew.

use std::fs;

use serde_json::{Value, json};
use testkit::admin_api::{ADMIN, tell};
use testkit::client::{HOST, Request};
use testkit::gate::{Gate, KEY, Setup};
use testkit::process::root;
use testkit::program::run;
use testkit::token::{fingerprint, fresh};
use testkit::upstream::{Reply, Upstream};

use crate::Folder;

/// The lists that are walked through here, as their headings say.
const WALKED: [&str; 4] = [
    "A session",
    "A key's secret (`sk_…`)",
    "The root secret (`SIGNING_SECRET`)",
    "The write token",
];

/// An operator's checkout, and what is deployed from it.
struct Operator {
    folder: Folder,
    upstream: Upstream,
    /// The root secret, and the one before it, as far as they are set.
    roots: (String, Option<String>),
    token: String,
    /// The key's version in `wrangler.toml`.
    version: u64,
}

impl Operator {
    fn before(upstream: Upstream) -> Self {
        Self { folder: Folder::new(), upstream, roots: (fresh(), None), token: fresh(), version: 1 }
    }

    fn deploy(&self) -> Gate {
        let version = self.version;
        let wrangler = format!("[[vars.KEYS]]\nid = \"{KEY}\"\nversion = {version}\n");
        self.folder.file("wrangler.toml", &wrangler);
        let schemes = json!(["session", "url", "signature"]);
        let setup = Setup::to(&self.upstream)
            .env("SIGNING_SECRET", self.roots.0.as_str())
            .env("WRITE_TOKEN", self.token.as_str())
            .site(json!({"version": version, "schemes": schemes}))
            .key(json!({"id": ADMIN, "admin": true}))
            .registered(json!({"id": "pk_customer"}));
        match &self.roots.1 {
            Some(previous) => setup.env("SIGNING_SECRET_PREVIOUS", previous.as_str()),
            None => setup,
        }
        .start()
    }

    /// Returns what the command prints.
    fn writegate(&self, line: &str) -> String {
        let mut command = self.folder.command(&self.roots.0);
        run(command.args(line.split(' ')), "").trim().to_owned()
    }

    /// Returns everything that can be made for a caller with the key's secret: a session's request, and a link's.
    fn made(&self) -> [Request; 2] {
        let session = self.writegate(&format!("session mint --key {KEY}"));
        let link = self.writegate(&format!("url sign --key {KEY} http://{HOST}/x"));
        let (_, query) = link.split_once("/x").expect("the same path");
        let link = format!("/x{query}");
        [Request::post("/x").bearer(&session), Request::get(&link)]
    }
}

/// Asserts that each is refused, and as forged.
#[track_caller]
fn ended(requests: &[Request; 2], gate: &Gate) {
    for request in requests {
        request.send(gate).refused(401, "signature-invalid");
    }
}

/// Asserts that each is good.
#[track_caller]
fn good(requests: &[Request; 2], gate: &Gate) {
    for request in requests {
        request.send(gate).passed();
    }
}

#[test]
fn the_lists_that_are_marked_are_walked_through() {
    let text = fs::read_to_string(root().join("docs/incidents.md")).unwrap();
    let marked = text.lines().filter_map(|line| {
        let heading = line.strip_prefix("## ")?;
        heading.strip_suffix(" ✓")
    });
    assert_eq!(marked.collect::<Vec<_>>(), WALKED);
}

#[test]
fn a_leaked_session_or_secret_ends_with_the_key_s_version() {
    let mut operator = Operator::before(Upstream::start());
    let gate = operator.deploy();
    let leaked = operator.made();
    good(&leaked, &gate);
    let shown = operator.writegate(&format!("key show {KEY}"));

    operator.version = 2;
    let gate = operator.deploy();
    ended(&leaked, &gate);
    assert_ne!(operator.writegate(&format!("key show {KEY}")), shown, "another sk");
    good(&operator.made(), &gate);
}

#[test]
fn a_leaked_key_of_the_registry_ends_while_the_gate_runs() {
    let operator = Operator::before(Upstream::start());
    let gate = operator.deploy();
    let by = |session: &str| Request::post("/x").bearer(session);
    let leaked = gate.session_of("pk_customer").mint();
    by(&leaked).send(&gate).passed();

    let changed = tell(&gate, "PATCH", "keys/pk_customer", &json!({"version": 2}));
    let changed = changed.send(&gate).passed().json();
    by(&leaked).send(&gate).refused(401, "signature-invalid");
    let sk = changed["sk"].as_str().expect("the new secret");
    let anew = gate.session_of("pk_customer").key(sk).mint();
    by(&anew).send(&gate).passed();

    // And for good.
    let admin = format!("--gate http://127.0.0.1:{} --as {ADMIN}", gate.port);
    operator.writegate(&format!("key revoke {admin} pk_customer"));
    by(&anew).send(&gate).refused(401, "key-revoked");
    let listed = operator.writegate(&format!("key list {admin}"));
    assert!(listed.contains("pk_customer"), "the tombstone stays: {listed}");
}

#[test]
fn a_leaked_root_ends_everything_that_was_made_with_it() {
    let mut operator = Operator::before(Upstream::start());
    let gate = operator.deploy();
    let leaked = operator.made();
    let print = |gate: &Gate| {
        let status = testkit::admin_api::ask(gate, "GET", "status").send(gate);
        status.passed().json()["tokens"][0]["fingerprint"].clone()
    };
    let before = print(&gate);

    // Why the former root must not be kept: it is still good.
    let old = std::mem::replace(&mut operator.roots.0, fresh());
    operator.roots.1 = Some(old);
    good(&leaked, &operator.deploy());
    operator.roots.1 = None;
    let gate = operator.deploy();
    ended(&leaked, &gate);
    good(&operator.made(), &gate);
    assert_ne!(print(&gate), before);
}

#[test]
fn a_leaked_token_is_revoked_and_the_next_one_works() {
    let (first, second) = (fresh(), fresh());
    let live = format!("Bearer {second}");
    let upstream = Upstream::answering(move |seen, _| {
        // The first was revoked at the API.
        match seen.header("authorization").as_deref() == Some(&live) {
            true => Reply::ok("done"),
            false => Reply::new(401),
        }
    });
    let mut operator = Operator::before(upstream);
    operator.token.clone_from(&first);
    let gate = operator.deploy();
    let made = operator.made();
    made[0].send(&gate).refused(502, "upstream-rejected-token");
    let (_, line) = gate.logs.events("upstream_rejected_token", 1).remove(0);
    assert_eq!(line["secret"], "WRITE_TOKEN");

    operator.token = second;
    let gate = operator.deploy();
    let answer = made[0].send(&gate).passed();
    let line: Value = gate.logs.audit(&answer.request_id());
    assert_eq!(line["token"], fingerprint(&operator.roots.0, &operator.token));
    assert_ne!(line["token"], fingerprint(&operator.roots.0, &first));
}
