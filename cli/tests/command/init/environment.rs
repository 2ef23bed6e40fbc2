//! `init --env`: a gate as one of wrangler's environments beside another, and what `--json` says of either.

use serde_json::{Value, json};

use super::machine::{
    ACCOUNT, Machine, OTHER_ACCOUNT, about, in_two_accounts, name, not_found, refused,
};
use super::{CMS, SHIPPED, clone};
use crate::checkout::{Checkout, Done, random_secret};

fn of(done: Done) -> Value {
    serde_json::from_str(&done.succeeded()).unwrap()
}

fn staging(checkout: &Checkout, more: &str) -> Done {
    checkout.fed(&format!("{CMS} --local --env staging {more}"), &random_secret())
}

#[test]
fn a_program_reads_what_was_made_and_no_secret() {
    let (checkout, token) = (clone(), random_secret());
    let done = checkout.fed(&format!("{CMS} --local --json --path /api/x"), &token);
    let err = done.err.clone();
    let report = of(done);
    let shown = checkout.json(&format!("key show {}", report["key"].as_str().unwrap()));
    for secret in [token.as_str(), shown["sk"].as_str().unwrap()] {
        assert!(!report.to_string().contains(secret) && !err.contains(secret), "{report}{err}");
    }
    let warnings = report["warnings"].as_array().unwrap();
    for (warning, word) in warnings.iter().zip(["/api/x", "the write token"]) {
        let warning = warning.as_str().unwrap();
        assert!(warning.contains(word) && err.contains(warning), "{word}: {report}{err}");
    }
    assert_eq!(warnings.len(), 2, "{report}");
    let rest = [
        ("configuration", json!("wrangler.toml")),
        ("secrets", json!(".dev.vars")),
        ("environment", Value::Null),
        ("worker", json!("writegate")),
        ("put", json!([])),
        ("deployed", json!(false)),
    ];
    for (field, expected) in rest {
        assert_eq!(report[field], expected, "{field}");
    }
}

#[test]
fn an_environment_is_added_to_a_gate_and_shares_nothing_with_it() {
    let checkout = clone();
    let (_token, first) = checkout.made(&format!("{CMS} --domain gate.example.com"));
    let [configuration, secrets] = [checkout.text("wrangler.toml"), checkout.text(".dev.vars")];

    let second = of(staging(&checkout, ""));
    assert_ne!(first["id"], second["id"]);
    assert_eq!(checkout.text(".dev.vars"), secrets);
    let text = checkout.text("wrangler.toml");
    assert!(text.starts_with(configuration.trim_end()), "{text}");
    let whole: Value = toml::from_str(&text).unwrap();
    let environment = &whole["env"]["staging"];
    assert_eq!(environment["name"], "writegate-staging");
    // It would take the host names and the counts of the other.
    assert_eq!((&environment["routes"], &environment["workers_dev"]), (&json!([]), &json!(true)));
    for field in ["durable_objects", "vars"] {
        let names = |value: &Value| match field {
            "vars" => value[field].as_object().unwrap().keys().cloned().collect::<Vec<_>>(),
            _ => {
                value[field]["bindings"].as_array().unwrap().iter().map(Value::to_string).collect()
            }
        };
        assert_eq!(names(environment), names(&whole), "{field}");
    }
    let ids = |value: &Value| value["ratelimits"][0]["namespace_id"].clone();
    assert!(ids(environment).is_null() || ids(environment) != ids(&whole));
    for field in ["migrations", "assets", "triggers", "main"] {
        assert!(environment[field].is_null(), "{field} is inherited");
    }

    // Each key works with its own environment's secrets.
    let [own, other] =
        [&first, &second].map(|key| format!("key show {}", key["id"].as_str().unwrap()));
    assert_eq!(checkout.json(&format!("{other} --env staging"))["sk"], second["sk"]);
    assert_eq!(checkout.json(&own)["sk"], first["sk"]);
    checkout.refuses(2, &format!("{other} → --env staging"));

    staging(&checkout, "").failed(2, &["has this environment already", "--force"]);
    let third = of(staging(&checkout, "--force"));
    assert_ne!(third["id"], second["id"]);
    let text = checkout.text("wrangler.toml");
    assert_eq!(text.matches("\n[env.staging]\n").count(), 1, "{text}");
    assert!(!text.contains(second["id"].as_str().unwrap()) && text.contains("gate.example.com"));
}

#[test]
fn an_environment_without_a_gate_or_a_proper_name_is_refused() {
    let checkout = clone();
    staging(&checkout, "").failed(2, &["--env", "there is none yet", "init"]);
    assert_eq!(checkout.text("wrangler.toml"), SHIPPED);
    checkout.made(CMS);
    let odd = format!("{CMS} --local --env a.b");
    checkout.fed(&odd, &random_secret()).failed(2, &["--env", "letters"]);
    checkout.fed("init --secrets-only --env staging", "").failed(2, &["--env", "[env.…]"]);
}

/// Returns the calls of wrangler after the first so many, each with its environment.
fn later(machine: &Machine, before: usize) -> Vec<String> {
    let calls = machine.calls_about().into_iter().skip(before);
    calls.map(|(call, environment)| format!("{} @{environment}", name(&call))).collect()
}

/// Returns a gate at Cloudflare, to which others are added.
fn with_gate(more: &str) -> (Machine, usize) {
    let machine = Machine::new();
    machine.init(more);
    let calls = machine.calls().len();
    (machine, calls)
}

#[test]
fn an_environment_s_secrets_go_to_its_own_worker() {
    for (preset, path) in [("cms", "/articles/*"), ("images", "/img/*")] {
        let (machine, before) = with_gate("");
        let above = machine.checkout.text("wrangler.toml");
        let (root, others) = (machine.root(), machine.checkout.text(".dev.vars"));
        machine.answers("secret list", not_found("writegate-staging"));
        let init = format!(
            "init --preset {preset} --upstream https://staging.example.com --origin https://www.example.com \
             --path '{path}' --env staging --deploy --json"
        );
        let report = of(machine.fed(&init, &random_secret()));

        let calls = [
            "whoami @",
            "secret list @",
            "secret put SIGNING_SECRET @staging",
            "secret put WRITE_TOKEN @staging",
            "deploy @staging",
        ];
        assert_eq!(later(&machine, before), calls);
        // The Worker that is looked for and the secrets that are put are the environment's own.
        let calls = machine.calls_about();
        assert_eq!(about(&calls[before + 1].0), ("writegate-staging", Some(ACCOUNT)));
        let put = calls[before + 2].0["input"].as_str().unwrap();
        assert!(put != root && machine.checkout.text(".dev.vars.staging").contains(put));
        assert_eq!(machine.checkout.text(".dev.vars"), others);
        assert_eq!(
            (&report["worker"], &report["environment"], &report["secrets"]),
            (&json!("writegate-staging"), &json!("staging"), &json!(".dev.vars.staging"))
        );
        assert_eq!(report["put"], json!(["SIGNING_SECRET", "WRITE_TOKEN"]));

        // A namespace of its own, which nothing at the top level names.
        let text = machine.checkout.text("wrangler.toml");
        assert!(text.starts_with(above.trim_end()), "{text}");
        let whole: Value = toml::from_str(&text).unwrap();
        let namespace = match preset {
            "images" => json!([{"binding": "KEY_REGISTRY"}]),
            _ => Value::Null,
        };
        assert_eq!(whole["env"]["staging"]["kv_namespaces"], namespace);
        assert_eq!(whole["kv_namespaces"], Value::Null);
    }
}

#[test]
fn what_broke_off_in_an_environment_is_finished_there() {
    let (machine, before) = with_gate("");
    machine.answers("secret list", not_found("writegate-staging"));
    machine.answers("secret put WRITE_TOKEN", refused());
    let reported = ["SIGNING_SECRET is set", "init --secrets-only --env staging"];
    machine.init("--env staging").refused(1, &reported);
    machine.answers("secret put WRITE_TOKEN", json!({}));
    machine.answers("secret list", json!({"out": [{"name": "SIGNING_SECRET"}]}));
    let before_last = machine.calls_about().len();
    assert!(before_last > before);
    let done = machine.finish("--env staging --deploy");
    assert_eq!(done.code, Some(0), "{}", done.err);
    let calls = ["secret list @", "secret put WRITE_TOKEN @staging", "deploy @staging"];
    assert_eq!(later(&machine, before_last), calls);
    assert_eq!(about(&machine.calls_about()[before_last].0), ("writegate-staging", Some(ACCOUNT)));
}

#[test]
fn an_environment_is_in_the_account_of_its_gate() {
    let (machine, before) = with_gate(&format!("--account {OTHER_ACCOUNT}"));
    machine.answers("whoami", in_two_accounts());
    machine.answers("secret list", not_found("writegate-staging"));
    let done = machine.init("--env staging");
    assert_eq!(done.code, Some(0), "{}", done.err);
    let calls = machine.calls_about();
    assert_eq!(about(&calls[before + 1].0), ("writegate-staging", Some(OTHER_ACCOUNT)));
    let whole = machine.checkout.configuration();
    assert_eq!(whole["env"]["staging"]["account_id"], Value::Null, "inherited");

    // Another one is named only for this environment.
    machine.answers("secret list", not_found("writegate-live"));
    assert_eq!(machine.init(&format!("--env live --account {ACCOUNT}")).code, Some(0));
    let whole = machine.checkout.configuration();
    assert_eq!(whole["env"]["live"]["account_id"], ACCOUNT);
    assert_eq!(whole["account_id"], OTHER_ACCOUNT);
}
