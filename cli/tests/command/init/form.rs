//! The preset for a form: a key that mints, its limiter, and Turnstile's two keys.

use serde_json::{Value, json};

use super::clone;
use super::machine::{Machine, not_found};
use crate::checkout::{Checkout, Done, random_secret};

const SITE_KEY: &str = "0x4AAAAAAADnPIDROrmt1Wwj";
const FORM: [&str; 11] = [
    "init", "--preset", "form", "--upstream", "https://api.example.com", "--path", "/entries",
    "--origin", "https://www.example.com", "--site-key", SITE_KEY,
];

fn local() -> Vec<&'static str> {
    [FORM.as_slice(), &["--local"]].concat()
}

fn held(checkout: &Checkout, name: &str) -> String {
    let text = checkout.text(".dev.vars");
    let opening = format!("{name}='");
    let line = text.lines().find_map(|line| line.strip_prefix(&opening));
    line.unwrap().strip_suffix('\'').unwrap().to_owned()
}

#[test]
fn its_key_mints_for_the_page_and_nothing_else() {
    let checkout = clone();
    let (token, turnstile) = (random_secret(), random_secret());
    let done = checkout.fed(&local(), &format!("{token}\n{turnstile}\n"));
    for secret in [&token, &turnstile] {
        assert!(!done.err.contains(secret), "{}", done.err);
        assert!(!checkout.text("wrangler.toml").contains(secret));
    }
    assert!(done.err.contains("docs/recipes/form.md"), "{}", done.err);
    let first: Value = serde_json::from_str(&done.succeeded()).unwrap();
    let whole: Value = toml::from_str(&checkout.text("wrangler.toml")).unwrap();
    let mut key = whole["vars"]["KEYS"][0].clone();
    assert_eq!(key["id"].take(), first["id"]);
    let expected = json!({
        "id": null, "name": "The form's page", "mint": {"ttl": 300, "bind": false}, "methods": ["POST"],
        "paths": ["/entries"], "allowed_origins": ["https://www.example.com"],
    });
    assert_eq!(key, expected);
    assert_eq!(whole["vars"]["RATES"], json!({"mint": {"limit": 10, "period": 60}}));
    let limiter =
        json!({"name": "RATE_MINT", "namespace_id": "1001", "simple": {"limit": 10, "period": 60}});
    assert_eq!(whole["ratelimits"], json!([limiter]));
    assert!(checkout.text("wrangler.toml").contains(SITE_KEY));
    assert_eq!(held(&checkout, "TURNSTILE_SECRET"), turnstile);
    let held: Value = serde_json::from_str(&held(&checkout, "WRITE_TOKEN")).unwrap();
    assert_eq!(held["token"], token.as_str());
}

#[test]
fn turnstile_s_secret_comes_from_the_environment_too() {
    let checkout = clone();
    let (token, turnstile) = (random_secret(), random_secret());
    // Standard input is empty here, so the write token is what is missing.
    let mut command = checkout.command(&local());
    let done = Done::of(command.env("TURNSTILE_SECRET", &turnstile));
    done.failed(2, &["the write token", "empty"]);
    checkout.file(".dev.vars", &format!("TURNSTILE_SECRET={turnstile}\n"));
    let forced = [local().as_slice(), &["--force"]].concat();
    checkout.fed(&forced, &token).succeeded();
    assert_eq!(held(&checkout, "TURNSTILE_SECRET"), turnstile);
    assert_eq!(checkout.text(".dev.vars").matches("TURNSTILE_SECRET").count(), 1);
}

#[test]
fn what_is_missing_or_wrong_is_named_and_nothing_is_written() {
    let checkout = clone();
    let (token, secret) = (random_secret(), random_secret());
    let both = format!("{token}\n{secret}\n");
    let without = |flag: &str| {
        let mut arguments = local();
        let at = arguments.iter().position(|argument| *argument == flag).unwrap();
        arguments.drain(at..at + 2);
        arguments
    };
    let with =
        |value: &'static str| [without("--site-key").as_slice(), &["--site-key", value]].concat();
    for (arguments, input, words) in [
        (without("--site-key"), &both, ["--site-key is missing", "Turnstile"]),
        (without("--origin"), &both, ["--origin is missing", ""]),
        (without("--path"), &both, ["--path is missing", ""]),
        (with("site-key"), &both, ["--site-key", "0x4AAAAAAADnPIDROrmt1Wwj"]),
        (with("0x4AAAAAAADnPIDROrmt1Wwj, really"), &both, ["--site-key", "secret key"]),
        // Secret keys are longer.
        (with("0x4AAAAAAADnPIDROzSEkcRqeXhBQXW2xkQ"), &both, ["--site-key", "secret key"]),
        (local(), &token, ["TURNSTILE_SECRET is missing", "second line"]),
        (local(), &format!("{token}\n\n"), ["TURNSTILE_SECRET is missing", "second line"]),
        (local(), &format!("{token}\n{secret}\n{secret}\n"), ["TURNSTILE_SECRET", "one word"]),
        (local(), &format!("{token}\n{SITE_KEY}\n"), ["TURNSTILE_SECRET", "is the site key"]),
    ] {
        let done = checkout.fed(&arguments, input);
        done.failed(2, &words);
        assert!(!done.err.contains(&token) && !done.err.contains(&secret), "{}", done.err);
        checkout.assert_untouched();
    }
    let cms = [super::CMS.as_slice(), &["--local", "--site-key", SITE_KEY]].concat();
    checkout.fed(&cms, &token).failed(2, &["--site-key", "--preset form"]);
    checkout.assert_untouched();
}

#[test]
fn both_of_its_secrets_go_to_cloudflare() {
    let machine = Machine::new();
    let turnstile = random_secret();
    let input = format!("{}\n{turnstile}\n", machine.token);
    let done = machine.checkout.fed(&FORM, &input);
    machine.keeps_its_secrets(&done);
    done.succeeded();
    assert_eq!(machine.put("TURNSTILE_SECRET"), [turnstile.as_str()]);
    assert_eq!(machine.put("WRITE_TOKEN").len(), 1);

    // And so they do when a run that broke off is finished.
    machine.answers("secret list", not_found("writegate"));
    machine.finish(&[]).succeeded();
    assert_eq!(machine.put("TURNSTILE_SECRET"), [turnstile.as_str(), turnstile.as_str()]);
}
