//! Routes that are wrong (contract, section 1): each closes the whole gate.

use serde_json::{Value, json};

use crate::config::{fault, merged, tell, wrong};

#[test]
fn routes_are_checked_whole() {
    tell(wrong(
        "ROUTES",
        &[json!([]), json!({}), json!("/*"), json!([[]]), json!([null]), Value::Null],
    ));
    let base = json!({"path": "/*", "upstream": "https://api.example.com"});
    for required in ["path", "upstream"] {
        let mut route = base.clone();
        route.as_object_mut().unwrap().remove(required);
        tell([fault(&format!("no {required}"), required, |setup| {
            setup.env("ROUTES", json!([route]))
        })]);
    }
    let cases = [
        (
            "path",
            vec![
                json!(""),
                json!("x"),
                json!("*"),
                json!("/a*"),
                json!("/*/b"),
                json!("/a/../*"),
                json!("/a?b"),
                json!("//*"),
                json!(1),
                json!(null),
            ],
        ),
        ("upstream", vec![json!(""), json!("http://api.example.com"), json!(null)]),
        (
            "methods",
            vec![
                json!("GET"),
                json!(["get"]),
                json!(["FETCH IT"]),
                json!([""]),
                json!([1]),
                json!(null),
            ],
        ),
        ("timeout_ms", vec![json!(0), json!(-1), json!("1"), json!(1.5), json!(null)]),
        ("retries", vec![json!(-1), json!("1"), json!(0.5), json!(null)]),
        ("max_body_bytes", vec![json!(-1), json!("1"), json!(0.5), json!(null)]),
        ("encoded_slash", vec![json!("true"), json!(1), json!(null)]),
        ("unsigned_body", vec![json!("true"), json!(null)]),
        ("idempotency_key", vec![json!("true"), json!(null)]),
        ("identify_caller", vec![json!("false"), json!(null)]),
        ("reject_status", vec![json!(401), json!(["401"]), json!([99]), json!([600]), json!(null)]),
        (
            "pass_headers",
            vec![
                json!("cf-aig-metadata"),
                json!(["authorization"]),
                json!(["cf-aig-authorization"]),
                json!(["cf-connecting-ip"]),
                json!(null),
            ],
        ),
        ("deny_query", vec![json!("_method"), json!(["a b"]), json!([1]), json!(null)]),
        ("probe", vec![json!("me"), json!(1), json!(null)]),
        (
            "upstream_auth",
            vec![
                json!("bearer"),
                json!({"scheme": "bearers", "secret": "WRITE_TOKEN"}),
                json!({"scheme": "header", "secret": "WRITE_TOKEN"}),
                json!({"scheme": "header", "name": "X Auth", "secret": "WRITE_TOKEN"}),
                json!({"scheme": "header", "name": "", "secret": "WRITE_TOKEN"}),
                json!({"scheme": "bearer", "secret": "WRITE_TOKEN", "nmae": "x"}),
                json!({"scheme": "bearer", "secret": ""}),
                json!(null),
            ],
        ),
        ("upsteam_auth", vec![json!({"scheme": "bearer", "secret": "WRITE_TOKEN"})]),
        // The members of a cache are not looked at while there is none: its route is shut anyway.
        ("cache", vec![json!(null)]),
        ("waf_key", vec![json!(null)]),
    ];
    let mut faults = Vec::new();
    for (field, values) in cases {
        for value in values {
            let route = merged(base.clone(), &json!({field: value}));
            let what = format!("route {field} = {}", route[field]);
            faults.push(fault(&what, field, |setup| setup.env("ROUTES", json!([route]))));
        }
    }
    faults.push(fault("two routes of one path", "path", |setup| {
        setup.route("/a", json!({})).route("/a", json!({}))
    }));
    tell(faults);
}
