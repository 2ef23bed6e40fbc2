//! A kept answer is for callers who may have it (docs/wire-contract.md, sections 4 and 8): what each step refuses stays refused while
//! what was asked for is in the cache, for all. Natively no refusal has an `Outbound`, whose field the cache key is.

use serde_json::json;
use testkit::cache::{TTL, get, start};
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::Setup;
use testkit::token::fresh;

use crate::usage::with_ledger;

const SITE: &str = "https://www.example.com";
const TARGET: &str = "/posts";

/// Sets up many keys, and one answer for all of them.
fn keys(setup: Setup) -> Setup {
    let cache = json!({"ttl": TTL, "scope": "shared"});
    let setup = setup
        .route("/*", json!({"cache": cache}))
        .site(json!({}))
        .key(json!({"id": "pk_revoked", "revoked": true}))
        .key(json!({"id": "pk_origin", "allowed_origins": [SITE]}))
        .key(json!({"id": "pk_elsewhere", "paths": ["/other", "/posts/*"]}))
        .key(json!({"id": "pk_rate", "rate": "standard"}))
        .key(json!({"id": "pk_no_rate", "rate": "missing"}))
        .key(json!({"id": "pk_quota", "quota": {"requests": 1, "per": "day"}}))
        .key(json!({"id": "pk_nonce", "schemes": ["signature"], "nonce": "required"}))
        .key(json!({"id": "pk_open", "schemes": ["public-key"], "paths": ["/*"], "allowed_origins": [SITE]}));
    with_ledger(setup).limiter("RATE_STANDARD").replay().cache()
}

/// Returns a cache that has the answer.
fn warmed() -> Check {
    let mut table = start(keys);
    let request = get(&table.gate, TARGET);
    table.warm("the answer", &request);
    table.hit("the answer", &request);
    table
}

fn by(table: &Check, id: &str) -> Request {
    Request::get(TARGET).bearer(&table.gate.session_of(id).mint())
}

/// Returns true if the text has one of the upstream's answers.
fn shows_an_answer(text: &str) -> bool {
    text.split("answer ").skip(1).any(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

/// Expects that the request is refused, with nothing of the answer.
fn closed(table: &mut Check, what: &str, request: &Request, status: u16, code: &str) {
    let answer = table.refused(what, request, status, code);
    let is_shown = shows_an_answer(&answer.text()) || answer.header("cache-status").is_some();
    table.that(!is_shown, || format!("{what}: {answer}"));
    let control = answer.header("cache-control");
    table.that(control.as_deref() == Some("no-store"), || format!("{what}: {answer}"));
}

#[test]
fn who_may_not_gets_nothing_of_the_cache() {
    let mut table = warmed();
    let forged = Request::get(TARGET).bearer(&table.gate.session().key(&fresh()).mint());
    let bare = |origin: &str| Request::get(TARGET).header("X-Public-Key", "pk_open").origin(origin);
    let good = get(&table.gate, TARGET);
    for (what, request, status, code) in [
        ("no path", get(&table.gate, "/x/../posts"), 400, "bad-path"),
        ("a body", good.clone().body("x"), 400, "bad-request"),
        ("no credential", Request::get(TARGET), 401, "credential-missing"),
        ("nonsense", Request::get(TARGET).bearer("nonsense"), 400, "bad-credential"),
        ("revoked", by(&table, "pk_revoked"), 401, "key-revoked"),
        ("forged", forged, 401, "signature-invalid"),
        ("origin", by(&table, "pk_origin").origin("https://evil.example"), 403, "origin-denied"),
        ("a public key's origin", bare("https://evil.example"), 403, "origin-denied"),
        ("path", by(&table, "pk_elsewhere"), 403, "path-denied"),
        ("no limiter", by(&table, "pk_no_rate"), 503, "feature-unavailable"),
    ] {
        closed(&mut table, what, &request, status, code);
        let head = Request { method: "HEAD".into(), ..request };
        let answer = head.send(&table.gate);
        table.that(answer.status == status, || format!("{what}, HEAD: {answer}"));
    }
    table.hit("the origin", &by(&table, "pk_origin").origin(SITE));
    let answer = table.hit("a public key's origin", &bare(SITE));
    let open = answer.header("access-control-allow-origin");
    table.that(open.as_deref() == Some(SITE), || answer.to_string());
    table.hit("who proves it", &good);
}

#[test]
fn who_has_had_enough_gets_nothing_of_the_cache() {
    let mut table = warmed();
    let limited = by(&table, "pk_rate");
    for _ in 0..3 {
        table.hit("within its rate", &limited);
    }
    closed(&mut table, "over its rate", &limited, 429, "rate-limited");
    let quota = by(&table, "pk_quota");
    table.hit("within its quota", &quota);
    closed(&mut table, "over its quota", &quota, 429, "quota-exceeded");
    let once = table.gate.signature_of("pk_nonce").nonce(&fresh()).sign(Request::get(TARGET));
    table.hit("once", &once);
    closed(&mut table, "twice", &once, 401, "replayed");
}

#[test]
fn a_route_that_lost_its_token_serves_nothing_of_the_cache() {
    let mut table = start(|setup| keys(setup).twice_with("WRITE_TOKEN", ""));
    let request = get(&table.gate, TARGET);
    table.warm("with the token", &request);
    let answer = request.send_to(table.gate.second);
    table.that(answer.status == 503 && !shows_an_answer(&answer.text()), || answer.to_string());
}
