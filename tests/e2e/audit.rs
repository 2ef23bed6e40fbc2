//! The line for each request (docs/wire-contract.md, section 9): what it says, and that no secret is ever in it.

use serde_json::{Value, json};
use testkit::client::{Connection, Request};
use testkit::gate::{Gate, KEY, Setup};
use testkit::logs::{Line, Stream};
use testkit::token::{fingerprint, fresh, now, sk};
use testkit::upstream::{Arrival, Latch, Reply, Upstream};

const FIELDS: [&str; 24] = [
    "event", "outcome", "code", "request_id", "key", "verified", "subject", "scheme", "method",
    "path", "query_keys", "route", "status", "upstream_status", "upstream_ms", "attempts",
    "request_bytes", "response_bytes", "cache", "token", "ip", "country", "colo", "time",
];

fn assert_says(line: &Value, expected: Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&line[name], value, "{name} in {line}");
    }
}

#[test]
fn a_forwarded_request_is_logged_whole() {
    let upstream = Upstream::queue(vec![Reply::new(201).body("created")]);
    let gate = Setup::to(&upstream).route("/cms/*", json!({})).start();
    let answer = Request::post("/cms/posts?b=secret-value&a=&b=2&c%5B%5D=1")
        .bearer(&gate.session().claim("sub", "user-7").mint())
        .header("CF-Connecting-IP", "192.0.2.1")
        .send(&gate)
        .passed();
    let line = gate.logs.audit(&answer.request_id());
    assert_says(
        &line,
        json!({
            "event": "request", "outcome": "forwarded", "code": null, "key": KEY, "verified": true,
            "subject": "user-7", "scheme": "session", "method": "POST", "path": "/cms/posts", "route": "/cms/*",
            "status": 201, "upstream_status": 201, "attempts": 1, "request_bytes": 7, "response_bytes": 7,
            "cache": null, "token": fingerprint(&gate.signing_secret, &gate.token), "ip": "192.0.2.1",
        }),
    );
    let keys: Vec<_> =
        line["query_keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    assert!(keys.starts_with(&["b", "a"]), "{keys:?}");
    assert!(line["upstream_ms"].is_u64(), "{line}");
    let members: Vec<_> = line.as_object().unwrap().keys().cloned().collect();
    for name in FIELDS {
        assert!(members.iter().any(|member| member == name), "{name} missing in {line}");
    }
    for name in &members {
        assert!(FIELDS.contains(&name.as_str()), "{name} is not in the contract");
    }
    assert_is_now(line["time"].as_str().unwrap());
}

/// Asserts a time such as `2026-11-22T20:00:00.000Z`, today or a day beside it.
fn assert_is_now(time: &str) {
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{time}");
    let days = now() / 86_400;
    let near = [days - 1, days, days + 1].map(|day| testkit::token::date(day * 86_400));
    assert!(near.iter().any(|date| time.starts_with(date)), "{time} is not one of {near:?}");
}

#[test]
fn a_refused_request_names_its_code_and_a_key_only_once_it_was_found() {
    let upstream = Upstream::start();
    let gate = Setup::to(&upstream).site(json!({"methods": ["GET"]})).start();
    let cases = [
        (
            Request::get("/x?key2=v"),
            json!({"code": "credential-missing", "key": null, "verified": false, "scheme": null, "status": 401}),
        ),
        (
            Request::get("/x").bearer(&gate.session_of("pk_nobody").mint()),
            json!({"code": "key-unknown", "key": null, "verified": false, "status": 401, "subject": null}),
        ),
        (
            Request::get("/x").bearer(&gate.session().key(&fresh()).claim("sub", "forged").mint()),
            json!({"code": "signature-invalid", "key": KEY, "verified": false, "status": 401, "subject": null}),
        ),
        (
            Request::post("/x").bearer(&gate.session().claim("sub", "real").mint()),
            json!({"code": "method-denied", "key": KEY, "verified": true, "subject": "real", "scheme": "session", "status": 403}),
        ),
    ];
    for (request, expected) in cases {
        let answer = request.send(&gate);
        let line = gate.logs.audit(&answer.request_id());
        assert_says(
            &line,
            json!({"outcome": "refused", "path": "/x", "upstream_status": null, "upstream_ms": null}),
        );
        assert_says(&line, expected);
    }
}

#[test]
fn there_is_one_line_for_each_request_and_it_goes_to_the_log() {
    let upstream =
        Upstream::queue(vec![Reply::ok("a"), Reply::new(401), Reply::new(522), Reply::ok("b")]);
    let gate = Gate::before(&upstream);
    let token = gate.bearer();
    let mut ids = Vec::new();
    for request in [
        Request::post("/x").bearer(&token),
        Request::post("/x").bearer(&token),
        Request::post("/x").bearer(&token),
        Request::post("/x"),
        Request::get("/a//b"),
        Request::post("/x").bearer(&token),
    ] {
        ids.push(request.send(&gate).request_id());
    }
    for id in &ids {
        gate.logs.audit(id);
    }
    let outcomes: Vec<_> = gate
        .logs
        .events("request", 6)
        .iter()
        .map(|(_, line)| line["outcome"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(outcomes, ["forwarded", "failed", "failed", "refused", "refused", "forwarded"]);
    let lines: Vec<_> = gate
        .stop()
        .into_iter()
        .filter(|line| line.json().is_some_and(|line| line["event"] == "request"))
        .collect();
    assert_eq!(lines.len(), 6);
    assert!(lines.iter().all(|line| line.stream == Stream::Log));
}

#[test]
fn no_secret_is_ever_logged() {
    let upstream = Upstream::queue(vec![
        Reply::ok("a").header("X-Note", "nothing"),
        Reply::new(401).body("your token is bad"),
        Reply::new(522),
        Reply::hang_up(),
        Reply::ok("done"),
    ]);
    let former = fresh();
    let gate = Setup::to(&upstream)
        .env("SIGNING_SECRET_PREVIOUS", former.as_str())
        .site(json!({}))
        .key(json!({"id": "pk_rate", "rate": "standard"}))
        .start();
    let good = gate.bearer();
    let secret = sk(&gate.signing_secret, KEY, 1);
    let value = fresh();
    let mut secrets = vec![
        gate.signing_secret.clone(),
        gate.token.clone(),
        former,
        good.clone(),
        secret.clone(),
        value.clone(),
    ];
    let forged = gate.session().key(&fresh()).mint();
    let unknown = gate.session_of(&value).mint();
    secrets.extend([forged.clone(), unknown.clone()]);
    secrets.extend(good.split('.').map(str::to_owned).skip(1));
    let post = |target: &str| Request::post(target);
    for request in [
        post("/x").bearer(&good),
        post("/x").bearer(&good),
        post("/x").bearer(&good),
        post("/x").bearer(&good),
        post(&format!("/x?a={value}&sig={value}&{}=1", "k")).bearer(&good).header("Cookie", &value),
        post("/x").bearer(&forged),
        post("/x").bearer(&unknown),
        post("/x").bearer(&value),
        post("/x").header("Authorization", &value),
        post("/x").bearer(&secret),
        Request::get("/x").header("X-Public-Key", &secret),
        Request::get(&format!("/x?key={secret}")),
        Request::get(&format!("/x?key={value}&exp=1&sig={value}")),
        Request::get(&format!("/x?verify=1234567890-{value}&key={KEY}")),
        post("/x").bearer(&good).header("X-Public-Key", &value),
        post("/x").bearer(&gate.session_of("pk_rate").mint()),
        post("/x")
            .header("Signature", &format!("sig1=:{value}:"))
            .header("Signature-Input", &format!("sig1=();keyid=\"{value}\"")),
        post("/x").bearer(&gate.session().claim("exp", 1).claim("name", value.as_str()).mint()),
    ] {
        let answer = request.send(&gate);
        gate.logs.audit(&answer.request_id());
    }
    Request::get("/").send_to(gate.cron);
    for line in gate.stop() {
        for secret in &secrets {
            assert!(!line.text.contains(secret.as_str()), "a secret in {}", line.text);
        }
    }
}

#[test]
fn a_request_whose_caller_leaves_is_logged() {
    let upstream = Upstream::start();
    let gate = Gate::before(&upstream);
    let mut connection = Connection::open(&gate);
    connection.write(
        &Request::new("POST", "/left")
            .bearer(&gate.bearer())
            .header("Content-Length", "100")
            .head(),
    );
    connection.write(b"half");
    upstream.until("the half", |seen| seen.first().is_some_and(|first| first.body == b"half"));
    connection.abandon();
    upstream.until("the end", |seen| seen[0].arrival == Arrival::BrokenOff);
    let line = gate.logs.events("request", 1).remove(0).1;
    assert_says(&line, json!({"path": "/left", "key": KEY, "verified": true, "outcome": "failed"}));
}

/// Returns a connection that is reset when it is closed, for it leaves an answer unread.
fn careless(gate: &Gate) -> Connection {
    let mut connection = Connection::open(gate);
    connection.write(&Request::get("/_gate/health").head());
    gate.logs.events("request", 1);
    connection
}

fn line_of_left(gate: &Gate) -> Value {
    gate.logs.until("the line", |lines| {
        let mut lines = lines.iter().filter_map(Line::json);
        lines.find(|line| line["event"] == "request" && line["path"] == "/left")
    })
}

#[test]
fn a_request_whose_caller_leaves_is_not_logged_as_answered() {
    let upstream = Upstream::start();
    let gate = Gate::before(&upstream);
    let mut connection = careless(&gate);
    let request = Request::new("POST", "/left").bearer(&gate.bearer());
    connection.write(&request.header("Content-Length", "100").head());
    connection.write(b"half");
    upstream.until("the half", |seen| seen.first().is_some_and(|first| first.body == b"half"));
    drop(connection);
    let line = line_of_left(&gate);
    assert_says(&line, json!({"outcome": "failed", "code": null, "status": null, "key": KEY}));
}

#[test]
fn nothing_is_sent_again_for_a_caller_who_left() {
    for status in [0, 503] {
        let latch = Latch::default();
        let late = latch.clone();
        let reply = match status {
            0 => Reply::hang_up(),
            _ => Reply::new(status).header("Retry-After", "1"),
        };
        let upstream = Upstream::answering(move |_, _| reply.clone().after(&late));
        let gate = Gate::before(&upstream);
        let mut connection = careless(&gate);
        connection.write(&Request::get("/left").bearer(&gate.bearer()).head());
        upstream.until("the request", |seen| !seen.is_empty());
        drop(connection);
        // When another one has been answered, this one's end has been noticed.
        Request::get("/_gate/health").send(&gate);
        latch.open();
        let line = line_of_left(&gate);
        assert_says(
            &line,
            json!({"outcome": "failed", "code": null, "status": null, "attempts": 1}),
        );
        assert_eq!(upstream.seen().len(), 1, "{status}");
    }
}
