//! The examples of `docs/admin.md`, taken out by their fence and run against a gate unchanged, so that they stay true.

use serde_json::{Deserializer, Value, json};
use testkit::client::Request;
use testkit::docs::fences;
use testkit::program::found;
use testkit::token::{Session, sk};

use crate::reader::Reader;

#[test]
fn the_examples_do_what_they_say() {
    if !found(&["bash", "curl", "openssl"], "the examples of docs/admin.md") {
        return;
    }
    let reader = Reader::new();
    let examples = fences("admin.md", "sh");
    assert_eq!(examples.len(), 1, "one fence: {examples:#?}");
    let typed = reader.types(&examples[0]);
    assert_eq!(typed.failed, Vec::<String>::new(), "{}", typed.err);
    let answers = Deserializer::from_str(&typed.out).into_iter::<Value>();
    let answers: Vec<Value> = answers.map(|answer| answer.unwrap()).collect();
    let secret = |id: &str, version| Value::from(sk(&reader.stage.signing_secret, id, version));
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
    let write = |id: &str| {
        let session = Session::new(&reader.stage.signing_secret, id).mint();
        Request::post("/posts").bearer(&session).send_to(reader.stage.front.port)
    };
    write("customer.17").refused(401, "signature-invalid");
    write("customer.18").passed();
    write("customer.19").refused(401, "key-revoked");
}
