//! `check --gate`: how old the tokens are that a running gate holds, and a gate that does not tell.

use serde_json::{Value, json};
use testkit::admin_api::{ADMIN, admin};
use testkit::gate::{Gate, KEY, Setup};
use testkit::program::Done;
use testkit::token::{date, fingerprint, fresh, now};
use testkit::upstream::Upstream;

use crate::Folder;

fn gate(secret: &str) -> Gate {
    let upstream = Upstream::start();
    admin(Setup::to(&upstream)).env("WRITE_TOKEN", secret).start()
}

fn checkout() -> Folder {
    Folder::of(&format!(
        "[vars]\nUPSTREAM = \"https://cms.example.org\"\n[[vars.KEYS]]\nid = \"{KEY}\"\n\
         [[vars.KEYS]]\nid = \"{ADMIN}\"\nadmin = true\n"
    ))
}

/// Returns the exit code, and the one row.
fn rotation(folder: &Folder, port: u16, root: &str, more: &[&str]) -> (i32, Value) {
    let gate = format!("http://127.0.0.1:{port}");
    let mut check = folder.command(root);
    check.args(["check", "--json", "--only", "rotation", "--gate", &gate]).args(more);
    let done = Done::of(&mut check);
    assert!(![&done.out, &done.err].iter().any(|text| text.contains(root)), "{done:?}");
    let row = serde_json::from_str(&done.out).unwrap_or_else(|_| panic!("one row: {done:?}"));
    (done.code.unwrap(), row)
}

#[test]
fn a_schedule_fails_when_a_token_is_due() {
    let (checkout, token) = (checkout(), fresh());
    let gate = gate(&json!({"token": token, "issued_at": date(now() - 76 * 86_400)}).to_string());
    let (code, row) = rotation(&checkout, gate.port, &gate.signing_secret, &[]);
    assert_eq!((code, &row["status"]), (0, &json!("warn")), "{row}");
    let print = fingerprint(&gate.signing_secret, &token);
    let evidence = format!("WRITE_TOKEN is due (76 of 90 days old, fingerprint {print})");
    assert_eq!(row["evidence"], evidence.as_str());
    let (code, row) = rotation(&checkout, gate.port, &gate.signing_secret, &["--strict"]);
    assert_eq!(code, 1, "{row}");
}

#[test]
fn a_gate_that_does_not_tell_is_not_called_well() {
    let checkout = checkout();
    let running = gate(&fresh());
    for (port, root, more, word) in [
        (running.port, fresh(), vec![], "signature-invalid"),
        (running.port, running.signing_secret.clone(), vec!["--as", KEY], "path-denied"),
        (1, running.signing_secret.clone(), vec![], "127.0.0.1:1"),
        (running.port, "short".to_owned(), vec![], "5 bytes"),
    ] {
        let (code, row) = rotation(&checkout, port, &root, &more);
        assert_eq!((code, &row["status"]), (0, &json!("warn")), "{row}");
        assert!(row["evidence"].as_str().unwrap().contains(word), "{word} in {row}");
        assert!(row["hint"].as_str().unwrap().contains("--gate"), "{row}");
        let strict = [more, vec!["--strict"]].concat();
        assert_eq!(rotation(&checkout, port, &root, &strict).0, 1);
    }
}

#[test]
fn a_gate_that_answers_503_to_everything_fails() {
    let upstream = Upstream::start();
    let gate = admin(Setup::to(&upstream)).env("CLOCK_SKEW", 301).start();
    let (code, row) = rotation(&checkout(), gate.port, &gate.signing_secret, &[]);
    assert_eq!((code, &row["status"]), (1, &json!("fail")), "{row}");
    assert!(row["evidence"].as_str().unwrap().contains("misconfigured"), "{row}");
}
