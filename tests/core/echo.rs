//! The echo guard (docs/wire-contract.md, section 5): a token that the upstream sends back does not reach the caller.

use crate::native::{Upstream, start};
use serde_json::json;
use testkit::client::Request;
use testkit::upstream::Reply;

#[test]
fn a_token_that_the_upstream_echoes_does_not_come_back() {
    let upstream = Upstream::answering(|request, _| {
        let sent = request.header("authorization").unwrap();
        let token = sent.strip_prefix("Bearer ").unwrap();
        let encoded: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
        Reply::new(201)
            .reason(&format!("Made with {token}"))
            .header("X-Raw", &format!("a {token} b"))
            .header("X-Sent", &sent)
            .header("X-Encoded", &encoded)
            .header("X-Lower", &encoded.to_lowercase())
            .header("Location", &format!("/made?token={token}"))
            .header("X-Other", "kept")
    });
    let gate = start(&upstream, |setup| {
        setup.env("WRITE_TOKEN", format!("t/{}+=", testkit::token::fresh()))
    });
    let token = gate.token.clone();
    let escaped = token.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
    let answer = Request::post("/x").bearer(&gate.bearer()).send(&gate);
    assert_eq!(answer.status, 201, "{answer}");
    assert!(["", "Created"].contains(&answer.reason.as_str()), "{}", answer.reason);
    assert_eq!(answer.header("x-raw").as_deref(), Some("a [redacted] b"));
    assert_eq!(answer.header("x-other").as_deref(), Some("kept"));
    let encoded: String = token.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for (name, value) in &answer.headers {
        let lower = value.to_lowercase();
        assert!(
            !value.contains(&token) && !value.contains(&escaped) && !lower.contains(&encoded),
            "{name}: {value}"
        );
    }
    gate.logs.until("line of the echo guard", |lines| {
        lines.iter().any(|line| line.text.contains("echo_guard")).then_some(())
    });
    assert!(!gate.stop().iter().any(|line| line.text.contains(&token)));
}

#[test]
fn no_scheme_s_credential_comes_back() {
    let upstream = Upstream::answering(|request, _| {
        let sent = request.header("authorization").or(request.header("x-auth-key")).unwrap();
        let sent = sent.trim_start_matches("Basic ").trim_start_matches("Bearer ");
        let in_url = sent.replace('+', "-").replace('/', "_");
        Reply::new(302)
            .header("Location", &format!("https://other.example/?t={sent}&a=b"))
            .header("X-Sent", sent)
            .header("X-Bare", sent.trim_end_matches('='))
            .header("X-Bare-Url", in_url.trim_end_matches('='))
            .header("X-Percent", &sent.replace('=', "%3D").replace('/', "%2f"))
    });
    for scheme in ["bearer", "basic", "cloudflare-global-key"] {
        let auth = json!({"upstream_auth": {"scheme": scheme, "secret": "WRITE_TOKEN"}});
        let secret = format!("me@example.com:?>~?>~{}", testkit::token::fresh());
        let gate = start(&upstream, |setup| setup.env("WRITE_TOKEN", secret).route("/*", auth));
        let answer = Request::get("/x").bearer(&gate.bearer()).send(&gate);
        let location = answer.header("location");
        assert_eq!(
            location.as_deref(),
            Some("https://other.example/?t=[redacted]&a=b"),
            "{scheme}"
        );
        for name in ["x-sent", "x-bare", "x-bare-url", "x-percent"] {
            assert_eq!(answer.header(name).as_deref(), Some("[redacted]"), "{scheme}: {name}");
        }
    }
}
