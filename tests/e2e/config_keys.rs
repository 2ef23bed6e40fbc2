//! Key records that are wrong (contract, section 2): each closes the whole gate, for a misspelt restriction must not be an
//! absent one.

use serde_json::{Value, json};
use testkit::gate::KEY;

use crate::config::{SITE, fault, merged, tell, wrong};

#[test]
fn keys_are_checked_whole() {
    tell(wrong(
        "KEYS",
        &[json!({}), json!("pk_site"), json!([[]]), json!(["pk_site"]), json!([null]), Value::Null],
    ));
    tell([
        fault("no id", "id", |setup| setup.key(json!({"name": "x"}))),
        fault("two keys of one id", "id", |setup| {
            setup.site(json!({})).site(json!({"version": 2}))
        }),
    ]);
    let cases = [
        (
            "id",
            vec![
                json!(""),
                json!("a b"),
                json!("a/b"),
                json!("ä"),
                json!("p".repeat(129)),
                json!(1),
                json!(null),
            ],
        ),
        ("origins", vec![json!([SITE])]),
        ("allowed_origin", vec![json!(SITE)]),
        ("Methods", vec![json!(["GET"])]),
        ("methods", vec![json!([]), json!(["get"]), json!("GET"), json!([""]), json!(null)]),
        (
            "paths",
            vec![
                json!([]),
                json!(["x"]),
                json!(["/a*"]),
                json!(["/*/a"]),
                json!([""]),
                json!("/a"),
                json!(null),
            ],
        ),
        ("schemes", vec![json!([]), json!(["sessions"]), json!("session"), json!(null)]),
        (
            "allowed_origins",
            vec![
                json!([]),
                json!(["www.example.com"]),
                json!(["https://www.example.com/"]),
                json!(["https://www.example.com/x"]),
                json!(["*"]),
                json!(["https://*"]),
                json!(["https://a.*.example.com"]),
                json!(["https://*example.com"]),
                json!(["null"]),
                json!([""]),
                json!(SITE),
                json!(null),
            ],
        ),
        (
            "allowed_ips",
            vec![
                json!([]),
                json!(["300.0.0.1"]),
                json!(["10.0.0.0/33"]),
                json!(["10.0.0.0/"]),
                json!(["10.0.0.0/+8"]),
                json!(["10.0.0"]),
                json!(["2001:db8::/129"]),
                json!(["010.0.0.1"]),
                json!([""]),
                json!("10.0.0.1"),
                json!(null),
            ],
        ),
        ("match", vec![json!("some"), json!(""), json!(null)]),
        (
            "expires",
            vec![
                json!("tomorrow"),
                json!("2027-02-30T00:00:00Z"),
                json!(1),
                json!(""),
                json!(null),
            ],
        ),
        ("version", vec![json!(0), json!(-1), json!("1"), json!(1.5), json!(null)]),
        ("revoked", vec![json!("false"), json!(0), json!(null)]),
        ("admin", vec![json!("true"), json!(null)]),
        ("rate", vec![json!(""), json!(5), json!(null)]),
        (
            "quota",
            vec![
                json!({"requests": 1, "per": "year"}),
                json!({"per": "day", "calls": 1}),
                json!(5),
                json!(null),
            ],
        ),
        ("nonce", vec![json!("maybe"), json!(true), json!(null)]),
        ("mint", vec![json!({"ttl": 300, "bound": true}), json!({"ttl": 300}), json!(null)]),
        ("url_ttl", vec![json!(-1), json!("1"), json!(null)]),
        ("name", vec![json!(5), json!(null)]),
    ];
    let mut faults = Vec::new();
    for (field, values) in cases {
        for value in values {
            let record = merged(json!({"id": KEY}), &json!({field: value}));
            let what = format!("key {field} = {}", record[field]);
            faults.push(fault(&what, field, |setup| setup.key(record)));
        }
    }
    let open = json!({"schemes": ["public-key"], "paths": ["/*"]});
    for (what, field, more) in [
        (
            "a public key without paths",
            "paths",
            json!({"schemes": ["public-key"], "allowed_origins": [SITE]}),
        ),
        ("a public key without a place", "allowed_", open.clone()),
        (
            "an admin that mints",
            "mint",
            json!({"admin": true, "mint": {"ttl": 300}, "allowed_origins": [SITE], "methods": ["POST"], "paths": ["/*"]}),
        ),
        (
            "an admin by public key",
            "schemes",
            merged(open, &json!({"admin": true, "allowed_ips": ["::1"]})),
        ),
        ("an admin by URL", "schemes", json!({"admin": true, "schemes": ["session", "url"]})),
    ] {
        faults.push(fault(what, field, |setup| setup.site(more)));
    }
    tell(faults);
}
