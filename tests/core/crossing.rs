//! Which of a caller's headers cross the gate (docs/wire-contract.md, section 5): every one that must not pass, sent
//! in every spelling and shown absent; everything else shown to arrive.

use crate::native::{Upstream, start};
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
