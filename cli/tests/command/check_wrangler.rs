//! `writegate check` with the real wrangler, which asks a double of the Cloudflare API.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::check_api::{Api, no, yes};
use crate::check_setup::{Gate, WELL};
use crate::checkout::{Done, random_secret, root, writegate};

const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";

/// Returns a checkout with the packages of this repository.
fn gate() -> Gate {
    // It installs them where they are missing.
    Done::of(&mut writegate(&["build"])).succeeded();
    let gate = Gate::of(&format!("name = \"gate\"\n{WELL}[env.staging]\n"));
    let packages = gate.checkout.0.join("node_modules");
    std::fs::remove_dir_all(&packages).unwrap();
    symlink(root().join("node_modules"), packages).unwrap();
    gate
}

/// Returns the row, asked of this API, or of nobody.
fn secrets(gate: &Gate, port: Option<u16>) -> Value {
    let mut command = gate.command(&["--json", "--only", "secrets"]);
    command
        // Nobody is logged in.
        .env("HOME", &gate.checkout.0)
        .env("XDG_CONFIG_HOME", gate.checkout.0.join("cache"))
        .env("CLOUDFLARE_ENV", "staging")
        .env("WRANGLER_SEND_METRICS", "false")
        .env("CI", "true");
    if let Some(port) = port {
        command
            .env("CLOUDFLARE_API_BASE_URL", format!("http://127.0.0.1:{port}/client/v4"))
            .env("CLOUDFLARE_API_TOKEN", random_secret())
            .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT);
    }
    let done = Done::of(&mut command);
    serde_json::from_str(&done.out).unwrap_or_else(|_| panic!("{}{}", done.out, done.err))
}

#[test]
fn the_real_wrangler_is_understood() {
    let gate = gate();
    // Another environment is not meant, whatever wrangler finds.
    gate.checkout.file(".env", "CLOUDFLARE_ENV=staging\n");
    let path = format!("/client/v4/accounts/{ACCOUNT}/workers/scripts/gate/secrets");
    let own = path.clone();
    let api = Api::start(move |path, _| match path {
        path if path == own => yes(json!([{"name": "SIGNING_SECRET", "type": "secret_text"}])),
        _ => no(404, 7003, "Could not route"),
    });
    let row = secrets(&gate, Some(api.port));
    assert_eq!(row["status"], "fail", "{row}");
    let evidence = row["evidence"].as_str().unwrap();
    assert!(
        evidence.starts_with("not set: WRITE_TOKEN (wrangler secret list has: SIGNING_SECRET)"),
        "{row}"
    );

    let nobody = secrets(&gate, None);
    assert_eq!(nobody["status"], "warn", "{nobody}");
    assert!(nobody["hint"].as_str().unwrap().contains("wrangler login"), "{nobody}");

    // A Worker that is not there yet.
    let api = Api::start(move |asked, _| match asked {
        asked if asked == path => no(404, 10007, "This Worker does not exist on your account."),
        _ => no(404, 7003, "Could not route"),
    });
    let none = secrets(&gate, Some(api.port));
    assert_ne!(none["status"], "ok", "{none}");
}
