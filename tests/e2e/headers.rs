//! Which headers cross the gate (contract, section 5): every one that must not pass, sent in every spelling and shown
//! absent; everything else shown to arrive.

use serde_json::{Value, json};

use crate::check::Check;
use crate::client::Request;
use crate::gate::{Gate, KEY, Setup};
use crate::token::fresh;
use crate::upstream::{Reply, Upstream};

/// Names that may never arrive with a caller's value.
const REMOVED: [&str; 49] = [
    "Signature",
    "Signature-Input",
    "Signature-Agent",
    "Signature-Whatever",
    "X-Public-Key",
    "Cookie",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Proxy-Authenticate",
    "Proxy-Whatever",
    "Keep-Alive",
    "TE",
    "Trailer",
    "X-Auth-Token",
    "X-Auth-Email",
    "X-Auth-Key",
    "X-Auth-Whatever",
    "X-Api-Key",
    "Writegate-Key",
    "Writegate-Subject",
    "Writegate-Whatever",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Whatever",
    "X-Real-IP",
    "True-Client-IP",
    "Via",
    "X-Request-Id",
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "X-Original-URL",
    "X-Rewrite-URL",
    "CF-Connecting-IP",
    "CF-Connecting-IPv6",
    "CF-Connecting-O2O",
    "CF-IPCountry",
    "CF-Ray",
    "CF-Visitor",
    "CF-Worker",
    "CF-EW-Via",
    "CF-Access-Jwt-Assertion",
    "CF-Access-Client-Id",
    "CF-Access-Client-Secret",
    "CF-Whatever",
    "cf-aig-authorization",
    "X-Named-By-Connection",
];

/// Each of these is exempt from the table above, or was never in it.
const KEPT: [&str; 22] = [
    "Accept",
    "Accept-Language",
    "User-Agent",
    "Content-Type",
    "Content-Language",
    "Content-Disposition",
    "Content-Digest",
    "If-Match",
    "If-None-Match",
    "Range",
    "Origin",
    "Referer",
    "Prefer",
    "Idempotency-Key",
    "traceparent",
    "X-Custom",
    "X-Authentic",
    "X-Forward",
    "X-Request-Identity",
    "cf-aig-metadata",
    "CFX-Other",
    "Signed",
];

/// The spellings of one name: cases, and `_` for each `-`, which other software reads as `-`.
fn spellings(name: &str) -> Vec<String> {
    let under = name.replace('-', "_");
    let mixed: String = name
        .chars()
        .enumerate()
        .map(|(i, c)| if i % 3 == 1 && c == '-' { '_' } else { c })
        .collect();
    let first = name.replacen('-', "_", 1);
    let mut all = vec![
        name.to_owned(),
        name.to_lowercase(),
        name.to_uppercase(),
        under.to_lowercase(),
        under.to_uppercase(),
        first,
        mixed,
    ];
    all.sort();
    all.dedup();
    all
}

#[test]
fn what_must_not_pass_does_not_in_any_spelling() {
    let upstream = Upstream::start();
    let gate = Gate::before(&upstream);
    let token = gate.bearer();
    let mut wrong = Vec::new();
    for name in REMOVED {
        for spelling in spellings(name) {
            if name.starts_with("Signature") || name.eq_ignore_ascii_case("x-public-key") {
                // Under their own names these are credentials; `credentials_do_not_pass` sends them.
                if spelling.replace('_', "-").eq_ignore_ascii_case(&spelling) {
                    continue;
                }
            }
            let value = fresh();
            let mut request = Request::post("/x").bearer(&token).header(&spelling, &value);
            if name == "X-Named-By-Connection" {
                request = request.header("Connection", &format!("keep-alive, {spelling}"));
            }
            let answer = request.send(&gate);
            if answer.status != 200 {
                wrong.push(format!("{spelling}: {answer}"));
                continue;
            }
            let seen = upstream.last();
            if seen
                .headers
                .iter()
                .any(|(_, arrived)| arrived.contains(&value))
            {
                wrong.push(format!("{spelling} arrived: {:?}", seen.headers));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_callers_own_credentials_do_not_pass() {
    let upstream = Upstream::start();
    let gate = Gate::before(&upstream);
    let session = gate.bearer();
    for spelling in ["Authorization", "authorization", "AUTHORIZATION"] {
        Request::post("/x")
            .header(spelling, &format!("Bearer {session}"))
            .send(&gate)
            .passed();
        let seen = upstream.last();
        let sent: Vec<_> = seen
            .headers
            .iter()
            .filter(|(name, _)| name.replace('_', "-").eq_ignore_ascii_case("authorization"))
            .map(|(_, value)| value.clone())
            .collect();
        assert_eq!(sent, [format!("Bearer {}", gate.token)]);
        assert!(
            !seen
                .headers
                .iter()
                .any(|(_, value)| value.contains(&session))
        );
    }
    // A label of another party's is not for the gate, but it is still a signature.
    let value = fresh();
    Request::post("/x")
        .bearer(&session)
        .header("X-Public-Key", KEY)
        .header(
            "Signature-Input",
            "theirs=(\"@method\");keyid=\"somebody\";created=1",
        )
        .header("Signature", "theirs=:AAAA:")
        .header("Cookie", &value)
        .send(&gate)
        .passed();
    let seen = upstream.last();
    for name in ["x-public-key", "signature", "signature-input", "cookie"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
}

#[test]
fn a_spelling_of_authorization_with_another_sign_is_no_second_credential_upstream() {
    let upstream = Upstream::start();
    let gate = Setup::to(&upstream)
        .route("/*", json!({"upstream_auth": {"scheme": "header", "name": "X-Auth-Token", "secret": "WRITE_TOKEN"}}))
        .start();
    let token = gate.bearer();
    for name in ["X_Auth_Token", "x-auth_token", "X_AUTH-TOKEN"] {
        Request::post("/x")
            .bearer(&token)
            .header(name, "mine")
            .send(&gate)
            .passed();
        let seen = upstream.last();
        let all: Vec<_> = seen
            .headers
            .iter()
            .filter(|(name, _)| name.replace('_', "-").eq_ignore_ascii_case("x-auth-token"))
            .collect();
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0].1, gate.token);
        assert_eq!(seen.header("authorization"), None);
    }
}

#[test]
fn everything_else_arrives_as_it_was_sent() {
    let upstream = Upstream::start();
    let gate = Gate::before(&upstream);
    let mut request = Request::new("PUT", "/x")
        .bearer(&gate.bearer())
        .body("0123456789");
    let mut sent = Vec::new();
    for name in KEPT {
        let value = match name {
            "Origin" => "https://www.example.com".to_owned(),
            "Referer" => "https://www.example.com/a?b".to_owned(),
            "Range" => "bytes=0-1".to_owned(),
            _ => format!("{}; q=\"a, b\"", fresh()),
        };
        request = request.header(name, &value);
        sent.push((name, value));
    }
    request = request
        .header("X-Twice", "1")
        .header("X-Under_Score", "u")
        .header("X-Twice", "2")
        .header("X-Empty", "");
    request.send(&gate).passed();
    let seen = upstream.only();
    for (name, value) in sent {
        assert_eq!(seen.header(name).as_deref(), Some(value.as_str()), "{name}");
    }
    assert_eq!(seen.header("x-twice").as_deref(), Some("1, 2"));
    assert_eq!(seen.header("x-under_score").as_deref(), Some("u"));
    assert_eq!(seen.header("x-empty").as_deref(), Some(""));
    assert_eq!(
        seen.header("host"),
        Some(format!("127.0.0.1:{}", upstream.port))
    );
    assert_eq!(seen.body, b"0123456789");
}

#[test]
fn the_gates_own_request_adds_nothing_that_was_not_asked_for() {
    let upstream = Upstream::start();
    let gate = Gate::before(&upstream);
    let answer = Request::get("/x")
        .bearer(&gate.bearer())
        .header("CF-Connecting-IP", "192.0.2.1")
        .header("X-Request-Id", "from-the-caller")
        .send(&gate)
        .passed();
    let seen = upstream.only();
    assert_eq!(
        seen.header("authorization"),
        Some(format!("Bearer {}", gate.token))
    );
    assert_eq!(
        seen.header("x-request-id"),
        Some(answer.request_id()),
        "one id on both sides"
    );
    assert_ne!(answer.request_id(), "from-the-caller");
    for name in [
        "writegate-key",
        "writegate-subject",
        "forwarded",
        "cookie",
        "x-forwarded-for",
    ] {
        assert_eq!(seen.header(name), None, "{name}");
    }
}

#[test]
fn a_caller_is_identified_where_the_route_says_so() {
    let upstream = Upstream::start();
    let gate = Setup::to(&upstream)
        .route("/*", json!({"identify_caller": true}))
        .start();
    let send = |session: crate::token::Session, ip: &str| {
        Request::post("/x")
            .bearer(&session.mint())
            .header("CF-Connecting-IP", ip)
            .header("Writegate-Key", "pk_spoofed")
            .header("Writegate-Subject", "spoofed")
            .header("Writegate_Subject", "spoofed")
            .header("Forwarded", "for=1.2.3.4")
            .send(&gate)
            .passed();
        upstream.last()
    };
    let seen = send(gate.session().claim("sub", "user-7"), "192.0.2.1");
    assert_eq!(seen.header("writegate-key").as_deref(), Some(KEY));
    assert_eq!(seen.header("writegate-subject").as_deref(), Some("user-7"));
    let forwarded = seen.header("forwarded").expect("Forwarded");
    assert!(
        forwarded.to_lowercase().contains("for=192.0.2.1"),
        "{forwarded}"
    );
    assert!(
        !seen
            .headers
            .iter()
            .any(|(_, value)| value.contains("spoofed") || value.contains("1.2.3.4"))
    );
    let seen = send(gate.session(), "2001:db8::7");
    assert_eq!(seen.header("writegate-subject"), None);
    let forwarded = seen.header("forwarded").expect("Forwarded");
    assert!(
        forwarded.to_lowercase().contains("for=\"[2001:db8::7]\""),
        "{forwarded}"
    );
}

#[test]
fn headers_that_an_upstream_may_not_set_are_removed_from_its_answer() {
    let upstream = Upstream::queue(vec![
        Reply::new(201)
            .header("Set-Cookie", "a=b")
            .header("Set-Cookie", "c=d")
            .header("Access-Control-Allow-Origin", "*")
            .header("Access-Control-Allow-Credentials", "true")
            .header("Access-Control-Max-Age", "7")
            .header("Service-Worker-Allowed", "/")
            .header("Clear-Site-Data", "\"*\"")
            .header("X-Content-Type-Options", "sniff")
            .header("X-Request-Id", "theirs")
            .header("ETag", "\"v1\"")
            .header("Cache-Control", "max-age=5")
            .header("X-Custom", "kept")
            .header("Content-Type", "application/json")
            .header("Link", "</a>; rel=next")
            .body("{}"),
    ]);
    let gate = Gate::before(&upstream);
    let answer = Request::post("/x").bearer(&gate.bearer()).send(&gate);
    assert_eq!(answer.status, 201);
    for name in [
        "set-cookie",
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "access-control-max-age",
        "service-worker-allowed",
        "clear-site-data",
        "content-security-policy",
    ] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("etag", "\"v1\""),
        ("cache-control", "max-age=5"),
        ("x-custom", "kept"),
        ("content-type", "application/json"),
        ("link", "</a>; rel=next"),
        ("content-length", "2"),
    ] {
        assert_eq!(answer.header(name).as_deref(), Some(value), "{name}");
    }
    assert_ne!(answer.request_id(), "theirs");
    assert_eq!(answer.text(), "{}");
}

#[test]
fn documents_that_a_browser_would_run_are_sandboxed() {
    let types = [
        ("text/html", true),
        ("text/html; charset=utf-8", true),
        ("TEXT/HTML", true),
        ("application/xhtml+xml", true),
        ("image/svg+xml", true),
        ("application/xml", true),
        ("text/xml", true),
        ("application/atom+xml", true),
        ("application/json", false),
        ("text/plain", false),
        ("image/png", false),
    ];
    let upstream = Upstream::answering(move |_, nth| {
        Reply::ok("<a>")
            .header("Content-Type", types[nth].0)
            .header("Content-Security-Policy", "default-src *")
    });
    let gate = Gate::before(&upstream);
    let token = gate.bearer();
    for (kind, sandboxed) in types {
        let answer = Request::get("/x").bearer(&token).send(&gate).passed();
        let policy = answer.header("content-security-policy");
        let expected = if sandboxed {
            "sandbox"
        } else {
            "default-src *"
        };
        assert_eq!(policy.as_deref(), Some(expected), "{kind}");
    }
}

#[test]
fn the_upstreams_own_statuses_pass() {
    let statuses = [
        200, 201, 202, 204, 206, 304, 400, 402, 403, 404, 409, 418, 422, 451, 500, 501,
    ];
    let upstream = Upstream::answering(move |_, nth| Reply::new(statuses[nth]).header("X-A", "b"));
    let gate = Gate::before(&upstream);
    let token = gate.bearer();
    for status in statuses {
        let answer = Request::post("/x").bearer(&token).send(&gate);
        assert_eq!(answer.status, status, "{answer}");
        assert_eq!(answer.header("x-a").as_deref(), Some("b"));
        assert_eq!(answer.header("www-authenticate"), None);
    }
}

#[test]
fn four_schemes_of_upstream_credentials() {
    let secret = format!("user:{}", fresh());
    let (user, password) = secret.split_once(':').unwrap();
    let basic = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(&secret)
    };
    let cases: [(Value, Vec<(&str, String)>); 4] = [
        (
            json!({"scheme": "bearer"}),
            vec![("authorization", format!("Bearer {secret}"))],
        ),
        (
            json!({"scheme": "basic"}),
            vec![("authorization", format!("Basic {basic}"))],
        ),
        (
            json!({"scheme": "header", "name": "X-Tracker-Credential"}),
            vec![("x-tracker-credential", secret.clone())],
        ),
        (
            json!({"scheme": "cloudflare-global-key"}),
            vec![
                ("x-auth-email", user.to_owned()),
                ("x-auth-key", password.to_owned()),
            ],
        ),
    ];
    for (mut auth, expected) in cases {
        auth["secret"] = "OTHER_TOKEN".into();
        let mut table = Check::of(|setup| {
            setup
                .env("OTHER_TOKEN", secret.as_str())
                .route("/*", json!({"upstream_auth": auth}))
        });
        let mut request = Request::post("/x").bearer(&table.gate.bearer());
        for (name, _) in expected.iter().filter(|(name, _)| *name != "authorization") {
            request = request
                .header(name, "the caller's own")
                .header(&name.replace('-', "_"), "too");
        }
        table.passes(&auth.to_string(), &request);
        let seen = table.upstream.last();
        let mut found: Vec<_> = seen
            .headers
            .iter()
            .map(|(name, value)| (name.to_lowercase().replace('_', "-"), value.clone()))
            .filter(|(name, _)| {
                name == "authorization" || name.contains("auth-") || name.contains("tracker")
            })
            .collect();
        found.sort();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        table.that(found == expected, || format!("{auth}: {found:?}"));
    }
}
