//! `writegate check` with the real wrangler, which asks a double of the Cloudflare API.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::check_api::{Api, no, yes};
use crate::check_setup::{ACCOUNT, Gate, WELL};
use crate::checkout::{Done, random_secret, root, writegate};

/// Returns a checkout with the packages of this repository.
fn gate() -> Gate {
    // It installs them where they are missing.
    Done::of(&mut writegate("build")).succeeded();
    let gate = Gate::of(&format!("name = \"gate\"\n{WELL}[env.staging]\n"));
    let packages = gate.checkout.0.join("node_modules");
    std::fs::remove_dir_all(&packages).unwrap();
    symlink(root().join("node_modules"), packages).unwrap();
    gate
}

/// Returns the row, asked of this API, or of nobody.
#[track_caller]
fn secrets(gate: &Gate, api: Option<&Api>, status: &str, words: &str) -> Value {
    let (home, cache) = (gate.checkout.0.clone(), gate.checkout.0.join("cache"));
    let (base, token) = (api.map(Api::base).unwrap_or_default(), random_secret());
    let mut variables = vec![
        // Nobody is logged in.
        ("HOME", home.to_str().unwrap()),
        ("XDG_CONFIG_HOME", cache.to_str().unwrap()),
        ("CLOUDFLARE_ENV", "staging"),
        ("WRANGLER_SEND_METRICS", "false"),
        ("CI", "true"),
        ("no_proxy", "127.0.0.1"),
        ("NO_PROXY", "127.0.0.1"),
    ];
    if api.is_some() {
        variables.extend([
            ("CLOUDFLARE_API_BASE_URL", base.as_str()),
            ("CLOUDFLARE_API_TOKEN", &token),
            ("CLOUDFLARE_ACCOUNT_ID", ACCOUNT),
        ]);
    }
    gate.says_with("secrets", &variables, status, words)
}

#[test]
fn the_real_wrangler_is_understood() {
    let gate = gate();
    // Another environment is not meant, whatever wrangler finds.
    gate.checkout.file(".env", "CLOUDFLARE_ENV=staging\n");
    let path = format!("/client/v4/accounts/{ACCOUNT}/workers/scripts/gate/secrets");
    let api = Api::start(move |asked, _| match asked {
        asked if asked == path => yes(json!([{"name": "SIGNING_SECRET", "type": "secret_text"}])),
        _ => no(404, 7003, "Could not route"),
    });
    let words = "not set: WRITE_TOKEN (wrangler secret list has: SIGNING_SECRET)";
    secrets(&gate, Some(&api), "fail", words);

    let nobody = secrets(&gate, None, "warn", "");
    assert!(nobody["hint"].as_str().unwrap().contains("wrangler login"), "{nobody}");
}
