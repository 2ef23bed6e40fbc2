//! `key list`, `key revoke` and `key import` where there is no gate to ask, or nothing to ask it. What they do with one is
//! shown by `tests/e2e/admin_command.rs`.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::Value;
use writegate::Key;

use crate::checkout::{Checkout, Done, random_secret};

const ADMIN: &str =
    "[[vars.KEYS]]\nid = \"pk_site\"\n[[vars.KEYS]]\nid = \"pk_admin\"\nadmin = true\n";

fn checkout(wrangler: &str) -> Checkout {
    let checkout = Checkout::new(wrangler);
    checkout.secret(&random_secret());
    checkout
}

/// Returns somebody who listens, and the address.
pub(crate) fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address)
}

fn assert_uncalled(listener: &TcpListener) {
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "somebody called");
}

#[test]
fn wrong_arguments_are_usage_errors() {
    let checkout = checkout(ADMIN);
    for arguments in [
        ["key", "list", "--gate", "gate.example.com"].as_slice(),
        &["key", "list", "--as", "pk_admin"],
        &["key", "list", "--gate", "http://gate.example.com"],
        &["key", "list", "--gate", "https://gate.example.com/_gate"],
        &["key", "list", "--gate", "https://a@gate.example.com"],
        &["key", "list", "--gate", "https://gate.example.com", "--as", "a b"],
        &["key", "revoke", "--gate", "https://gate.example.com"],
        &["key", "revoke", "--gate", "https://gate.example.com", "a b"],
        &["key", "import", "--gate", "https://gate.example.com"],
        &["key", "import", "keys.json"],
    ] {
        let done = checkout.run(arguments);
        assert_eq!((done.code, done.out.as_str()), (Some(2), ""), "{arguments:?}: {}", done.err);
    }
}

#[test]
fn the_admin_is_the_one_key_that_is_one() {
    let (listener, gate) = listener();
    let list = ["key", "list", "--gate", &gate];
    let none = "[[vars.KEYS]]\nid = \"pk_site\"\n";
    for (wrangler, words) in [
        ("", ["no key with admin = true", "--as"]),
        (none, ["no key with admin = true", "key new --admin"]),
        (
            "[[vars.KEYS]]\nid = \"a\"\nadmin = true\n[[vars.KEYS]]\nid = \"b\"\nadmin = true\n",
            ["several keys", "--as"],
        ),
    ] {
        checkout(wrangler).run(&list).failed(2, &words);
    }
    Checkout::new(ADMIN).run(&list).failed(1, &["SIGNING_SECRET", ".dev.vars"]);
    assert_uncalled(&listener);
}

#[test]
fn a_new_admin_key_is_a_record_that_the_gate_reads() {
    let checkout = Checkout::new("");
    let printed = checkout.run(&["key", "new", "--admin"]).succeeded();
    let wrangler: Value = toml::from_str(&printed).unwrap();
    let record = wrangler["vars"]["KEYS"][0].clone();
    assert!(Key::parse("KEYS[0]", record).unwrap().admin);
    let printed = checkout.run(&["key", "new"]).succeeded();
    assert!(!printed.contains("admin"), "{printed}");
}

#[test]
fn nothing_is_sent_where_a_record_is_wrong() {
    let checkout = checkout(ADMIN);
    let (listener, gate) = listener();
    let good = r#"{"id":"pk_a"}"#;
    for (text, words) in [
        (
            format!("[{good},{{\"id\":\"pk_b\",\"path\":[\"/x\"]}}]"),
            ["record 2.path", "unknown field"].as_slice(),
        ),
        (format!("{good}\n{{\"id\":\"pk_b\",\"paths\":[]}}\n"), &["record 2.paths"]),
        (
            format!("{good}\n{{\"id\":\"pk_b\",\"admin\":true}}\n"),
            &["record 2.admin", "configuration"],
        ),
        (format!("{good}\n{good}\n"), &["record 2.id", "record 1"]),
        (format!("{good}\n\n{{\"id\":"), &["record 2 (line 3)", "JSON"]),
        (format!("[{good}"), &["JSON array"]),
        (" \n".to_owned(), &["no record"]),
    ] {
        let file = checkout.file("keys", &text);
        checkout.run(&["key", "import", "--gate", &gate, &file]).failed(2, words);
        // The same from standard input.
        let mut command = checkout.command(&["key", "import", "--gate", &gate, "-"]);
        let done = Done::fed(&mut command, &text);
        assert_eq!((done.code, done.out.as_str()), (Some(2), ""));
    }
    let missing = checkout.run(&["key", "import", "--gate", &gate, "no-such-file"]);
    missing.failed(2, &["FILE: reading the file: No such file"]);
    assert_uncalled(&listener);
}

/// Answers one request so, and returns what it was.
pub(crate) fn answer(listener: &TcpListener, answer: &str) -> String {
    let (mut stream, _address) = listener.accept().unwrap();
    let request = head(&mut stream);
    stream.write_all(answer.as_bytes()).unwrap();
    request
}

fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn an_answer_of_something_else_is_one_line() {
    let checkout = checkout(ADMIN);
    let (listener, gate) = listener();
    let (elsewhere, other) = self::listener();
    for said in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".to_owned(),
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>".to_owned(),
        // Whoever follows it carries the session there.
        format!("HTTP/1.1 302 Found\r\nLocation: {other}/\r\nContent-Length: 0\r\n\r\n"),
    ] {
        let list = ["key", "list", "--gate", &gate];
        let (done, request) = std::thread::scope(|scope| {
            let request = scope.spawn(|| answer(&listener, &said));
            (checkout.run(&list), request.join().unwrap())
        });
        done.failed(1, &["not a gate's", "--gate"]);
        assert!(request.starts_with("GET /_gate/keys HTTP/1.1\r\n"), "{request}");
    }
    assert_uncalled(&elsewhere);

    let (closed, gate) = self::listener();
    drop(closed);
    for arguments in [
        ["key", "list", "--gate", &gate].as_slice(),
        &["key", "revoke", "--gate", &gate, "pk_site"],
    ] {
        checkout.run(arguments).failed(1, &[&gate]);
    }
    let file = checkout.file("keys", r#"{"id":"pk_a"}"#);
    let import = ["key", "import", "--gate", &gate, &file];
    checkout.run(&import).failed(1, &["record 1 may have been imported or not"]);
}

#[test]
fn the_session_is_good_for_its_one_request_only() {
    let checkout = checkout(ADMIN);
    let (listener, gate) = listener();
    let empty = "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{\"keys\":[],\"cursor\":null}";
    let list = ["key", "list", "--gate", &gate];
    let (done, request) = std::thread::scope(|scope| {
        let request = scope.spawn(|| answer(&listener, empty));
        (Done::of(&mut checkout.command(&list)), request.join().unwrap())
    });
    assert_eq!(done.succeeded(), "");
    let token = request.split("Bearer ").nth(1).unwrap();
    let claims = token.split('.').nth(1).unwrap();
    let claims = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["paths"], serde_json::json!(["/_gate/keys"]));
    assert_eq!(claims["methods"], serde_json::json!(["GET"]));
    assert_eq!(claims["aud"], gate.as_str());
    let lasts = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert!(lasts <= 30, "{claims}");
}
