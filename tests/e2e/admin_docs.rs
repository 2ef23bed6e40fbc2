//! The examples of `docs/admin.md`, taken out by their fence and run against a gate as they stand, so that they stay true.

use std::path::Path;
use std::process::Command;

use serde_json::{Deserializer, Value, json};
use testkit::admin_api::{ADMIN, admin, write};
use testkit::check::Check;
use testkit::docs::fences;
use testkit::program::{found, run};
use testkit::token::sk;

#[test]
fn the_examples_do_what_they_say() {
    if !found(&["bash", "curl"], "the examples of docs/admin.md") {
        return;
    }
    let mut table = Check::of(admin);
    let examples = fences("admin.md", "sh");
    assert_eq!(examples.len(), 1, "one fence: {examples:#?}");
    let said = run(
        Command::new(Path::new("bash"))
            .args(["-euc", &examples[0]])
            .env("GATE", format!("http://127.0.0.1:{}", table.gate.port))
            .env("SESSION", table.gate.session_of(ADMIN).mint())
            .env("no_proxy", "127.0.0.1"),
        "",
    );
    let answers = Deserializer::from_str(&said).into_iter::<Value>();
    let answers: Vec<Value> = answers.map(|answer| answer.unwrap()).collect();
    let secret = |id: &str, version| Value::from(sk(&table.gate.signing_secret, id, version));
    let [one, many, shown, page, changed, revoked, back, deleted, status] = answers.as_slice()
    else {
        panic!("nine answers: {answers:#?}");
    };
    assert_eq!(one["sk"], secret("customer.17", 1));
    assert_eq!(many["keys"][1]["sk"], secret("customer.19", 1));
    assert_eq!((&shown["id"], &shown["sk"]), (&json!("customer.17"), &Value::Null));
    assert_eq!(page["keys"].as_array().unwrap().len(), 3);
    assert_eq!((&changed["paths"], &changed["sk"]), (&Value::Null, &secret("customer.17", 2)));
    assert_eq!((&revoked["revoked"], &back["revoked"]), (&json!(true), &Value::Null));
    assert_eq!(*deleted, json!({"id": "customer.19", "version": 1, "revoked": true}));
    assert_eq!(status["bindings"]["KEY_REGISTRY"], true);
    table.refused("the old secret", &write(&table.gate, "customer.17"), 401, "signature-invalid");
    table.passes("taken back", &write(&table.gate, "customer.18"));
    table.refused("deleted", &write(&table.gate, "customer.19"), 401, "key-revoked");
}
