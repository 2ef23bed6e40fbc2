//! A configuration that is wrong closes the gate: every request is answered 503 `misconfigured`, and one line of the log names the
//! field. One case for each kind of source; what is wrong in which field is in `tests/core/config.rs`.

use serde_json::{Value, json};
use testkit::client::Request;
use testkit::gate::Setup;
use testkit::upstream::Upstream;

#[test]
fn a_wrong_variable_of_each_kind_closes_the_gate_and_is_named_once() {
    let cases: [(&str, &str, Value); 5] = [
        ("a text", "UPSTREAM", json!("http://api.example.com")),
        ("a secret", "SIGNING_SECRET", json!("too short")),
        ("JSON", "KEYS[0].path", json!([{"id": "pk_site", "path": ["/x"]}])),
        ("JSON in a text", "KEYS[0].path", json!(r#"[{"id": "pk_site", "path": ["/x"]}]"#)),
        ("a number", "CLOCK_SKEW", json!(301)),
    ];
    for (what, field, value) in cases {
        let upstream = Upstream::start();
        let name = field.split('[').next().unwrap_or_default();
        let gate = Setup::to(&upstream).env(name, value).start();
        let token = gate.bearer();
        for request in [
            Request::post("/x").bearer(&token),
            Request::get("/_gate/health"),
            Request::post("/x").bearer(&token),
        ] {
            request.send(&gate).refused(503, "misconfigured");
        }
        upstream.assert_untouched();
        let lines = gate.stop().into_iter();
        let lines: Vec<_> = lines.filter(|line| !line.is_event("request")).collect();
        assert!(lines.len() == 1 && lines[0].text.contains(field), "{what}: {lines:#?}");
    }
}

#[test]
fn health_says_ok_and_which_version() {
    let upstream = Upstream::start();
    let gate = Setup::to(&upstream).start();
    let answer = Request::get("/_gate/health").send(&gate);
    assert_eq!(answer.status, 200, "{answer}");
    assert_eq!(answer.json(), json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}));
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")));
    assert_eq!(Request::new("HEAD", "/_gate/health").send(&gate).status, 200);
    for (request, status) in [
        (Request::post("/_gate/health"), 405),
        (Request::get("/_gate/nothing"), 404),
        (Request::get("/_gate/nothing").bearer(&gate.bearer()), 404),
    ] {
        let answer = request.send(&gate);
        assert_eq!(answer.status, status, "{answer}");
    }
    upstream.assert_untouched();
}
