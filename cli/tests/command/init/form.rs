//! The preset for a form: a key that mints, its limiter, and Turnstile's two keys.

use serde_json::{Value, json};

use super::clone;
use super::machine::{Machine, not_found};
use crate::checkout::{Done, random_secret};

const FORM: &str = "init --preset form --upstream https://api.example.com --path /entries \
    --origin https://www.example.com --site-key 0x4AAAAAAADnPIDROrmt1Wwj";

#[test]
fn its_key_mints_for_the_page_and_nothing_else() {
    let checkout = clone();
    let (token, turnstile) = (random_secret(), random_secret());
    let done = checkout.fed(&format!("{FORM} --local"), &format!("{token}\n{turnstile}\n"));
    for secret in [&token, &turnstile] {
        assert!(!done.err.contains(secret), "{}", done.err);
        assert!(!checkout.text("wrangler.toml").contains(secret));
    }
    assert!(done.err.contains("docs/recipes/form.md"), "{}", done.err);
    let (first, whole) = (done.lines().remove(0), checkout.configuration());
    let mut key = whole["vars"]["KEYS"][0].clone();
    assert_eq!(key["id"].take(), first["id"]);
    let expected = json!({
        "id": null, "name": "The form's page", "mint": {"ttl": 300, "bind": false}, "methods": ["POST"],
        "paths": ["/entries"], "allowed_origins": ["https://www.example.com"],
    });
    assert_eq!(key, expected);
    assert_eq!(whole["vars"]["RATES"], json!({"mint": {"limit": 10, "period": 60}}));
    let id = &whole["ratelimits"][0]["namespace_id"];
    let limiter =
        json!({"name": "RATE_MINT", "namespace_id": id, "simple": {"limit": 10, "period": 60}});
    assert_eq!(whole["ratelimits"], json!([limiter]));
    assert!(checkout.text("wrangler.toml").contains("0x4AAAAAAADnPIDROrmt1Wwj"));
    assert_eq!(checkout.held("TURNSTILE_SECRET"), turnstile);
    let held: Value = serde_json::from_str(&checkout.held("WRITE_TOKEN")).unwrap();
    assert_eq!(held["token"], token.as_str());
}

#[test]
fn turnstile_s_secret_comes_from_the_environment_too() {
    let checkout = clone();
    let (token, turnstile) = (random_secret(), random_secret());
    // Standard input is empty here, so the write token is what is missing.
    let mut command = checkout.command(&format!("{FORM} --local"));
    let done = Done::of(command.env("TURNSTILE_SECRET", &turnstile));
    done.failed(2, &["the write token", "empty"]);
    checkout.file(".dev.vars", &format!("TURNSTILE_SECRET={turnstile}\n"));
    checkout.fed(&format!("{FORM} --local --force"), &token).succeeded();
    assert_eq!(checkout.held("TURNSTILE_SECRET"), turnstile);
    assert_eq!(checkout.text(".dev.vars").matches("TURNSTILE_SECRET").count(), 1);
}

#[test]
fn what_is_missing_or_wrong_is_named_and_nothing_is_written() {
    let checkout = clone();
    let (token, secret) = (random_secret(), random_secret());
    let both = format!("{token}\n{secret}\n");
    let (bare, key) = FORM.split_once(" --site-key ").unwrap();
    let without = |flag: &str| {
        let (before, rest) = FORM.split_once(flag).unwrap();
        format!("{before} {} --local", rest.split(' ').skip(2).collect::<Vec<_>>().join(" "))
    };
    checkout.refuses_fed(
        &both,
        &format!(
            "
            {bare} --local            → add --site-key TURNSTILE_SITE_KEY
            {}                        → add --origin https://
            {}                        → add --path /posts
            {bare} --local --site-key site-key → --site-key … {key}
            {bare} --local --site-key '{key}, really' → --site-key … secret key
            {bare} --local --site-key 0x4AAAAAAADnPIDROzSEkcRqeXhBQXW2xkQ → --site-key … secret key
            ",
            without("--origin"),
            without("--path")
        ),
    );
    for (input, words) in [
        (token.clone(), "TURNSTILE_SECRET is missing … second line"),
        (format!("{token}\n\n"), "TURNSTILE_SECRET is missing … second line"),
        (format!("{token}\n{secret}\n{secret}\n"), "TURNSTILE_SECRET … one word"),
        (format!("{token}\n{key}\n"), "TURNSTILE_SECRET … is the site key"),
    ] {
        checkout.refuses_fed(&input, &format!("{FORM} --local → {words}"));
    }
}

#[test]
fn both_of_its_secrets_go_to_cloudflare() {
    let machine = Machine::new();
    let turnstile = random_secret();
    let input = format!("{}\n{turnstile}\n", machine.token);
    machine.fed(FORM, &input).succeeded();
    assert_eq!(machine.put("TURNSTILE_SECRET"), [turnstile.as_str()]);
    assert_eq!(machine.put("WRITE_TOKEN").len(), 1);

    // And so they do when a run that broke off is finished.
    machine.answers("secret list", not_found("writegate"));
    machine.finish("").succeeded();
    assert_eq!(machine.put("TURNSTILE_SECRET"), [turnstile.as_str(), turnstile.as_str()]);
}
