//! The log lines of the admin API (docs/wire-contract.md, section 9): who did what to which key, and never a secret.

use serde_json::json;
use testkit::admin_api::{ADMIN, admin, ask, tell};
use testkit::check::Check;
use testkit::token::{fresh, sk};

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
