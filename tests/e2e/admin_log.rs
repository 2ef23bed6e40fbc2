//! The log lines of the admin API (docs/wire-contract.md, section 9): who did what to which key, and never a secret.

use serde_json::{Value, json};
use testkit::admin_api::{ADMIN, admin, ask, bare, tell};
use testkit::check::Check;
use testkit::client::Response;
use testkit::gate::KEY;
use testkit::token::{fresh, sk};

fn says(table: &mut Check, answer: &Response, expected: &Value) {
    let line = table.gate.logs.audit(&answer.request_id());
    for (name, value) in expected.as_object().unwrap() {
        table.that(line[name] == *value, || format!("{name} should be {value} in {line}"));
    }
}

#[test]
fn each_request_has_its_line() {
    let mut table = Check::of(|setup| admin(setup).registered(json!({"id": "pk_there"})));
    let token = table.gate.session_of(ADMIN).claim("sub", "operator-7").mint();
    let body = json!({"id": "pk_new"}).to_string();
    let length = body.len();
    for (request, status, outcome, code) in [
        (bare("GET", "keys?cursor=&key=x"), 200, "answered", Value::Null),
        (bare("POST", "keys").body(body.clone()), 201, "answered", Value::Null),
        (bare("POST", "keys").body(body), 409, "refused", json!("key-exists")),
        (bare("GET", "keys/pk_there"), 200, "answered", Value::Null),
        (bare("GET", "keys/pk_nobody"), 404, "refused", json!("no-route")),
        (bare("PATCH", "keys/pk_there").body("[]"), 400, "refused", json!("bad-request")),
        (bare("PATCH", "keys/pk_there").body("{}"), 200, "answered", Value::Null),
        (bare("DELETE", "keys/pk_there"), 200, "answered", Value::Null),
        (bare("GET", "keys/pk_fails"), 503, "failed", json!("feature-unavailable")),
        (bare("GET", "status"), 200, "answered", Value::Null),
    ] {
        let path = request.target.split('?').next().unwrap().to_owned();
        let method = request.method.clone();
        let answer = request.bearer(&token).send(&table.gate);
        let expected = json!({
            "outcome": outcome, "code": code, "key": ADMIN, "verified": true, "subject": "operator-7", "scheme": "session",
            "method": method, "path": path, "route": null, "status": status, "upstream_status": null, "upstream_ms": null,
            "attempts": 0, "cache": null, "token": null,
        });
        says(&mut table, &answer, &expected);
    }
    let list = ask(&table.gate, "GET", "keys?cursor=&key=x").send(&table.gate);
    says(&mut table, &list, &json!({"query_keys": ["cursor", "key"]}));
    let new = tell(&table.gate, "POST", "keys", &json!({"id": "pk_nex"})).send(&table.gate);
    says(&mut table, &new, &json!({"request_bytes": length}));
    let nobody = bare("GET", "keys").send(&table.gate);
    says(
        &mut table,
        &nobody,
        &json!({"outcome": "refused", "code": "credential-missing", "key": null, "verified": false}),
    );
    let other = bare("GET", "keys").bearer(&table.gate.bearer()).send(&table.gate);
    says(
        &mut table,
        &other,
        &json!({"outcome": "refused", "code": "path-denied", "key": KEY, "verified": true}),
    );
}

#[test]
fn no_secret_and_no_value_of_a_record_is_ever_in_a_line() {
    let marker = fresh();
    let mut table = Check::of(|setup| {
        admin(setup)
            .in_registry("key/pk_broken", &json!({"id": "pk_broken", "path": [marker]}).to_string())
    });
    let gate = &table.gate;
    let mut sent = vec![
        tell(
            gate,
            "POST",
            "keys",
            &json!({"id": "pk_a", "name": marker, "paths": [format!("/{marker}")]}),
        ),
        tell(gate, "POST", "keys", &json!([{"id": "pk_b"}, {"id": "pk_c", "version": 7}])),
        tell(gate, "PATCH", "keys/pk_a", &json!({"version": 2, "name": marker})),
        tell(gate, "POST", "keys", &json!({"id": "pk_d", "paths": [marker]})),
        tell(gate, "POST", "keys", &json!({"id": "pk_d", "sk": marker})),
        tell(gate, "POST", "keys", &json!({"id": format!("{marker} "), "name": "x"})),
        tell(gate, "POST", "keys", &json!({"id": "pk_unwritable", "name": marker})),
        ask(gate, "POST", "keys").body(format!("{{\"id\":\"pk_a\" {marker}")),
        ask(gate, "GET", "keys/pk_broken"),
        ask(gate, "GET", "keys/pk_fails"),
        ask(gate, "GET", &format!("keys?cursor={marker}&key={marker}")),
        ask(gate, "DELETE", "keys/pk_a"),
        testkit::admin_api::write(gate, "pk_broken"),
    ];
    sent.push(ask(gate, "GET", "keys"));
    let mut secrets = vec![marker.clone(), gate.signing_secret.clone(), gate.token.clone()];
    for request in sent {
        let authorization = request.headers.iter().find(|(name, _)| name == "Authorization");
        let token = authorization.unwrap().1.strip_prefix("Bearer ").unwrap();
        secrets.push(token.to_owned());
        secrets.push(token.rsplit('.').next().unwrap().to_owned());
        let answer = request.send(gate);
        assert!(!answer.text().contains(&gate.signing_secret), "{answer}");
        gate.logs.audit(&answer.request_id());
    }
    for (id, version) in [("pk_a", 1), ("pk_a", 2), ("pk_b", 1), ("pk_c", 7), (ADMIN, 1)] {
        secrets.push(sk(&gate.signing_secret, id, version));
    }
    let lines = table.gate.logs.until("all lines", |lines| Some(lines.to_vec()));
    for line in lines {
        for secret in &secrets {
            let found = line.text.contains(secret.as_str());
            table.that(!found, || format!("a secret in {}", line.text));
        }
    }
}
