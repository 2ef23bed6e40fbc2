//! `writegate check` and what the Cloudflare API says of a token: its answers have the shapes of the
//! published API schema.

use serde_json::{Value, json};

use crate::check_api::{Api, no, yes};
use crate::check_setup::{ACCOUNT, Gate};
use crate::checkout::random_secret;

const ID: &str = "ed17574386854bf78a67040be0a770b0";

fn record(group: &str, resource: &str) -> Value {
    json!({"id": ID, "name": "gate", "status": "active", "issued_on": "2026-11-01T00:00:00Z", "policies": [
        {"id": "f267e341f3dd4697bd3b9f71dd96247f", "effect": "allow", "resources": {resource: "*"},
         "permission_groups": [{"id": "c8fed203ed3043cba015a93ad1616f1f", "name": group}]}]})
}

/// Returns a gate before the API, below this path.
fn gate(api: &Api, path: &str) -> Gate {
    Gate::of(&format!("[vars]\nUPSTREAM = \"{}{path}\"\n", api.base()))
}

#[track_caller]
fn says(gate: &Gate, api: &Api, reader: Option<&str>, status: &str, words: &str) -> Value {
    // As somebody may have pasted it into the secrets of a repository.
    let reader = reader.map(|token| format!("{token}\r\n"));
    let reader = reader.as_deref().map(|token| ("CHECK_API_TOKEN", token));
    let base = api.base();
    let variables: Vec<_> =
        reader.into_iter().chain([("CLOUDFLARE_API_BASE_URL", base.as_str())]).collect();
    gate.says_with("token-privilege", &variables, status, words)
}

const ZONE: &str = "com.cloudflare.api.account.zone.eb78d65290b24279ba6f44721b3ea3c4";

#[test]
fn a_token_that_may_read_itself_is_judged_by_its_policies() {
    for (group, resource, status) in [
        ("DNS Write", ZONE, "ok"),
        ("DNS Write", "com.cloudflare.api.account.zone.*", "warn"),
        ("API Tokens Write", "com.cloudflare.api.user.*", "fail"),
    ] {
        let api = Api::start(move |path, _| match path {
            "/client/v4/user/tokens/verify" => yes(json!({"id": ID, "status": "active"})),
            path if path.ends_with(ID) => yes(record(group, resource)),
            _ => no(404, 7003, "no route"),
        });
        says(&gate(&api, ""), &api, None, status, group);
    }
}

#[test]
fn another_token_may_read_it() {
    let reader = random_secret();
    let own = reader.clone();
    let api = Api::start(move |path, token| match path {
        "/client/v4/user/tokens/verify" if token != own => {
            yes(json!({"id": ID, "status": "active"}))
        }
        path if path.ends_with(ID) && token == own => yes(record("DNS Write", ZONE)),
        _ => no(403, 9109, "Unauthorized to access requested resource"),
    });
    let gate = gate(&api, "");
    let untold = says(&gate, &api, None, "warn", "code 9109");
    assert!(untold["hint"].as_str().unwrap().contains("CHECK_API_TOKEN"), "{untold}");
    says(&gate, &api, Some(&reader), "ok", "");
}

#[test]
fn a_token_of_an_account_is_asked_about_there() {
    let api = Api::start(|path, _| match path {
        "/client/v4/user/tokens/verify" => no(401, 1000, "Invalid API Token"),
        path if path == format!("/client/v4/accounts/{ACCOUNT}/tokens/verify") => {
            yes(json!({"id": ID, "status": "active"}))
        }
        path if path == format!("/client/v4/accounts/{ACCOUNT}/tokens/{ID}") => {
            yes(record("Workers AI Write", &format!("com.cloudflare.api.account.{ACCOUNT}")))
        }
        _ => no(404, 7003, "no route"),
    });
    let gate = gate(&api, &format!("/accounts/{ACCOUNT}/ai/v1"));
    says(&gate, &api, None, "ok", "Workers AI Write");
}

#[test]
fn a_token_that_is_refused_fails_and_silence_is_a_warning() {
    let api = Api::start(|_, _| no(401, 1000, "Invalid API Token"));
    says(&gate(&api, ""), &api, None, "fail", "refuses WRITE_TOKEN");
    let broken = Api::start(|_, _| (502, json!("<html>")));
    says(&gate(&broken, ""), &broken, None, "warn", "502");
}
