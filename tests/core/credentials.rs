//! The upstream's credential: its four schemes and the forms of the secret (docs/wire-contract.md, section 1).

use crate::native::{Upstream, check, start};
use serde_json::{Value, json};
use testkit::client::Request;
use testkit::token::fresh;

#[test]
fn four_schemes_of_upstream_credentials() {
    let secret = format!("user:{}", fresh());
    let (user, password) = secret.split_once(':').unwrap();
    let basic = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(&secret)
    };
    let cases: [(Value, Vec<(&str, String)>); 4] = [
        (json!({"scheme": "bearer"}), vec![("authorization", format!("Bearer {secret}"))]),
        (json!({"scheme": "basic"}), vec![("authorization", format!("Basic {basic}"))]),
        (
            json!({"scheme": "header", "name": "X-Tracker-Credential"}),
            vec![("x-tracker-credential", secret.clone())],
        ),
        (
            json!({"scheme": "cloudflare-global-key"}),
            vec![("x-auth-email", user.to_owned()), ("x-auth-key", password.to_owned())],
        ),
    ];
    for (mut auth, expected) in cases {
        auth["secret"] = "OTHER_TOKEN".into();
        let mut table = check(|setup| {
            setup.env("OTHER_TOKEN", secret.as_str()).route("/*", json!({"upstream_auth": auth}))
        });
        let mut request = Request::post("/x").bearer(&table.gate.bearer());
        for (name, _) in expected.iter().filter(|(name, _)| *name != "authorization") {
            request =
                request.header(name, "the caller's own").header(&name.replace('-', "_"), "too");
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
        let expected: Vec<_> =
            expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        table.that(found == expected, || format!("{auth}: {found:?}"));
    }
}

#[test]
fn the_token_may_be_an_envelope() {
    let upstream = Upstream::start();
    let value = fresh();
    let envelope =
        json!({"token": value, "issued_at": "2026-11-22", "expires_at": "2099-01-01T00:00:00Z"});
    let gate = start(&upstream, |setup| setup.env("WRITE_TOKEN", envelope.to_string()));
    Request::post("/x").bearer(&gate.bearer()).send(&gate).passed();
    assert_eq!(upstream.only().header("authorization"), Some(format!("Bearer {value}")));
}

#[test]
fn an_invalid_token_is_never_sent() {
    let envelope = |value: serde_json::Value| value.to_string();
    let [bearer, header, basic, global] = [
        json!({"scheme": "bearer"}),
        json!({"scheme": "header", "name": "X-Api-Token"}),
        json!({"scheme": "basic"}),
        json!({"scheme": "cloudflare-global-key"}),
    ];
    let of_a_form = [
        (&bearer, "a b"),
        (&bearer, "a\u{e9}"),
        (&header, "a b"),
        (&header, "a\u{e9}"),
        (&basic, "user"),
        (&global, "key"),
        (&global, ":key"),
        (&global, "me@example.com:"),
        (&global, "me@example.com:a key"),
    ];
    let of_a_form = of_a_form.map(|(auth, token)| (auth, token.to_owned(), "misconfigured"));
    let of_any = [
        (String::new(), "token-missing"),
        (" \n".to_owned(), "token-missing"),
        (envelope(json!({"token": ""})), "misconfigured"),
        (envelope(json!({"issued_at": "2026-11-22"})), "misconfigured"),
        (envelope(json!({"token": "abc", "issued": "2026-11-22"})), "misconfigured"),
        (envelope(json!({"token": "abc", "issued_at": "yesterday"})), "misconfigured"),
        (envelope(json!({"token": 1})), "misconfigured"),
        ("a\r\nX-Injected: 1".to_owned(), "misconfigured"),
    ];
    let of_any = of_any.map(|(token, code)| (&bearer, token, code));
    for (auth, token, code) in of_a_form.into_iter().chain(of_any) {
        let upstream = Upstream::start();
        let mut auth = auth.clone();
        auth["secret"] = "WRITE_TOKEN".into();
        let gate = start(&upstream, |setup| {
            let setup = setup.route("/*", json!({"upstream_auth": auth}));
            setup.env("WRITE_TOKEN", token.as_str())
        });
        let answer = Request::post("/x").bearer(&gate.bearer()).send(&gate);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (503, code),
            "{auth} {token:?}: {answer}"
        );
        upstream.assert_untouched();
    }
}
