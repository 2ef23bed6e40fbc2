//! `console`: the session, which is all of standard output, and the browser.

use std::fs;
use std::process::Command;
use std::sync::mpsc::channel;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use testkit::upstream::PATIENCE;

use crate::checkout::{Checkout, Done, random_secret};

const ADMIN: &str =
    "[[vars.KEYS]]\nid = \"pk_site\"\n[[vars.KEYS]]\nid = \"pk_admin\"\nadmin = true\n";
const GATE: &str = "https://gate.example.com";

/// Returns the claims of the session that was printed, with the lifetime in the place of its times.
fn claims(done: &Done) -> Value {
    assert_eq!(done.code, Some(0), "{}", done.err);
    let session = done.out.strip_suffix('\n').unwrap();
    assert!(!done.err.contains(session), "{}", done.err);
    let parts: Vec<_> = session.split('.').collect();
    let read = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!((parts.len(), &read(parts[0])["kid"]), (3, &json!("pk_admin")));
    let mut claims = read(parts[1]);
    claims["ttl"] = json!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap());
    let claims = claims.as_object_mut().unwrap();
    claims.retain(|name, _| !["iat", "exp"].contains(&name.as_str()));
    json!(claims)
}

#[test]
fn the_session_is_short_and_opens_the_gate_s_own_paths() {
    let checkout = Checkout::keyed(ADMIN);
    let console = format!("console --no-open --gate {GATE}");
    let done = checkout.run(&console);
    let expected = json!({"sub": "console", "paths": ["/_gate/*"], "aud": GATE, "ttl": 900});
    assert_eq!(claims(&done), expected);
    assert!(done.err.contains(&format!("{GATE}/_gate/")), "{}", done.err);

    let done = checkout.run(&format!("{console} --read-only --ttl 60 --as pk_admin"));
    let mut narrow = expected;
    narrow["methods"] = json!(["GET"]);
    narrow["ttl"] = json!(60);
    assert_eq!(claims(&done), narrow);
    checkout.refuses(2, &format!("{console} --ttl 0 → --ttl"));
    checkout.refuses(2, &format!("{console} --ttl 3601 → 3600 s … SESSION_MAX_TTL"));

    // wrangler dev takes itself for the host of its first route.
    let local = checkout.run("console --no-open --gate http://127.0.0.1:8787");
    assert_eq!(claims(&local)["aud"], Value::Null);
}

#[test]
fn a_gate_with_shorter_sessions_gets_a_shorter_one() {
    let short = Checkout::keyed(&format!("[vars]\nSESSION_MAX_TTL = 600\n{ADMIN}"));
    let console = format!("console --no-open --gate {GATE}");
    assert_eq!(claims(&short.run(&console))["ttl"], 600);
    short.refuses(2, &format!("{console} --ttl 900 → 600 s … SESSION_MAX_TTL"));
    let none = format!("{console} → no key with admin = true … --as");
    Checkout::keyed("").refuses(2, &none);
}

#[test]
fn the_browser_gets_the_address_and_no_secret() {
    let checkout = Checkout::keyed(ADMIN);
    let fifo = checkout.0.join("opened");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let (sender, opened) = channel();
    let reader = fifo.clone();
    std::thread::spawn(move || sender.send(fs::read_to_string(reader).unwrap()));
    let script =
        format!("printf '%s %s' \"$*\" \"${{SIGNING_SECRET-none}}\" > '{}'", fifo.display());
    checkout.program("xdg-open", &script);
    let mut command = checkout.command(&format!("console --gate {GATE}"));
    command.env("PATH", checkout.0.join("bin")).env("SIGNING_SECRET", random_secret());
    claims(&Done::of(&mut command));
    let opened = opened.recv_timeout(PATIENCE).expect("a browser was started");
    assert_eq!(opened, format!("{GATE}/_gate/ none"));
}

#[test]
fn without_a_browser_the_address_is_enough() {
    let checkout = Checkout::keyed(ADMIN);
    let done = checkout.run_with_own_programs(&format!("console --gate {GATE}"));
    claims(&done);
    assert!(done.err.contains("could not start a browser"), "{}", done.err);
}
