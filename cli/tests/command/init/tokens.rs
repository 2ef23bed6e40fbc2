//! The write token on its way in.

use serde_json::Value;
use testkit::upstream::{Reply, Upstream};

use super::{CMS, clone};
use crate::checkout::{Checkout, random_secret, rows};

/// Returns the token that was written, as the platform reads it.
fn held(checkout: &Checkout) -> Value {
    serde_json::from_str(&checkout.held("WRITE_TOKEN")).unwrap()
}

#[test]
fn what_is_no_token_is_refused_and_not_shown() {
    let checkout = clone();
    let secret = random_secret();
    let long = secret.repeat(200);
    for (input, words) in rows(&format!(
        r#"
        ⏎                              → empty
        {secret}⏎{secret}⏎             → several lines
        {secret}⌁x                     → control characters
        {long}                         → 5120 bytes
        Bearer {secret}⏎               → begins with Bearer
        bearer  {secret}               → begins with Bearer
        "{secret}"                     → is in quotes
        “{secret}”                     → is in quotes
        {{"token":"Bearer {secret}"}}  → begins with Bearer
        {{"token":"{secret}"           → JSON object
        {{"token":"{secret}","issued":"2026-01-01"}}     → known: token, issued_at
        {{"token":"{secret}","issued_at":"May"}}         → issued_at
        {{"token":"{secret}","expires_at":"2020-01-01"}} → --expires-at … passed
        {secret} {secret}              → WRITE_TOKEN
        "#
    )) {
        let input = input.replace('⏎', "\n").replace('⌁', "\u{7}");
        let done = checkout.fed(&format!("{CMS} --local"), &input);
        done.failed(2, &words);
        assert!(!done.err.contains(&secret), "{}", done.err);
        checkout.assert_untouched();
    }
    checkout.refuses_fed("", &format!("{CMS} --local → empty"));
    checkout.refuses_fed(&secret, &format!("{CMS} --local --auth basic → user:password"));
}

#[test]
fn dates_come_from_the_token_s_own_envelope_or_from_flags() {
    let envelope = format!(
        r#"{{"token":"{}","issued_at":"2026-01-02","expires_at":"2999-01-01"}}"#,
        random_secret()
    );
    for (dates, issued, expires) in [
        ("", "2026-01-02T00:00:00.000Z", "2999-01-01T00:00:00.000Z"),
        ("--issued-at 2026-03-04 --expires-at 2998-01-01", "2026-03-04", "2998-01-01"),
    ] {
        let checkout = clone();
        checkout.fed(&format!("{CMS} --local {dates}"), &envelope).succeeded();
        let token = held(&checkout);
        assert_eq!((&token["issued_at"], &token["expires_at"]), (&issued.into(), &expires.into()));
    }
}

#[test]
fn odd_characters_come_through() {
    for (auth, token) in [("bearer", "a'b#c$d`e\"f\\g$(h)${i}"), ("basic", "user:pass word")] {
        let checkout = clone();
        checkout.fed(&format!("{CMS} --local --auth {auth}"), token).succeeded();
        assert_eq!(held(&checkout)["token"], token);
        let line = checkout.held("WRITE_TOKEN");
        assert!(!line.contains(['\'', '#', '$', '`']), "{line}");
    }
}

/// Makes a gate before this API, with a probe.
fn init(upstream: &str) -> String {
    format!("init --local --preset cms --path /x --probe /me --upstream {upstream}")
}

#[test]
fn the_token_is_tried_before_anything_is_written() {
    let token = random_secret();
    for (status, shown) in [
        (200, "the API accepts the write token"),
        (404, "answered 404 to "),
        (302, "is this a path of the API's that answers a GET with 200?"),
        // It may only be the probe that the token has no right to.
        (403, "the token may lack a permission for this path"),
        (429, "it accepts no more requests now: try again later"),
        (503, "it fails now: try again later"),
        (401, "does not accept the write token"),
    ] {
        let api = Upstream::answering(move |_, _| Reply::new(status));
        let init = init(&format!("{}/api", api.url()));
        let checkout = clone();
        let done = checkout.fed(&init, &token);
        assert!(done.err.contains(shown), "{status}: {}", done.err);
        if status == 401 {
            done.failed(2, &["401", "--skip-probe"]);
            checkout.assert_untouched();
            checkout.fed(&format!("{init} --skip-probe"), &token).succeeded();
        }
        let seen = api.only();
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/api/me"));
        assert_eq!(seen.header("authorization"), Some(format!("Bearer {token}")));
        assert!(!done.err.contains(&token), "{}", done.err);
        let is_known = [200, 401].contains(&status);
        assert_eq!(done.err.contains("not known if"), !is_known, "{}", done.err);
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
        let done = clone().fed(&init(&url), &random_secret());
        assert!(done.err.contains("not known if") && done.err.contains(shown), "{}", done.err);
    }
}
