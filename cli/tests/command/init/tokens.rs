//! The write token on its way in.

use serde_json::Value;
use testkit::upstream::{Reply, Upstream};

use super::{CMS, clone};
use crate::checkout::random_secret;

fn local() -> Vec<&'static str> {
    [CMS.as_slice(), &["--local"]].concat()
}

/// Reads `.dev.vars` as the platform does.
fn held(file: &str) -> Value {
    let line = file.lines().find_map(|line| line.strip_prefix("WRITE_TOKEN='"));
    serde_json::from_str(line.unwrap().strip_suffix('\'').unwrap()).unwrap()
}

#[test]
fn what_is_no_token_is_refused_and_not_shown() {
    let checkout = clone();
    let secret = random_secret();
    for (input, words) in [
        (String::new(), ["empty"].as_slice()),
        ("\n".to_owned(), &["empty"]),
        (format!("{secret}\n{secret}\n"), &["several lines"]),
        (format!("{secret}\u{7}x"), &["control characters"]),
        (secret.repeat(200), &["5120 bytes"]),
        (format!("Bearer {secret}\n"), &["begins with Bearer"]),
        (format!("bearer  {secret}"), &["begins with Bearer"]),
        (format!("\"{secret}\""), &["is in quotes"]),
        (format!("“{secret}”"), &["is in quotes"]),
        (format!("{{\"token\":\"Bearer {secret}\"}}"), &["begins with Bearer"]),
        (format!("{{\"token\":\"{secret}\""), &["JSON object"]),
        (
            format!("{{\"token\":\"{secret}\",\"issued\":\"2026-01-01\"}}"),
            &["known: token, issued_at"],
        ),
        (format!("{{\"token\":\"{secret}\",\"issued_at\":\"May\"}}"), &["issued_at"]),
        (
            format!("{{\"token\":\"{secret}\",\"expires_at\":\"2020-01-01\"}}"),
            &["--expires-at", "passed"],
        ),
        (format!("{secret} {secret}"), &["WRITE_TOKEN"]),
    ] {
        let done = checkout.fed(&local(), &input);
        done.failed(2, words);
        assert!(!done.err.contains(&secret), "{}", done.err);
        checkout.assert_untouched();
    }
    let basic = [local().as_slice(), &["--auth", "basic"]].concat();
    checkout.fed(&basic, &secret).failed(2, &["user:password"]);
    checkout.assert_untouched();
}

#[test]
fn dates_come_from_the_token_s_own_envelope_or_from_flags() {
    let envelope = format!(
        "{{\"token\":\"{}\",\"issued_at\":\"2026-01-02\",\"expires_at\":\"2999-01-01\"}}",
        random_secret()
    );
    let checkout = clone();
    checkout.fed(&local(), &envelope).succeeded();
    let token = held(&checkout.text(".dev.vars"));
    assert_eq!(token["issued_at"], "2026-01-02T00:00:00.000Z");
    assert_eq!(token["expires_at"], "2999-01-01T00:00:00.000Z");

    let checkout = clone();
    let dates = ["--issued-at", "2026-03-04", "--expires-at", "2998-01-01"];
    checkout.fed(&[local().as_slice(), &dates].concat(), &envelope).succeeded();
    let token = held(&checkout.text(".dev.vars"));
    assert_eq!(
        (&token["issued_at"], &token["expires_at"]),
        (&"2026-03-04".into(), &"2998-01-01".into())
    );
}

#[test]
fn odd_characters_come_through() {
    for token in ["a'b#c$d`e\"f\\g$(h)${i}", "user:pass word"] {
        let checkout = clone();
        let auth = if token.contains(' ') { "basic" } else { "bearer" };
        checkout.fed(&[local().as_slice(), &["--auth", auth]].concat(), token).succeeded();
        let file = checkout.text(".dev.vars");
        assert_eq!(held(&file)["token"], token);
        let line = file.lines().find(|line| line.starts_with("WRITE_TOKEN=")).unwrap();
        assert_eq!(line.matches('\'').count(), 2, "{line}");
        assert!(!line.contains(['#', '$', '`']), "{line}");
    }
}

/// Returns an API on loopback that answers every request with this status, and the arguments for a gate before it.
fn api(status: u16) -> (Upstream, Vec<String>) {
    let api = Upstream::answering(move |_, _| Reply::new(status));
    let upstream = format!("{}/api", api.url());
    let arguments = [
        "init", "--local", "--preset", "cms", "--path", "/x", "--probe", "/me", "--upstream",
        &upstream,
    ];
    let arguments = arguments.map(str::to_owned).to_vec();
    (api, arguments)
}

#[test]
fn the_token_is_tried_before_anything_is_written() {
    let token = random_secret();
    for (status, shown) in [
        (200, Some("the API takes the write token")),
        (404, Some("answered 404 to ")),
        (302, Some("is this a path of the API's that answers a GET with 200?")),
        // It may only be the probe that the token has no right to.
        (403, Some("the token may lack a permission for this path")),
        (429, Some("it takes no more requests now: try again later")),
        (503, Some("it is out of order now: try again later")),
        (401, None),
    ] {
        let (api, arguments) = api(status);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let checkout = clone();
        let done = checkout.fed(&arguments, &token);
        match shown {
            Some(shown) => assert!(done.err.contains(shown), "{status}: {}", done.err),
            None => {
                done.failed(
                    2,
                    &["does not take the write token", &status.to_string(), "--skip-probe"],
                );
                checkout.assert_untouched();
                let skipped = [arguments.as_slice(), &["--skip-probe"]].concat();
                checkout.fed(&skipped, &token).succeeded();
            }
        }
        let seen = api.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!((seen[0].method.as_str(), seen[0].target.as_str()), ("GET", "/api/me"));
        assert_eq!(seen[0].header("authorization"), Some(format!("Bearer {token}")));
        assert!(!done.err.contains(&token), "{}", done.err);
        assert_eq!(
            shown.is_some_and(|shown| shown != "the API takes the write token"),
            done.err.contains("not known whether")
        );
    }
}

#[test]
fn a_web_page_and_no_answer_say_nothing_about_the_token() {
    let page =
        Upstream::answering(|_, _| Reply::new(200).body("<!doctype html><title>Log in</title>"));
    // Its port is nobody's when this line is done.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{nobody}");
    for (url, shown) in [(page.url(), "that is a web page"), (nobody, "/me did not answer: ")] {
        let checkout = clone();
        let init = [
            "init", "--local", "--preset", "cms", "--path", "/x", "--probe", "/me", "--upstream",
            &url,
        ];
        let done = checkout.fed(&init, &random_secret());
        assert!(done.err.contains("not known whether") && done.err.contains(shown), "{}", done.err);
    }
}
