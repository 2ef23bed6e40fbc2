//! `POST /_gate/session` (docs/wire-contract.md, "Minted sessions"): the order of the checks, each refusal and its nearest
//! miss. What siteverify says is in `mint_answers`, and what the session is good for in `minted`.

use serde_json::{Value, json};
use testkit::client::{Request, Response};
use testkit::gate::{KEY, Setup};
use testkit::minting::{SITE, UNAVAILABLE, ask, ask_of, ask_with, minting, page_key, yes};
use testkit::token::fresh;
use writegate::platform::BodyError;

use crate::native::{Gate, Upstream, start};
use crate::world::Native;

pub(crate) const VERIFY: &str = "http://127.0.0.1:9/verify";

/// Returns a gate that mints, where siteverify says yes.
pub(crate) fn gate(set_up: impl FnOnce(Setup) -> Setup) -> Gate {
    let gate = start(&Upstream::start(), |setup| set_up(minting(setup, VERIFY)));
    says_yes(&gate.platform);
    gate
}

pub(crate) fn says_yes(platform: &Native) {
    platform.verdict.replace(Some((200, yes("www.example.com").to_string())));
    platform.calls.take();
}

/// Returns the default key, which mints, with these members.
pub(crate) fn key(more: Value) -> Value {
    page_key(KEY, more)
}

/// Returns the request from another page, or from none.
pub(crate) fn from(origin: Option<&str>, mut request: Request) -> Request {
    request.headers.retain(|(name, _)| name != "Origin");
    match origin {
        Some(origin) => request.origin(origin),
        None => request,
    }
}

/// Returns the request for another path.
pub(crate) fn at(target: &str, mut request: Request) -> Request {
    request.target = target.to_owned();
    request
}

/// Sends this, and compares the status, the code and what was asked meanwhile.
#[track_caller]
fn asks(gate: &Gate, request: &Request, expected: (u16, &str), calls: &[&str]) -> Response {
    let answer = request.send(gate);
    assert_eq!((answer.status, answer.code().as_str()), expected, "{answer}");
    assert_eq!(gate.platform.calls.take(), calls, "{expected:?}: {answer}");
    answer
}

#[test]
fn each_check_comes_in_its_order_and_nothing_later_is_asked() {
    let gate = gate(|setup| {
        setup
            .key(key(json!({})))
            .key(page_key(
                "pk_revoked",
                json!({"revoked": true, "expires": "2020-01-01T00:00:00Z"}),
            ))
            .key(page_key("pk_over", json!({"expires": "2020-01-01T00:00:00Z", "mint": null})))
            .key(page_key("pk_plain", json!({"mint": null, "allowed_ips": ["192.0.2.1"]})))
            .key(page_key("pk_here", json!({"allowed_ips": ["192.0.2.1"]})))
            .registered(page_key("pk_there", json!({})))
            .registered(json!({"id": "pk_broken", "path": ["/"]}))
    });
    let long = ask().body("x".repeat(4_097));
    let mut got = ask();
    got.method = "PUT".to_owned();
    let unannounced =
        long.clone().header("Transfer-Encoding", "chunked").header("Content-Length", "");
    let body = ["rate", "body"];
    let read = ["rate", "body", "record"];
    for (what, request, expected, calls) in [
        (
            "another path",
            at("/_gate/session/", from(None, long.clone())),
            (404, "no-route"),
            &[][..],
        ),
        ("another method", from(None, got), (405, "method-not-allowed"), &[]),
        ("no origin", from(None, long.clone()), (403, "origin-denied"), &[]),
        ("an opaque origin", from(Some("null"), long.clone()), (403, "origin-denied"), &[]),
        ("two origins", ask().origin(SITE), (403, "origin-denied"), &[]),
        ("too long", long.header("CF-Connecting-IP", "192.0.2.9"), (413, "body-too-large"), &[]),
        ("too long without saying", unannounced, (413, "body-too-large"), &body),
        ("no JSON", ask_with("{"), (400, "bad-request"), &body),
        ("no such key", ask_of("pk_nobody"), (401, "key-unknown"), &read),
        ("not a record", ask_of("pk_broken"), (503, "misconfigured"), &read),
        ("revoked and over", ask_of("pk_revoked"), (401, "key-revoked"), &body),
        ("over, and without mint", ask_of("pk_over"), (401, "key-expired"), &body),
        ("without mint, elsewhere", ask_of("pk_plain"), (401, "scheme-not-allowed"), &body),
        (
            "elsewhere, on another page",
            from(Some("https://other.example"), ask_of("pk_here")),
            (403, "ip-denied"),
            &body,
        ),
        ("another page", from(Some("https://other.example"), ask()), (403, "origin-denied"), &body),
    ] {
        // Each from an address of its own, so that no rate is used up.
        let request = match request.headers.iter().any(|(name, _)| name == "CF-Connecting-IP") {
            true => request,
            false => request.header("CF-Connecting-IP", &format!("198.51.100.{}", what.len())),
        };
        let answer = asks(&gate, &request, expected, calls);
        assert_eq!(
            answer.json().get("limit").is_some(),
            calls == body && expected.0 == 403,
            "{what}"
        );
    }
    asks(&gate, &ask(), (201, ""), &["rate", "body", "siteverify"]);
    asks(&gate, &ask_of("pk_there"), (201, ""), &["rate", "body", "record", "siteverify"]);
    asks(&gate, &ask_of("pk_there"), (201, ""), &["rate", "body", "siteverify"]);
    asks(&gate, &ask_with("{"), (429, "rate-limited"), &["rate"]);
}

#[test]
fn each_visitor_has_a_rate_and_every_request_counts() {
    let gate = gate(|setup| {
        let rates = json!({"mint": {"limit": 3, "period": 10}});
        setup.key(key(json!({}))).env("RATES", rates)
    });
    let from = |request: Request, address: &str| request.header("CF-Connecting-IP", address);
    for request in [ask_with("{"), ask_of("pk_nobody"), ask()] {
        assert_ne!(from(request, "192.0.2.1").send(&gate).status, 429);
    }
    let over = from(ask(), "192.0.2.1").send(&gate).refused(429, "rate-limited");
    assert_eq!(over.header("retry-after").as_deref(), Some("10"));
    assert_eq!(over.header("ratelimit-policy").as_deref(), Some("\"mint\";q=3;w=10"));
    assert_eq!(over.header("access-control-allow-origin").as_deref(), Some(SITE));
    assert_eq!(from(ask(), "192.0.2.2").send(&gate).status, 201);
    for host in ["1::1", "1:2::5", "1::9", "2::9"] {
        from(ask(), &format!("2001:db8:0:{host}")).send(&gate);
    }
    ask().send(&gate);
    let counted = gate.platform.counted();
    let expected = [
        ("/192.0.2.1", 4),
        ("/192.0.2.2", 1),
        ("/2001:db8:0:1::", 3),
        ("/2001:db8:0:2::", 1),
        ("/unknown", 1),
    ];
    assert_eq!(counted, expected.map(|(name, count)| (name.to_owned(), count)).into());
}

#[test]
fn a_key_that_is_named_like_an_address_has_a_count_of_its_own() {
    let ids = ["192.0.2.1", "unknown"];
    let named = |setup: Setup, id| setup.key(json!({"id": id, "rate": "mint"}));
    let gate = gate(|setup| ids.into_iter().fold(setup.key(key(json!({}))), named));
    for id in ids {
        let request = Request::post("/x").bearer(&gate.session_of(id).mint());
        for _ in 0..3 {
            request.send(&gate).passed();
        }
        request.send(&gate).refused(429, "rate-limited");
    }
    assert_eq!(ask().header("CF-Connecting-IP", "192.0.2.1").send(&gate).status, 201);
    assert_eq!(ask().send(&gate).status, 201, "without an address");
}

#[test]
fn a_limiter_a_secret_or_a_siteverify_that_is_missing_opens_nothing() {
    let plain = |setup: Setup| setup.key(key(json!({})));
    for (missing, silent, gate, calls) in [
        ("RATE_MINT", "rate", gate(plain), &["rate"][..]),
        ("RATE_MINT", "", gate(|setup| plain(setup).limiter("RATE_STANDARD")), &["rate"]),
        ("TURNSTILE_SECRET", "", gate(|s| plain(s).without("TURNSTILE_SECRET")), &["rate", "body"]),
        (
            "TURNSTILE_SECRET",
            "",
            gate(|s| plain(s).env("TURNSTILE_SECRET", " \n")),
            &["rate", "body"],
        ),
        ("siteverify", "siteverify", gate(plain), &["rate", "body", "siteverify"]),
    ] {
        gate.platform.silent.set(silent);
        let answer = asks(&gate, &ask(), UNAVAILABLE, calls);
        gate.logs.until(missing, |lines| {
            let mut lines = lines.iter().filter(|line| line.is_event("feature_unavailable"));
            let id = answer.request_id();
            lines.any(|line| line.text.contains(missing) && line.text.contains(&id)).then_some(())
        });
    }
}

#[test]
fn a_body_has_its_two_members_and_nothing_else() {
    let gate = gate(|setup| setup.key(key(json!({}))));
    let with =
        |key: Value, turnstile: Value| json!({"key": key, "turnstile": turnstile}).to_string();
    let token = |text: &str| with(json!(KEY), json!(text));
    let number = std::cell::Cell::new(0);
    let send = |body: &str| {
        number.set(number.get() + 1);
        ask_with(body).header("CF-Connecting-IP", &format!("192.0.2.{}", number.get())).send(&gate)
    };
    for (field, body) in [
        ("body", String::new()),
        ("body", "null".to_owned()),
        ("body", "[]".to_owned()),
        ("body", format!("{} {{}}", token("a"))),
        ("body", format!(r#"{{"key":"{KEY}","key":"{KEY}","turnstile":"a"}}"#)),
        ("body", format!("key={KEY}&turnstile=a")),
        ("key", json!({"turnstile": "a"}).to_string()),
        ("key", with(json!(null), json!("a"))),
        ("key", with(json!(1), json!("a"))),
        ("key", with(json!(""), json!("a"))),
        ("key", with(json!("a b"), json!("a"))),
        ("key", with(json!("p".repeat(129)), json!("a"))),
        ("turnstile", json!({"key": KEY}).to_string()),
        ("turnstile", with(json!(KEY), json!(null))),
        ("turnstile", with(json!(KEY), json!(["a"]))),
        ("turnstile", token("")),
        ("turnstile", token("a b")),
        ("turnstile", token("a\n")),
        ("turnstile", token("é")),
        ("turnstile", token(&"t".repeat(2_049))),
        ("Key", json!({"key": KEY, "turnstile": "a", "Key": KEY}).to_string()),
        ("origin", json!({"key": KEY, "turnstile": "a", "origin": SITE}).to_string()),
    ] {
        let answer = send(&body).refused(400, "bad-request").json();
        assert_eq!(answer["field"], field, "{body}: {answer}");
        assert!(answer["hint"].as_str().is_some_and(|hint| hint.len() > 10), "{answer}");
    }
    assert_eq!(gate.platform.calls.take().iter().filter(|call| **call == "siteverify").count(), 0);
    for body in [
        token("!"),
        token(&"t".repeat(2_048)),
        format!(" {}\n", token("~")),
        format!("{}{}", token("a"), " ".repeat(4_096 - token("a").len())),
    ] {
        assert_eq!(send(&body).status, 201, "{body}");
    }
}

#[test]
fn a_body_that_does_not_come_is_refused_as_everywhere() {
    for (error, status, code) in [
        (BodyError::TooLarge, 413, "body-too-large"),
        (BodyError::TooSlow, 408, "body-timeout"),
        (BodyError::Overloaded, 503, "overloaded"),
        (BodyError::CallerGone, 499, ""),
    ] {
        let gate = gate(|setup| setup.key(key(json!({}))));
        gate.platform.body_error.set(Some(error));
        asks(&gate, &ask(), (status, code), &["rate", "body"]);
    }
}

#[test]
fn address_and_origin_are_the_key_s_whatever_match_says() {
    let lists = |kind: &str| json!({"allowed_ips": ["192.0.2.0/24"], "match": kind});
    let (here, there) = ("192.0.2.9", "198.51.100.9");
    let (own, other) = (SITE, "https://other.example");
    for (kind, origin, address, expected) in [
        ("all", own, here, (201, "")),
        ("all", own, there, (403, "ip-denied")),
        ("all", other, here, (403, "origin-denied")),
        ("all", other, there, (403, "ip-denied")),
        ("any", own, here, (201, "")),
        ("any", own, there, (201, "")),
        ("any", other, here, (403, "origin-denied")),
        ("any", other, there, (403, "origin-denied")),
    ] {
        let gate = gate(|setup| setup.key(key(lists(kind))));
        let request = from(Some(origin), ask()).header("CF-Connecting-IP", address);
        let answer = request.send(&gate);
        assert_eq!((answer.status, answer.code().as_str()), expected, "{kind} {origin} {address}");
        assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(origin));
    }
}

#[test]
fn the_request_to_siteverify_says_secret_token_and_address_in_its_body() {
    let plain = |setup: Setup| setup.key(key(json!({})));
    let own = gate(|setup| plain(setup).env("TURNSTILE_SECRET", " a+b/c=\n"));
    let body = json!({"key": KEY, "turnstile": "0.a&secret=x%~"}).to_string();
    let sent = || own.platform.form.borrow().clone();
    assert_eq!(ask_with(&body).send(&own).status, 201);
    assert_eq!(
        sent(),
        (VERIFY.to_owned(), "secret=a%2Bb%2Fc%3D&response=0.a%26secret%3Dx%25~".to_owned())
    );
    ask_with(&body).header("CF-Connecting-IP", "2001:db8::1").send(&own);
    assert!(sent().1.ends_with("&remoteip=2001%3Adb8%3A%3A1"), "{:?}", sent());
    // Without the variable, Cloudflare's own.
    let cloudflare = gate(|setup| plain(setup).without("TURNSTILE_VERIFY_URL"));
    ask().send(&cloudflare);
    let url = "https://challenges.cloudflare.com/turnstile/v0/siteverify";
    assert_eq!(cloudflare.platform.form.borrow().0, url);
}

#[test]
fn nothing_else_of_a_request_counts() {
    let gate = gate(|setup| setup.key(key(json!({}))));
    let plain = ask().header("Content-Type", "text/plain");
    for (address, request) in [
        ("192.0.2.1", plain),
        (
            "192.0.2.2",
            ask().bearer("nonsense").header("X-Public-Key", "a b").header("Cookie", "a=b"),
        ),
        ("192.0.2.3", ask().header("Signature-Input", "(((").header("Signature", "x")),
        ("192.0.2.4", at("/_gate/session?key=pk_other&sig=x&verify=1", ask())),
    ] {
        let answer = request.header("CF-Connecting-IP", address).send(&gate);
        assert_eq!(answer.status, 201, "{answer}");
    }
    let preflight = Request::new("OPTIONS", "/_gate/session").origin(SITE);
    let preflight = preflight.header("Access-Control-Request-Method", "POST");
    assert_eq!(preflight.send(&gate).status, 204);
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let answer = Request::new(method, "/_gate/session").send(&gate);
        assert_eq!((answer.status, answer.header("allow").as_deref()), (405, Some("POST")));
    }
}

#[test]
fn a_line_says_who_minted_and_a_row_counts_it() {
    let gate = gate(|setup| setup.key(key(json!({"mint": {"bind": true}}))).ledger());
    let token = fresh();
    let answer = ask_with(&json!({"key": KEY, "turnstile": token}).to_string()).send(&gate);
    let line = gate.logs.audit(&answer.request_id());
    for (member, value) in [
        ("outcome", json!("answered")),
        ("status", json!(201)),
        ("code", Value::Null),
        ("key", json!(KEY)),
        ("scheme", json!("turnstile")),
        ("verified", json!(true)),
        ("subject", Value::Null),
        ("path", json!("/_gate/session")),
    ] {
        assert_eq!(line[member], value, "{member}: {line}");
    }
    gate.platform.verdict.replace(None);
    for (request, key, scheme) in [
        (ask_with("{"), Value::Null, Value::Null),
        (ask_of("pk_unknown"), Value::Null, json!("turnstile")),
        (ask(), json!(KEY), json!("turnstile")),
    ] {
        let request = request.header("CF-Connecting-IP", "192.0.2.1");
        let line = gate.logs.audit(&request.send(&gate).request_id());
        assert_eq!((&line["key"], &line["scheme"]), (&key, &scheme), "{line}");
        assert_eq!(line["verified"], false, "{line}");
    }
    let usage = gate.usage(KEY);
    let [row] = usage.as_slice() else { panic!("one row: {usage:?}") };
    assert_eq!((&row[1], &row[2]), (&json!("minted"), &json!(1)), "{usage:?}");
    let text = format!("{:?}", gate.stop());
    let body = answer.json();
    for secret in [&token, body["token"].as_str().unwrap(), body["session_key"].as_str().unwrap()] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn a_dummy_secret_mints_only_on_loopback() {
    for dummy in [1, 2, 3].map(|digit| format!("{digit}x{}AA", "0".repeat(31))) {
        let gate = gate(|setup| {
            let origins = json!({"allowed_origins": [SITE, "http://localhost:8080"]});
            setup.key(key(origins)).env("TURNSTILE_SECRET", dummy.as_str())
        });
        // Siteverify need not say that it is a dummy, and does not name this host.
        let answer = asks(&gate, &ask(), (403, "challenge-failed"), &["rate", "body"]);
        assert_eq!(answer.json()["reason"], "testing-key");
        let local = from(Some("http://localhost:8080"), ask());
        asks(&gate, &local, (201, ""), &["rate", "body", "siteverify"]);
    }
    // Almost one is a secret like any other.
    for secret in
        ["1x", "1xAA", "1x00AAA", "0x0000000000000000000000000000000AA", "1x0000a0000000AA"]
    {
        let gate = gate(|setup| setup.key(key(json!({}))).env("TURNSTILE_SECRET", secret));
        assert_eq!(ask().send(&gate).status, 201, "{secret}");
    }
}
