//! The parts of signed requests that need the platform: its header fields as the gate gets them, and everything that the process logs. What is
//! decided of them is in `tests/core/`.

use serde_json::json;
use testkit::bound::{Bound, UNSUPPORTED, component_is, refused, signing};
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::{KEY, Setup};
use testkit::signing::bytes;
use testkit::token::{b64, fresh, now};
use testkit::upstream::Upstream;

fn to(target: &str) -> Request {
    Request::get(target)
}

#[test]
fn a_field_is_its_trimmed_values_joined() {
    let mut table = Check::of(signing);
    for (values, joined) in [
        (&["plain"][..], "plain"),
        (&["  in space \t "], "in space"),
        (&["a  b\tc"], "a  b\tc"),
        (&["a", "b"], "a, b"),
        (&[" a ", "  b, c "], "a, b, c"),
        (&["b", "a", "b"], "b, a, b"),
        (&[""], ""),
        (&["", ""], ", "),
        (&["a,b", "\"c\\\""], "a,b, \"c\\\""),
        (&["x: \"y\""], "x: \"y\""),
    ] {
        let request = values.iter().fold(to("/x"), |r, value| r.header("X-Own", value));
        component_is(&mut table, &request, "x-own", joined);
    }
    let mixed = to("/x").header("x-own", "1").header("X-Between", "0").header("X-OWN", "2");
    component_is(&mut table, &mixed, "x-own", "1, 2");
    for (name, value) in [
        ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("Content-Type", "application/json"),
        ("Accept", "text/html;q=0.9, */*"),
        ("X_Under", "1"),
        ("Origin", "https://www.example.com"),
        ("Content-Length", "2"),
    ] {
        let request = Request::new("POST", "/x").header(name, value).body("{}");
        component_is(&mut table, &request, &name.to_ascii_lowercase(), value);
    }
}

#[test]
fn a_value_that_is_not_ascii_is_not_covered() {
    let mut table = Check::of(signing);
    for bytes in ["\u{e9}", "caf\u{c3}\u{a9}", "a\u{ff}b"] {
        let by = table.gate.signature();
        let with = |name: &str| to("/x").header(name, bytes);
        let covered = by.clone().also("x-own").sign(with("X-Own"));
        refused(&mut table, "a value that is not ASCII", covered, UNSUPPORTED);
        table.passes("the same, not covered", &by.sign(with("X-Own")));
    }
}

#[test]
fn neither_answers_nor_lines_hold_a_mac_or_a_secret() {
    let upstream = Upstream::start();
    let gate = Setup::to(&upstream)
        .site(json!({"schemes": ["signature", "session"]}))
        .key(json!({"id": "pk_nonce", "schemes": ["signature"], "nonce": "required"}))
        .replay()
        .start();
    let (query, nonce, cookie) = (fresh(), fresh(), fresh());
    let bound = Bound::new(&gate.signing_secret, KEY);
    let request =
        Request::get(&format!("/x?q={query}")).header("Cookie", &cookie).bearer(&bound.token());
    let mut bare = request.clone();
    bare.headers.retain(|(name, _)| name != "Authorization");
    let key = gate.signature().also("cookie").nonce(&nonce);
    let once = gate.signature_of("pk_nonce").nonce(&nonce);
    let proof = bound.proof().also("cookie").nonce(&nonce);
    let mut secret = vec![cookie, bound.token(), gate.token.clone(), gate.signing_secret.clone()];
    let mut answers = Vec::new();
    for (by, request) in [(&key, &bare), (&once, &bare), (&proof, &request)] {
        let wrong = by.clone().secret(&fresh());
        let late = by.clone().param("created", now() - 9_000);
        // The right MACs of what is refused, and the wrong ones that were sent.
        for by in [by, &wrong, &late] {
            secret.extend(spellings(&by.mac(request)));
        }
        for by in [by, by, &wrong, &late] {
            answers.push(by.sign(request.clone()).send(&gate).to_string());
        }
    }
    secret.extend([key, once, proof].map(|by| by.secret));
    for answer in &answers {
        let found = secret.iter().find(|secret| answer.contains(*secret));
        assert_eq!(found, None, "{answer}");
    }
    secret.extend([query, nonce]);
    let lines = gate.stop();
    assert!(lines.len() >= answers.len(), "{lines:#?}");
    for line in lines {
        let found = secret.iter().find(|secret| line.text.contains(*secret));
        assert_eq!(found, None, "{line:?}");
    }
}

/// Returns a MAC as somebody might write it.
fn spellings(mac: &[u8]) -> [String; 3] {
    let standard = bytes(mac).replace([':', '='], "");
    let hex = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    [standard, b64(mac), hex]
}
