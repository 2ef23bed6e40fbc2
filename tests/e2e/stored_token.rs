//! The API's token in a Secrets Store (docs/wire-contract.md, section 1): a new value counts without a deployment,
//! within 30 s, and without it nothing is sent.

use std::time::Duration;

use serde_json::json;
use testkit::admin_api::{admin, ask};
use testkit::client::Request;
use testkit::gate::{Gate, Setup};
use testkit::poll::poll;
use testkit::token::{date, fingerprint, fresh, now};
use testkit::upstream::Upstream;

/// The bound of 30 s, and time to notice.
const BOUND: Duration = Duration::from_secs(45);

fn post(gate: &Gate) -> Request {
    Request::post("/x").bearer(&gate.bearer())
}

fn put(gate: &Gate, value: &str) {
    Request::new("PUT", "/").body(value).send_to(gate.secrets).passed();
}

#[test]
fn a_new_value_counts_without_a_deployment() {
    let upstream = Upstream::start();
    let (first, second) = (fresh(), fresh());
    let issued = date(now() - 3 * 86_400);
    let envelope = json!({"token": first, "issued_at": issued}).to_string();
    let gate = admin(Setup::to(&upstream)).stored(&envelope).start();
    let root = gate.signing_secret.clone();
    let print = |token: &str| fingerprint(&root, token);

    post(&gate).send(&gate).passed();
    assert_eq!(upstream.only().header("authorization"), Some(format!("Bearer {first}")));
    let shown = ask(&gate, "GET", "status").send(&gate).json();
    assert_eq!(shown["tokens"][0]["fingerprint"], print(&first));
    assert_eq!(shown["tokens"][0]["state"], "ok");

    put(&gate, &second);
    let mut sent = 1;
    poll(BOUND, || {
        post(&gate).send(&gate).passed();
        sent += 1;
        let last = upstream.last().header("authorization");
        match last == Some(format!("Bearer {second}")) {
            true => Ok(()),
            false => Err(format!("request {sent} went with the first token")),
        }
    });
    let shown = ask(&gate, "GET", "status").send(&gate).json();
    assert_eq!(shown["tokens"][0]["fingerprint"], print(&second));
    assert_eq!(shown["tokens"][0]["state"], "unknown");

    // The scheduled handler reads it too.
    Request::get("/").send_to(gate.cron).passed();
    let (_, line) = gate.logs.events("rotation", 1).remove(0);
    assert_eq!(line["fingerprint"], print(&second));

    let requests = |token: &str| {
        let seen = upstream.seen();
        let with = |token| Some(format!("Bearer {token}"));
        seen.iter().filter(|seen| seen.header("authorization") == with(token)).count()
    };
    assert_eq!(requests(&first) + requests(&second), sent, "each went with one of the two");
    let lines = gate.stop();
    let lines: Vec<String> = lines.iter().map(|line| line.text.to_owned()).collect();
    assert!(lines.iter().any(|line| line.contains(&print(&second))));
    for token in [&first, &second] {
        assert!(!lines.iter().any(|line| line.contains(token.as_str())));
    }
    let asked = lines.iter().filter(|line| line.contains("secrets-store")).count();
    assert!(asked <= 5, "{asked} times for {sent} requests");
}

#[test]
fn without_it_nothing_is_sent_until_it_is_there() {
    let upstream = Upstream::start();
    let gate = Setup::to(&upstream).stored("").start();
    post(&gate).send(&gate).refused(503, "feature-unavailable");
    let line = gate.logs.events("feature_unavailable", 1).remove(0).1;
    let shown = line["feature"].as_str().unwrap();
    assert!(shown.contains("WRITE_TOKEN") && shown.contains("Secrets Store"), "{line}");
    put(&gate, "hangs");
    post(&gate).send(&gate).refused(503, "feature-unavailable");
    upstream.assert_untouched();
    put(&gate, "there");
    post(&gate).send(&gate).passed();
    assert_eq!(upstream.only().header("authorization").as_deref(), Some("Bearer there"));
}
