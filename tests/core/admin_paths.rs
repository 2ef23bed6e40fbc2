//! The paths of the admin API (docs/wire-contract.md, section 7): the gate says which paths exist before it looks at
//! any credential, and says only to an admin which keys exist.

use crate::native::check;
use serde_json::json;
use testkit::admin_api::{admin, ask, bare, tell};
use testkit::client::Request;
use testkit::gate::KEY;

#[test]
fn unknown_paths_are_unknown_to_everybody() {
    let mut table = check(|setup| admin(setup).registered(json!({"id": "pk_there"})));
    let long = format!("keys/{}", "x".repeat(129));
    for path in [
        "keyz",
        "Keys",
        "key",
        "keys/",
        "keys/pk_there/",
        "keys/pk_there/x",
        "keys/a%20b",
        "keys/pk%5Fthere",
        "keys/pk_there;x",
        "keys/pk,there",
        "keys/*",
        "statuses",
        "status/",
        "status/x",
        long.as_str(),
    ] {
        for method in ["GET", "POST", "DELETE"] {
            table.refused(path, &bare(method, path), 404, "no-route");
            let asked = ask(&table.gate, method, path);
            table.refused(path, &asked, 404, "no-route");
        }
    }
    for path in ["keys/..", "keys/%2e%2e/x", "keys//x", "keys/a%2Fb", "keys/a%5Cb"] {
        let asked = ask(&table.gate, "GET", path);
        table.refused(path, &asked, 400, "bad-path");
    }
    let longest = ask(&table.gate, "GET", &long[..long.len() - 1]);
    table.refused("an id as long as one may be", &longest, 404, "no-route");
    let there = ask(&table.gate, "GET", "keys/pk_there");
    table.answered("one that is there", &there, 200);
}

#[test]
fn other_methods_are_refused_with_those_that_are_taken() {
    let mut table = check(|setup| admin(setup).registered(json!({"id": "pk_there"})));
    for (path, allowed, others) in [
        ("keys", vec!["GET", "HEAD", "POST"], vec!["PUT", "PATCH", "DELETE", "OPTIONS"]),
        ("keys/pk_there", vec!["DELETE", "GET", "HEAD", "PATCH"], vec!["PUT", "POST", "OPTIONS"]),
        ("keys/pk_nobody", vec!["DELETE", "GET", "HEAD", "PATCH"], vec!["PUT", "POST", "OPTIONS"]),
        ("usage", vec!["GET", "HEAD"], vec!["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
        ("purge", vec!["POST"], vec!["GET", "PUT", "PATCH", "DELETE", "OPTIONS"]),
        ("status", vec!["GET", "HEAD"], vec!["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    ] {
        for method in others {
            for request in [bare(method, path), ask(&table.gate, method, path)] {
                let answer = table.refused(path, &request, 405, "method-not-allowed");
                let allow = answer.header("allow").unwrap_or_default();
                let mut named: Vec<_> = allow.split(", ").collect();
                named.sort_unstable();
                table.that(named == allowed, || format!("{method} {path}: Allow: {allow}"));
            }
        }
    }
    for method in ["TRACE", "PURGE"] {
        let asked = ask(&table.gate, method, "keys");
        table.refused(method, &asked, 405, "method-not-allowed");
    }
}

#[test]
fn only_admins_learn_which_keys_there_are() {
    let mut table = check(|setup| admin(setup).registered(json!({"id": "pk_there"})));
    for id in ["pk_there", "pk_nobody", KEY] {
        for method in ["GET", "PATCH", "DELETE"] {
            let path = format!("keys/{id}");
            table.refused(id, &bare(method, &path), 401, "credential-missing");
            let other = bare(method, &path).bearer(&table.gate.bearer());
            table.refused(id, &other, 403, "path-denied");
        }
    }
    for (method, body) in [("GET", None), ("DELETE", None), ("PATCH", Some(json!({"name": "x"})))] {
        let asked = match &body {
            Some(body) => tell(&table.gate, method, "keys/pk_nobody", body),
            None => ask(&table.gate, method, "keys/pk_nobody"),
        };
        table.refused("unknown", &asked, 404, "no-route");
    }
}

#[test]
fn a_head_is_answered_as_its_get_without_the_body() {
    let table = check(|setup| admin(setup).registered(json!({"id": "pk_there"})));
    for path in ["keys", "keys/pk_there", "status"] {
        let answer = ask(&table.gate, "HEAD", path).send(&table.gate);
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}: {answer}");
        let kind = answer.header("content-type");
        assert_eq!(kind.as_deref(), Some("application/json"), "{path}");
    }
    let unknown = ask(&table.gate, "HEAD", "keys/pk_nobody").send(&table.gate);
    assert_eq!((unknown.status, unknown.body.len()), (404, 0), "{unknown}");
}

#[test]
fn a_read_has_no_body() {
    let mut table = check(admin);
    let list = ask(&table.gate, "GET", "keys").body("{}");
    table.refused("a GET with a body", &list, 400, "bad-request");
    let upgrade = ask(&table.gate, "GET", "keys")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket");
    table.refused("an upgrade", &upgrade, 400, "bad-request");
    let request: Request = ask(&table.gate, "GET", "keys");
    table.answered("neither", &request, 200);
}
