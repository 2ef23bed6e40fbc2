//! `key list`, `key revoke` and `key import` where there is no gate to ask, or nothing to ask it. What they do with one is
//! shown by `tests/e2e/admin_command.rs`.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

use crate::checkout::{Checkout, Done, rows};

const ADMIN: &str =
    "[[vars.KEYS]]\nid = \"pk_site\"\n[[vars.KEYS]]\nid = \"pk_admin\"\nadmin = true\n";

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
    Checkout::keyed(ADMIN).refuses(
        2,
        "
        key list --gate gate.example.com
        key list --as pk_admin
        key list --gate http://gate.example.com
        key list --gate https://gate.example.com/_gate
        key list --gate https://a@gate.example.com
        key list --gate https://gate.example.com --as 'a b'
        key revoke --gate https://gate.example.com
        key revoke --gate https://gate.example.com 'a b'
        key import --gate https://gate.example.com
        key import keys.json
        ",
    );
}

#[test]
fn the_admin_is_the_one_key_that_is_one() {
    let (listener, gate) = listener();
    let several = ADMIN.replace("id = \"pk_site\"", "id = \"pk_site\"\nadmin = true");
    for (wrangler, words) in [
        ("", "no key with admin = true … --as"),
        ("[[vars.KEYS]]\nid = \"pk_site\"\n", "no key with admin = true … key new --admin"),
        (&several, "several keys … --as"),
    ] {
        Checkout::keyed(wrangler).refuses(2, &format!("key list --gate {gate} → {words}"));
    }
    let row = format!("key list --gate {gate} → SIGNING_SECRET … .dev.vars");
    Checkout::new(ADMIN).refuses(1, &row);
    assert_uncalled(&listener);
}

#[test]
fn nothing_is_sent_where_a_record_is_wrong() {
    let checkout = Checkout::keyed(ADMIN);
    let (listener, gate) = listener();
    for (text, words) in rows(
        r#"
        [{"id":"pk_a"},{"id":"pk_b","path":["/x"]}]   → record 2.path … unknown field
        {"id":"pk_a"}⏎{"id":"pk_b","paths":[]}⏎       → record 2.paths
        {"id":"pk_a"}⏎{"id":"pk_b","admin":true}⏎     → record 2.admin … configuration
        {"id":"pk_a"}⏎{"id":"pk_a"}⏎                  → record 2.id … record 1
        {"id":"pk_a"}⏎⏎{"id":                         → record 2 (line 3) … JSON
        [{"id":"pk_a"}                                → JSON array
        ⏎                                             → no record
        "#,
    ) {
        let text = text.replace('⏎', "\n");
        let file = checkout.file("keys", &text);
        checkout.run(&format!("key import --gate {gate} {file}")).failed(2, &words);
        // The same from standard input.
        let mut command = checkout.command(&format!("key import --gate {gate} -"));
        Done::fed(&mut command, &text).refused(2, &[]);
    }
    let missing = "FILE: reading the file: No such file";
    checkout.refuses(2, &format!("key import --gate {gate} no-such-file → {missing}"));
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
    let checkout = Checkout::keyed(ADMIN);
    let (listener, gate) = listener();
    let (elsewhere, other) = self::listener();
    for said in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".to_owned(),
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>".to_owned(),
        // Whoever follows it carries the session there.
        format!("HTTP/1.1 302 Found\r\nLocation: {other}/\r\nContent-Length: 0\r\n\r\n"),
    ] {
        let (done, request) = std::thread::scope(|scope| {
            let request = scope.spawn(|| answer(&listener, &said));
            (checkout.run(&format!("key list --gate {gate}")), request.join().unwrap())
        });
        done.failed(1, &["not a gate's", "--gate"]);
        assert!(request.starts_with("GET /_gate/keys HTTP/1.1\r\n"), "{request}");
    }
    assert_uncalled(&elsewhere);

    let (closed, gate) = self::listener();
    drop(closed);
    let file = checkout.file("keys", r#"{"id":"pk_a"}"#);
    checkout.refuses(
        1,
        &format!(
            "
            key list --gate {gate} → {gate}
            key revoke --gate {gate} pk_site → {gate}
            key import --gate {gate} {file} → record 1 may have been imported or not
            "
        ),
    );
}

#[test]
fn the_session_is_good_for_its_one_request_only() {
    let checkout = Checkout::keyed(ADMIN);
    let (listener, gate) = listener();
    let empty = "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{\"keys\":[],\"cursor\":null}";
    let (printed, request) = std::thread::scope(|scope| {
        let request = scope.spawn(|| answer(&listener, empty));
        (checkout.prints(&format!("key list --gate {gate}")), request.join().unwrap())
    });
    assert_eq!(printed, "");
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
