//! Bad records and bad bodies (docs/wire-contract.md, sections 2 and 7): the field is named, the hint is said, no
//! value is quoted, and nothing is stored.

use crate::native::{Check, check};
use serde_json::{Value, json};
use testkit::admin_api::{admin, ask, tell};
use testkit::client::Response;
use testkit::token::fresh;

/// Returns records with one wrong field each, which is named beside it: one for each field, and what only the registry refuses.
/// `config.rs` has every fault of the same parser.
fn wrong(value: &str) -> Vec<(Value, &'static str)> {
    vec![
        (json!({"path": [value]}), "path"),
        (json!({"paths": [value]}), "paths"),
        (json!({"paths": ["/ok", value]}), "paths"),
        (json!({"paths": null}), "paths"),
        (json!({"methods": [value]}), "methods"),
        (json!({"method": "POST"}), "method"),
        (json!({"schemes": [value]}), "schemes"),
        (json!({"schemes": ["public-key"]}), "schemes"),
        (json!({"allowed_origins": [format!("https://{value}.example/")]}), "allowed_origins"),
        (json!({"allowed_origin": "https://a.example"}), "allowed_origin"),
        (json!({"allowed_ips": [value]}), "allowed_ips"),
        (json!({"match": value}), "match"),
        (json!({"expires": value}), "expires"),
        (json!({"version": 4_294_967_296_u64}), "version"),
        (json!({"version": null}), "version"),
        (json!({"revoked": value}), "revoked"),
        (json!({"rate": format!("{value} x")}), "rate"),
        (json!({"nonce": value}), "nonce"),
        (json!({"quota": {}}), "quota"),
        (json!({"quota": {"requests": 5, "per": value}}), "quota.per"),
        (json!({"quota": {"requests": 0, "per": "day"}}), "quota.requests"),
        (json!({"quota": {"request": 5, "per": "day"}}), "quota"),
        (json!({"admin": true}), "admin"),
        (json!({"admin": value}), "admin"),
        // An answer with its secret, sent back: it must not be stored.
        (json!({"sk": format!("sk_{value}")}), "sk"),
    ]
}

fn with_id(id: &str, mut record: Value) -> Value {
    record["id"] = id.into();
    record
}

fn quotes(table: &mut Check, what: &str, answer: &Response, value: &str) {
    table.that(!answer.to_string().contains(value), || format!("{what}: quotes a value: {answer}"));
}

#[test]
fn a_bad_field_is_named_and_in_a_batch_with_its_place() {
    let mut table = check(admin);
    let value = fresh();
    for (record, field) in wrong(&value) {
        let what = record.to_string();
        let record = with_id("pk_bad", record);
        let batch = json!([{"id": "pk_good"}, record, {"id": "pk_fine"}]);
        for (body, place) in [(&record, ""), (&batch, "[1].")] {
            let post = tell(&table.gate, "POST", "keys", body);
            let answer = match field {
                // Either member is at fault.
                "quota" => table.refused(&what, &post, 400, "bad-request"),
                _ => table.names(&what, &post, &format!("{place}{field}")),
            };
            let is_named = answer.json()["id"] == "pk_bad";
            table.that(is_named, || format!("{what}: the id is missing: {answer}"));
            quotes(&mut table, &what, &answer, &value);
        }
    }
    for id in ["pk_good", "pk_bad", "pk_fine"] {
        table.absent("nothing was stored", id);
    }
    let good = json!({"id": "pk_bad", "quota": {"requests": 5, "per": "day"}, "url_ttl": 1, "paths": ["/a/*"]});
    let good = json!([{"id": "pk_good"}, good, {"id": "pk_fine"}]);
    table.answered("nothing wrong", &tell(&table.gate, "POST", "keys", &good), 201);
}

#[test]
fn an_id_has_its_form() {
    let mut table = check(admin);
    for id in [
        json!(""),
        json!("a b"),
        json!("a/b"),
        json!("é"),
        json!("a\n"),
        json!("%2e"),
        json!("x".repeat(129)),
        json!(format!("sk_{}", fresh())),
        json!("ss_a"),
        json!("eyJhbGciOi.x.y"),
        json!(7),
        json!(null),
        json!(["a"]),
    ] {
        let post = tell(&table.gate, "POST", "keys", &json!({"id": id}));
        let answer = table.names(&id.to_string(), &post, "id");
        let shown = answer.json()["id"].clone();
        table.that(shown.is_null(), || {
            format!("{id}: an id that is not valid is repeated: {answer}")
        });
    }
    // No path could name these, so nobody could revoke them.
    for id in [".", ".."] {
        table.names(id, &tell(&table.gate, "POST", "keys", &json!({"id": id})), "id");
    }
    for id in ["a", "...", "a.", ".a", "..a", "-", "_"] {
        let some = tell(&table.gate, "POST", "keys", &json!({"id": id, "name": "x"}));
        table.answered(id, &some, 201);
        table.answered(id, &ask(&table.gate, "DELETE", &format!("keys/{id}")), 200);
    }
}

#[test]
fn a_body_is_json_of_the_right_kind() {
    let mut table = check(|setup| admin(setup).registered(json!({"id": "pk_there"})));
    for (method, path) in [("POST", "keys"), ("PATCH", "keys/pk_there")] {
        for body in [
            "",
            " ",
            "{",
            "nonsense",
            "\"pk_a\"",
            "7",
            "null",
            "true",
            "{\"id\":\"a\"} x",
            "{\"id\":\"a\",\"id\":\"a\"}",
            "{\"id\":\"a\",\"quota\":{\"per\":\"day\",\"per\":\"day\"}}",
            "\u{feff}{\"id\":\"a\"}",
            "{'id':'a'}",
            "id=a",
        ] {
            let sent = ask(&table.gate, method, path).body(body);
            let what = format!("{method}: {body:?}");
            table.names(&what, &sent, "body");
        }
        let bytes = ask(&table.gate, method, path).body(b"{\"id\":\"\xff\"}".to_vec());
        table.names("no UTF-8", &bytes, "body");
        let deep = "[".repeat(100_000);
        let deep =
            ask(&table.gate, method, path).body(format!("{{\"id\":\"pk_there\",\"name\":{deep}"));
        table.names("no end", &deep, "body");
        let none = ask(&table.gate, method, path);
        table.names("no body at all", &none, "body");
    }
    let array = tell(&table.gate, "PATCH", "keys/pk_there", &json!([{"name": "x"}]));
    table.names("a patch is an object", &array, "body");
    let patch = tell(&table.gate, "PATCH", "keys/pk_there", &json!({"name": "x"}));
    table.answered("an object", &patch, 200);
    // What kind of body it says it is does not matter.
    let plain = ask(&table.gate, "POST", "keys")
        .header("Content-Type", "text/plain")
        .body("{\"id\":\"a\"}");
    table.answered("no kind", &plain, 201);
}

/// Returns one record, and white space up to so many bytes.
fn padded(id: &str, length: usize) -> Vec<u8> {
    let mut body = json!({"id": id}).to_string().into_bytes();
    body.resize(length, b' ');
    body
}

#[test]
fn a_body_has_at_most_a_mebibyte() {
    let mut table = check(|setup| admin(setup).registered(json!({"id": "pk_there"})));
    let most = 1 << 20;
    let sized = |id: &str, length| ask(&table.gate, "POST", "keys").body(padded(id, length));
    let signed = table.gate.signature_of(testkit::admin_api::ADMIN);
    let over = sized("pk_over", most + 1);
    let fits = sized("pk_fits", most);
    table.refused("one byte more", &over, 413, "body-too-large");
    table.answered("a mebibyte", &fits, 201);
    let over =
        signed.sign(testkit::admin_api::bare("POST", "keys").body(padded("pk_over", most + 1)));
    table.refused("one byte more, signed", &over, 413, "body-too-large");
    let fits =
        signed.sign(testkit::admin_api::bare("POST", "keys").body(padded("pk_signed", most)));
    table.answered("a mebibyte, signed", &fits, 201);
    let patch = ask(&table.gate, "PATCH", "keys/pk_there").body(padded("pk_there", most + 1));
    table.refused("a patch", &patch, 413, "body-too-large");
    table.absent("nothing was stored", "pk_over");
}
