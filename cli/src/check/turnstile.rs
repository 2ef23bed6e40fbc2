//! A row about the challenge that visitors solve, because a key with `mint` gives a session to everybody who solves it.

use writegate::Timestamp;
use writegate::config::Config;
use writegate::credential::turnstile::VERIFY_URL;

use super::keys::live;
use super::local::{Local, TURNSTILE};
use super::row::{Findings, Verdict, listed};

/// Cloudflare's secret keys for tests: always passes, always fails, always spent.
/// <https://developers.cloudflare.com/turnstile/troubleshooting/testing/>
const DUMMIES: [&str; 3] = [
    "1x0000000000000000000000000000000AA",
    "2x0000000000000000000000000000000AA",
    "3x0000000000000000000000000000000AA",
];

pub(super) fn row(config: &Config, local: &Local, now: Timestamp) -> Verdict {
    let minting: Vec<_> = live(config, now).filter(|key| key.mint.is_some()).collect();
    let mut findings = Findings::default();
    let secret = local.get(TURNSTILE).map(|secret| secret.expose().trim_ascii());
    if secret.is_some_and(|secret| DUMMIES.iter().any(|dummy| dummy.as_bytes() == secret)) {
        findings.fail(
            format!("{TURNSTILE} is one of Cloudflare's keys for tests, so only pages of this machine get a session"),
            format!("put the secret key of your own widget: npx wrangler secret put {TURNSTILE}"),
        );
    }
    if config.turnstile.verify_url != VERIFY_URL {
        findings.fail(
            "TURNSTILE_VERIFY_URL is set, so a service other than Turnstile decides who gets a \
            session",
            "remove TURNSTILE_VERIFY_URL; it is for tests",
        );
    }
    if minting.is_empty() {
        return findings.verdict("no key of the configuration mints sessions for pages");
    }
    if secret.is_none() {
        findings.warn(
            format!("{TURNSTILE} is neither in the environment nor in .dev.vars, so it is not known whether it is a key for tests"),
            format!("run this with {TURNSTILE} in the environment"),
        );
    }
    let is_local = |key: &&&writegate::Key| {
        key.allowed_origins.iter().flatten().any(|origin| origin.is_loopback())
    };
    let local: Vec<&str> = minting.iter().filter(is_local).map(|key| key.id.as_str()).collect();
    findings.warn_of(
        "pages of a visitor's own machine may get sessions of",
        &local,
        "remove the loopback origins from allowed_origins; keep them in a key, or an [env.…], of its own for development",
    );
    let ids: Vec<&str> = minting.iter().map(|key| key.id.as_str()).collect();
    findings.verdict(format!("sessions for pages, after a challenge: {}", listed(&ids, 8)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::configuration;
    use super::super::row::Status::{self, Fail, Ok as Well, Warn};
    use super::*;

    fn judged(origin: &str, more: Value, secret: Option<&str>) -> Verdict {
        let mut vars = json!({"UPSTREAM": "https://a.example", "KEYS": [{
            "id": "pk_form", "mint": {}, "methods": ["POST"], "paths": ["/x"], "allowed_origins": [origin],
        }]});
        for (name, value) in more.as_object().unwrap() {
            vars[name] = value.clone();
        }
        let secrets: Vec<_> = secret.map(|secret| (TURNSTILE, secret)).into_iter().collect();
        let now = Timestamp::parse_rfc3339("2026-11-20").unwrap();
        row(&configuration::of(&vars, &[]).unwrap(), &Local::of(&secrets), now)
    }

    #[test]
    fn what_lets_anybody_pass_is_found() {
        let own = Some("0x4AAAAAAADnPIDROzSEkcRqeXhBQXW2xkQ");
        let (page, none) = ("https://www.example.com", json!({}));
        let dummy = |first: char| format!("{first}x0000000000000000000000000000000AA");
        let [passes, fails, spent] = ['1', '2', '3'].map(dummy);
        let piped = format!("{passes}\n");
        let cases: [(&str, &Value, Option<&str>, Status); 12] = [
            (page, &none, own, Well),
            (page, &none, Some(&passes), Fail),
            (page, &none, Some(&fails), Fail),
            (page, &none, Some(&spent), Fail),
            (page, &none, Some(&piped), Fail),
            (page, &none, Some("4x0000000000000000000000000000000AA"), Well),
            (page, &none, None, Warn),
            ("http://localhost:5173", &none, own, Warn),
            ("http://127.0.0.1", &none, own, Warn),
            ("http://*.localhost.example", &none, own, Well),
            (page, &json!({"TURNSTILE_VERIFY_URL": "http://127.0.0.1:1/x"}), own, Fail),
            (page, &json!({"TURNSTILE_VERIFY_URL": "https://verify.example"}), own, Fail),
        ];
        for (origin, more, secret, status) in cases {
            let verdict = judged(origin, more.clone(), secret);
            assert_eq!(verdict.status, status, "{origin} {more} {secret:?}: {verdict:?}");
            let shown = verdict.text("turnstile", 9);
            assert!(!secret.is_some_and(|secret| shown.contains(secret.trim())), "{shown}");
        }
    }

    #[test]
    fn a_gate_that_mints_nothing_needs_no_challenge() {
        let plain = json!({"KEYS": [{"id": "pk_a"}]});
        assert_eq!(judged("https://a.example", plain.clone(), None).status, Well);
        // Keys of the registry may mint.
        let dummy = "1x0000000000000000000000000000000AA";
        assert_eq!(judged("https://a.example", plain, Some(dummy)).status, Fail);
    }
}
