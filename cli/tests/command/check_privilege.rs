//! `writegate check` and what the Cloudflare API says of a token: its answers have the shapes of the
//! published API schema.

use serde_json::{Value, json};

use crate::check_api::{Api, no, yes};
use crate::check_setup::Gate;
use crate::checkout::{Done, random_secret};

const ID: &str = "ed17574386854bf78a67040be0a770b0";
const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";

fn record(group: &str, resource: &str) -> Value {
    json!({"id": ID, "name": "gate", "status": "active", "issued_on": "2026-11-01T00:00:00Z", "policies": [
        {"id": "f267e341f3dd4697bd3b9f71dd96247f", "effect": "allow", "resources": {resource: "*"},
         "permission_groups": [{"id": "c8fed203ed3043cba015a93ad1616f1f", "name": group}]}]})
}

/// Returns a gate in front of it, and the row.
fn row(api: &Api, path: &str, reader: Option<&str>) -> (Gate, Value) {
    let base = format!("http://127.0.0.1:{}/client/v4", api.port);
    let gate = Gate::of(&format!("[vars]\nUPSTREAM = \"{base}{path}\"\n"));
    let row = ask(&gate, &base, reader);
    (gate, row)
}

fn ask(gate: &Gate, base: &str, reader: Option<&str>) -> Value {
    let mut command = gate.command(&["--json", "--only", "token-privilege"]);
    command
        .env("CLOUDFLARE_API_BASE_URL", base)
        .env_remove("CLOUDFLARE_ACCOUNT_ID")
        // It must not be asked for what is on this machine.
        .env("http_proxy", "http://127.0.0.1:1")
        .envs(reader.map(|token| ("CHECK_API_TOKEN", token)));
    let done = Done::of(&mut command);
    assert!(!format!("{}{}", done.out, done.err).contains(&gate.token));
    serde_json::from_str(&done.out).unwrap_or_else(|_| panic!("{}{}", done.out, done.err))
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
        let (_gate, row) = row(&api, "", None);
        assert_eq!(row["status"], status, "{row}");
        assert!(row["evidence"].as_str().unwrap().contains(group), "{row}");
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
    let (gate, untold) = row(&api, "", None);
    assert_eq!(untold["status"], "warn", "{untold}");
    assert!(untold["evidence"].as_str().unwrap().contains("code 9109"), "{untold}");
    assert!(untold["hint"].as_str().unwrap().contains("CHECK_API_TOKEN"), "{untold}");
    let base = format!("http://127.0.0.1:{}/client/v4", api.port);
    let shown = ask(&gate, &base, Some(&reader));
    assert_eq!(shown["status"], "ok", "{shown}");
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
    let (_gate, row) = row(&api, &format!("/accounts/{ACCOUNT}/ai/v1"), None);
    assert_eq!(row["status"], "ok", "{row}");
    assert!(row["evidence"].as_str().unwrap().contains("Workers AI Write"), "{row}");
}

#[test]
fn a_token_that_is_refused_fails_and_silence_is_a_warning() {
    let api = Api::start(|_, _| no(401, 1000, "Invalid API Token"));
    let (gate, row) = row(&api, "", None);
    assert_eq!(row["status"], "fail", "{row}");
    assert!(row["evidence"].as_str().unwrap().contains("refuses WRITE_TOKEN"), "{row}");
    let broken = Api::start(|_, _| (502, json!("<html>")));
    let port = broken.port;
    let of = |port: u16| format!("http://127.0.0.1:{port}/client/v4");
    gate.checkout.file("wrangler.toml", &format!("[vars]\nUPSTREAM = \"{}\"\n", of(port)));
    let silent = ask(&gate, &of(port), None);
    assert_eq!(silent["status"], "warn", "{silent}");
    assert!(silent["evidence"].as_str().unwrap().contains("502"), "{silent}");
}
