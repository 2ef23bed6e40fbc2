//! Sessions that real JWT libraries of other languages minted: PyJWT, and `jose` of npm.

use std::process::Command;

use serde_json::{Value, json};
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::program::{npm, python, run};
use testkit::token::{now, sk};

const PYTHON: &str = "import json, sys, jwt\n\
    order = json.load(sys.stdin)\n\
    print(jwt.encode(order['claims'], order['key'], algorithm=order['alg'], headers={'kid': order['kid']}))";

const NODE: &str = "import { SignJWT } from 'jose';\n\
    let text = ''; for await (const part of process.stdin) text += part;\n\
    const { alg, kid, key, claims } = JSON.parse(text);\n\
    console.log(await new SignJWT(claims).setProtectedHeader({ alg, kid, typ: 'JWT' })\
    .sign(new TextEncoder().encode(key)));";

/// Asserts that the gate takes what `mint` makes of an order, as long as the order is right.
fn assert_accepted(mint: impl Fn(&Value) -> String) {
    let mut table = Check::of(|setup| setup);
    let key = sk(&table.gate.signing_secret, KEY, 1);
    let claims = json!({"exp": now() + 300, "iat": now(), "sub": "somebody", "aud": ["writegate"], "methods": ["POST"]});
    let right = json!({"alg": "HS256", "kid": KEY, "key": key, "claims": claims});
    let with = |member: &str, value: Value| {
        let mut order = right.clone();
        order[member] = value;
        Request::post("/x").bearer(&mint(&order))
    };
    table.passes("as the contract says", &with("alg", json!("HS256")));
    table.refused("HS512", &with("alg", json!("HS512")), 400, "bad-credential");
    let late = json!({"exp": now() - 5});
    table.refused("over", &with("claims", late), 401, "session-expired");
    let other = sk(&table.gate.signing_secret, KEY, 2);
    table.refused("another key", &with("key", json!(other)), 401, "signature-invalid");
}

#[test]
fn a_session_by_pyjwt_is_accepted() {
    let Some(programs) = python("PyJWT") else {
        return;
    };
    assert_accepted(|order| {
        run(
            Command::new(programs.join("python")).args(["-W", "ignore", "-c", PYTHON]),
            &order.to_string(),
        )
    });
}

#[test]
fn a_session_by_jose_is_accepted() {
    let folder = npm();
    assert_accepted(|order| {
        let mut node = Command::new("node");
        run(node.args(["--input-type=module", "-e", NODE]).current_dir(folder), &order.to_string())
    });
}
