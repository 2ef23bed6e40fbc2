//! Which of a caller's headers cross the gate (docs/wire-contract.md, section 5): every one that must not pass, sent
//! in every spelling and shown absent; everything else shown to arrive.

use crate::native::{Upstream, check, start};
use serde_json::json;
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::token::fresh;

/// Names that may never arrive with a caller's value.
const REMOVED: [&str; 64] = [
    "Signature", "Signature-Input", "Signature-Agent", "Signature-Whatever", "X-Public-Key",
    "Cookie", "Proxy-Authorization", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Whatever",
    "Keep-Alive", "TE", "Trailer", "X-Auth-Token", "X-Auth-Email", "X-Auth-Key", "X-Auth-Whatever",
    "X-Api-Key", "Writegate-Key", "Writegate-Subject", "Writegate-Whatever", "Forwarded",
    "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Whatever",
    "X-Real-IP", "True-Client-IP", "Via", "X-Request-Id", "X-HTTP-Method-Override",
    "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-Original-Host",
    "X-Original-Forwarded-For", "X-Rewrite-Whatever", "X-Host", "Remote-User", "X-Remote-User",
    "X-Remote-Addr", "Client-IP", "X-Client-IP", "X-Cluster-Client-IP", "Fastly-Client-IP",
    "CF-Connecting-IP", "CF-Connecting-IPv6", "CF-Connecting-O2O", "CF-IPCountry", "CF-Ray",
    "CF-Visitor", "CF-Worker", "CF-EW-Via", "CF-Access-Jwt-Assertion", "CF-Access-Client-Id",
    "CF-Access-Client-Secret", "CF-Whatever", "cf-aig-authorization", "cf-aig-metadata",
    "cf-aig-custom-cost", "cf-aig-collect-log", "cf-aig-cache-ttl", "X-Named-By-Connection",
];

/// Returns the spellings of one name: cases, and `_`, `.` and others for each `-`, which other software reads as
/// `-`.
fn spellings(name: &str) -> Vec<String> {
    let under = name.replace('-', "_");
    let mixed: String = name
        .chars()
        .enumerate()
        .map(|(i, c)| if i % 3 == 1 && c == '-' { '_' } else { c })
        .collect();
    let first = name.replacen('-', "_", 1);
    let mut all = vec![name.to_owned(), name.to_lowercase(), name.to_uppercase()];
    all.extend([".", "!", "~", "|", "'"].map(|between| name.replace('-', between)));
    all.extend([under.to_lowercase(), under.to_uppercase(), first, mixed]);
    all.sort();
    all.dedup();
    all
}

#[test]
fn what_must_not_pass_does_not_in_any_spelling() {
    let upstream = Upstream::start();
    let gate = start(&upstream, |setup| setup);
    let token = gate.bearer();
    let mut wrong = Vec::new();
    for name in REMOVED {
        for spelling in spellings(name) {
            if name.starts_with("Signature") || name.eq_ignore_ascii_case("x-public-key") {
                // Under their own names these are credentials; `credentials_do_not_pass` sends them.
                if !spelling.contains(['_', '.', '!', '~', '|', '\'']) {
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
            if seen.headers.iter().any(|(_, arrived)| arrived.contains(&value)) {
                wrong.push(format!("{spelling} arrived: {:?}", seen.headers));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_callers_own_credentials_do_not_pass() {
    let upstream = Upstream::start();
    let gate = start(&upstream, |setup| setup);
    let session = gate.bearer();
    for spelling in ["Authorization", "authorization", "AUTHORIZATION"] {
        Request::post("/x").header(spelling, &format!("Bearer {session}")).send(&gate).passed();
        let seen = upstream.last();
        let sent: Vec<_> = seen
            .headers
            .iter()
            .filter(|(name, _)| name.replace('_', "-").eq_ignore_ascii_case("authorization"))
            .map(|(_, value)| value.clone())
            .collect();
        assert_eq!(sent, [format!("Bearer {}", gate.token)]);
        assert!(!seen.headers.iter().any(|(_, value)| value.contains(&session)));
    }
    // A label of another party's is not for the gate, but it is still a signature.
    let value = fresh();
    Request::post("/x")
        .bearer(&session)
        .header("X-Public-Key", KEY)
        .header("Signature-Input", "theirs=(\"@method\");keyid=\"somebody\";created=1")
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
    let gate = start(&upstream, |setup| {
        setup
        .route("/*", json!({"upstream_auth": {"scheme": "header", "name": "X-Auth-Token", "secret": "WRITE_TOKEN"}}))
    });
    let token = gate.bearer();
    for name in ["X_Auth_Token", "x-auth_token", "X_AUTH-TOKEN"] {
        Request::post("/x").bearer(&token).header(name, "mine").send(&gate).passed();
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
fn the_gates_own_request_adds_nothing_that_was_not_asked_for() {
    let upstream = Upstream::start();
    let gate = start(&upstream, |setup| setup);
    let answer = Request::get("/x")
        .bearer(&gate.bearer())
        .header("CF-Connecting-IP", "192.0.2.1")
        .header("X-Request-Id", "from-the-caller")
        .send(&gate)
        .passed();
    let seen = upstream.only();
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {}", gate.token)));
    assert_eq!(seen.header("x-request-id"), Some(answer.request_id()), "one id on both sides");
    assert_ne!(answer.request_id(), "from-the-caller");
    for name in [
        "writegate-key", "writegate-subject", "forwarded", "cf-aig-metadata", "cookie",
        "x-forwarded-for",
    ] {
        assert_eq!(seen.header(name), None, "{name}");
    }
}

#[test]
fn a_setting_of_the_ai_gateway_passes_where_the_route_lists_it() {
    let upstream = Upstream::start();
    let gate =
        start(&upstream, |setup| setup.route("/*", json!({"pass_headers": ["cf-aig-cache-ttl"]})));
    Request::post("/x")
        .bearer(&gate.bearer())
        .header("cf-aig-cache-ttl", "60")
        .header("cf-aig-custom-cost", "0")
        .send(&gate)
        .passed();
    let seen = upstream.last();
    assert_eq!(seen.header("cf-aig-cache-ttl").as_deref(), Some("60"));
    assert_eq!(seen.header("cf-aig-custom-cost"), None);
}

#[test]
fn nobody_on_the_way_takes_a_signed_header_away_with_connection() {
    let mut table = check(|setup| setup.site(json!({"schemes": ["signature"]})));
    let signer = table.gate.signature().also("x-tenant");
    let signed = signer.sign(Request::post("/x").header("X-Tenant", "a"));
    table.passes("as signed", &signed.clone());
    table.passes(
        "another header is named",
        &signed.clone().header("Connection", "keep-alive, x-hop"),
    );
    for option in ["x-tenant", "close, X-Tenant", "content-digest", "x_tenant"] {
        table.refused(option, &signed.clone().header("Connection", option), 400, "bad-request");
    }
}

#[test]
fn a_caller_is_identified_where_the_route_says_so() {
    let upstream = Upstream::start();
    let gate = start(&upstream, |setup| setup.route("/*", json!({"identify_caller": true})));
    let send = |session: testkit::token::Session, ip: &str| {
        Request::post("/x")
            .bearer(&session.mint())
            .header("CF-Connecting-IP", ip)
            .header("Writegate-Key", "pk_spoofed")
            .header("Writegate-Subject", "spoofed")
            .header("Writegate_Subject", "spoofed")
            .header("Forwarded", "for=1.2.3.4")
            .header("Cf-Aig-Metadata", r#"{"key":"spoofed"}"#)
            .header("Cf_Aig_Metadata", r#"{"key":"spoofed"}"#)
            .send(&gate)
            .passed();
        upstream.last()
    };
    let seen = send(gate.session().claim("sub", "user-7"), "192.0.2.1");
    assert_eq!(seen.header("writegate-key").as_deref(), Some(KEY));
    assert_eq!(seen.header("writegate-subject").as_deref(), Some("user-7"));
    let metadata = |seen: &testkit::upstream::Seen| -> serde_json::Value {
        serde_json::from_str(&seen.header("cf-aig-metadata").expect("metadata")).unwrap()
    };
    assert_eq!(metadata(&seen), json!({"key": KEY, "subject": "user-7"}));
    let forwarded = seen.header("forwarded").expect("Forwarded");
    assert!(forwarded.to_lowercase().contains("for=192.0.2.1"), "{forwarded}");
    assert!(
        !seen
            .headers
            .iter()
            .any(|(_, value)| value.contains("spoofed") || value.contains("1.2.3.4"))
    );
    let seen = send(gate.session(), "2001:db8::7");
    assert_eq!(seen.header("writegate-subject"), None);
    assert_eq!(metadata(&seen), json!({"key": KEY}));
    let forwarded = seen.header("forwarded").expect("Forwarded");
    assert!(forwarded.to_lowercase().contains("for=\"[2001:db8::7]\""), "{forwarded}");
}
