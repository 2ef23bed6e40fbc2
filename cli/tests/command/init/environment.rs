//! `init --env`: a gate as one of wrangler's environments beside another, and what `--json` says of either.

use serde_json::{Value, json};

use super::{CMS, SHIPPED, clone};
use crate::checkout::{Checkout, Done, random_secret};

fn of(done: Done) -> Value {
    serde_json::from_str(&done.succeeded()).unwrap()
}

fn staging(checkout: &Checkout, more: &[&str]) -> Done {
    let arguments = [CMS.as_slice(), &["--local", "--env", "staging"], more].concat();
    checkout.fed(&arguments, &random_secret())
}

#[test]
fn a_program_reads_what_was_made_and_no_secret() {
    let (checkout, token) = (clone(), random_secret());
    let arguments = [CMS.as_slice(), &["--local", "--json", "--path", "/api/x"]].concat();
    let done = checkout.fed(&arguments, &token);
    let err = done.err.clone();
    let report = of(done);
    let key = report["key"].as_str().unwrap();
    let shown: Value =
        serde_json::from_str(&checkout.run(&["key", "show", key]).succeeded()).unwrap();
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
    let domain = ["--domain", "gate.example.com"];
    let (_token, first) = checkout.made(&[CMS.as_slice(), &domain].concat());
    let [configuration, secrets] = [checkout.text("wrangler.toml"), checkout.text(".dev.vars")];

    let second = of(staging(&checkout, &[]));
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
    let shown = |more: &[&str], id: &Value| {
        checkout.run(&[&["key", "show", id.as_str().unwrap()], more].concat())
    };
    assert_eq!(of(shown(&["--env", "staging"], &second["id"]))["sk"], second["sk"]);
    assert_eq!(of(shown(&[], &first["id"]))["sk"], first["sk"]);
    shown(&[], &second["id"]).failed(2, &["--env staging"]);

    staging(&checkout, &[]).failed(2, &["has this environment already", "--force"]);
    let third = of(staging(&checkout, &["--force"]));
    assert_ne!(third["id"], second["id"]);
    let text = checkout.text("wrangler.toml");
    assert_eq!(text.matches("\n[env.staging]\n").count(), 1, "{text}");
    assert!(!text.contains(second["id"].as_str().unwrap()) && text.contains("gate.example.com"));
}

#[test]
fn an_environment_without_a_gate_or_a_proper_name_is_refused() {
    let checkout = clone();
    staging(&checkout, &[]).failed(2, &["--env", "there is none yet", "init"]);
    assert_eq!(checkout.text("wrangler.toml"), SHIPPED);
    checkout.made(&CMS);
    let arguments = [CMS.as_slice(), &["--local", "--env", "a.b"]].concat();
    checkout.fed(&arguments, &random_secret()).failed(2, &["--env", "letters"]);
    let later = ["init", "--secrets-only", "--env", "staging"];
    checkout.fed(&later, "").failed(2, &["--env", "[env.…]"]);
}
