//! Ten thousand requests of every kind, of several keys, over many connections at once: the ledger says exactly what
//! their callers counted (docs/wire-contract.md, section 7).

use std::collections::BTreeMap;
use std::thread;

use serde_json::{Value, json};
use testkit::cache::{HIT, TTL};
use testkit::client::{Connection, Request, Response};
use testkit::gate::{Gate, Setup};
use testkit::token::{fresh, now};
use testkit::upstream::{Reply, Seen, Upstream};

use crate::usage::{Counts, add, settles, settles_by, with_ledger};
use crate::usage_ledger::MOODY;

const SITE: &str = "https://www.example.com";
const IDS: [&str; 3] = ["pk_one", "pk_two", "pk_three"];
/// A key that is sent bare.
const OPEN: &str = "pk_open";
const CONNECTIONS: usize = 8;

/// By key.
type Books = BTreeMap<String, Counts>;

fn upstream() -> Upstream {
    Upstream::answering(|request: &Seen, nth| match request.target.trim_start_matches('/') {
        "chunked" => Reply::new(200)
            .parts((0..nth % 4).map(|part| (None, vec![b'x'; 100 * part + 1])).collect()),
        "204" => Reply::new(204),
        "522" => Reply::new(522),
        "500" => Reply::new(500).body("broken"),
        _ => Reply::ok(&"y".repeat(nth % 1_000)),
    })
}

/// Adds two keys, the second with this quota, if it is one.
fn keys(setup: Setup, quota: Value) -> Setup {
    let cache = json!({"ttl": TTL});
    let schemes = json!(["session", "signature"]);
    let mut second = json!({"id": IDS[1], "schemes": schemes});
    if quota != Value::Null {
        second["quota"] = quota;
    }
    let setup = setup
        .route("/live/*", json!({}))
        .route("/kept/*", json!({"cache": cache}))
        .key(json!({"id": IDS[0], "schemes": schemes}))
        .key(second)
        .key(json!({"id": IDS[2], "schemes": schemes, "paths": ["/live/*", "/kept/*"]}))
        .key(json!({"id": OPEN, "schemes": ["public-key"], "paths": ["/*"], "allowed_origins": [SITE]}));
    with_ledger(setup).cache()
}

/// One request of many, and what it must come to; nothing is counted of one without an outcome.
struct Case {
    key: &'static str,
    request: Request,
    bytes_in: usize,
    outcome: Option<&'static str>,
}

fn case(gate: &Gate, number: usize) -> Case {
    let key = IDS[number / 13 % IDS.len()];
    let session = gate.session_of(key);
    let token = session.mint();
    let by = |method: &str, path: &str| Request::new(method, path).bearer(&token);
    let body = vec![b'z'; number % 3_000];
    let counted = |request: Request, outcome| {
        let bytes_in = request.body.as_ref().map_or(0, Vec::len);
        Case { key, request, bytes_in, outcome: Some(outcome) }
    };
    let uncounted = |request| Case { key, request, bytes_in: 0, outcome: None };
    let bare =
        |origin: &str| Request::get("/live/open").header("X-Public-Key", OPEN).origin(origin);
    match number % 13 {
        0 => counted(by("POST", "/live/x").body(body), "forwarded"),
        1 => counted(by("GET", "/live/chunked"), "forwarded"),
        2 => counted(by("HEAD", "/live/x"), "forwarded"),
        3 => counted(by("DELETE", "/live/204"), "forwarded"),
        4 => counted(by("POST", "/live/522").body(body), "failed"),
        5 => counted(by("POST", "/live/500").body(body), "forwarded"),
        6 => counted(by("GET", &format!("/kept/{}", number % 5)), "kept"),
        7 => counted(by("GET", "/kept/part").header("Range", "bytes=0-9"), "kept"),
        8 => {
            let narrow = session.claim("paths", json!(["/elsewhere"])).mint();
            counted(Request::get("/live/x").bearer(&narrow), "refused")
        }
        9 => {
            let signed = gate.signature_of(key).sign(Request::post("/live/x").body(body));
            // The length is that of what was signed, the bytes are not.
            let changed = signed.body.as_ref().map(|body| vec![b'!'; body.len().max(1)]);
            counted(Request { body: changed, ..signed }, "refused")
        }
        10 => {
            let chunks = format!(
                "{:x}\r\n{}\r\n3\r\nend\r\n0\r\n\r\n",
                number % 500 + 1,
                "w".repeat(number % 500 + 1)
            );
            let request = by("PUT", "/live/x").header("Transfer-Encoding", "chunked").body(chunks);
            Case { key, request, bytes_in: number % 500 + 4, outcome: Some("forwarded") }
        }
        11 => Case { key: OPEN, request: bare(SITE), bytes_in: 0, outcome: Some("forwarded") },
        _ => match number / 13 % 5 {
            0 => uncounted(Request::get("/live/x").bearer(&session.key(&fresh()).mint())),
            1 => {
                uncounted(Request::get("/live/x").bearer(&session.claim("exp", now() - 10).mint()))
            }
            2 => uncounted(bare("https://evil.example")),
            3 => uncounted(
                Request::new("OPTIONS", "/live/x")
                    .origin(SITE)
                    .header("Access-Control-Request-Method", "PUT"),
            ),
            _ => uncounted(Request::get("/nowhere").bearer(&token)),
        },
    }
}

/// Returns the end of a request as its caller sees it.
fn seen(case: &Case, answer: &Response) -> Option<&'static str> {
    let code = answer.code();
    let outcome = match code.as_str() {
        "" if answer.header("cache-status").as_deref() == Some(HIT) => "cached",
        "" => "forwarded",
        "upstream-unreachable" => "failed",
        _ => "refused",
    };
    match case.outcome {
        None => assert!(answer.status == 204 || answer.status >= 400, "{answer}"),
        Some("kept") => assert!(["cached", "forwarded"].contains(&outcome), "{answer}"),
        Some(expected) => assert_eq!(outcome, expected, "{answer}"),
    }
    case.outcome.map(|_| outcome)
}

/// Sends so many over every connection, and adds up what was sent and what came back.
fn send(gate: &Gate, ports: &[u16], each: usize) -> Books {
    let one = |connection: usize| {
        let mut books = Books::new();
        let port = ports[connection % ports.len()];
        let mut line = Connection::to_port(port);
        for number in 0..each {
            let case = case(gate, connection * each + number);
            let answer = line.exchange(&case.request);
            assert!(answer.complete, "{answer}");
            if let Some(outcome) = seen(&case, &answer) {
                let counts = books.entry(case.key.to_owned()).or_default();
                add(counts, outcome, 1, case.bytes_in, answer.body.len());
            }
            if answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
            {
                line = Connection::to_port(port);
            }
        }
        books
    };
    let all: Vec<Books> = thread::scope(|scope| {
        let sent: Vec<_> =
            (0..CONNECTIONS).map(|connection| scope.spawn(move || one(connection))).collect();
        sent.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut books = Books::new();
    for (key, counts) in all.into_iter().flatten() {
        let sum = books.entry(key).or_default();
        for (outcome, count) in counts {
            let of = sum.entry(outcome).or_default();
            of.requests += count.requests;
            of.bytes_in += count.bytes_in;
            of.bytes_out += count.bytes_out;
        }
    }
    books
}

fn requests(books: &Books) -> u64 {
    books.values().flat_map(BTreeMap::values).map(|count| count.requests).sum()
}

#[test]
fn of_ten_thousand_requests_the_ledger_says_what_their_callers_counted() {
    let upstream = upstream();
    let quota = json!({"requests": 1_000_000, "per": "month"});
    let gate = keys(Setup::to(&upstream), quota).start();
    let books = send(&gate, &[gate.port], 10_000 / CONNECTIONS);
    assert_eq!(books.len(), 4, "{books:#?}");
    assert!(requests(&books) > 9_000, "{books:#?}");
    for outcome in ["forwarded", "cached", "refused", "failed"] {
        assert!(books["pk_one"].contains_key(outcome), "{books:#?}");
    }
    for (key, counts) in &books {
        settles(&gate, key, counts);
    }
}

#[test]
fn two_isolates_and_a_ledger_that_fails_now_and_then_come_to_the_same() {
    let upstream = upstream();
    let gate = keys(Setup::to(&upstream), Value::Null).ledger_by(MOODY).twice().start();
    let ports = [gate.port, gate.second];
    let books = send(&gate, &ports, 250);
    for (key, counts) in &books {
        settles_by(&gate, &ports, key, counts);
    }
}
