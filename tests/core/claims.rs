//! Sessions whose restrictions are misspelt, and what else closes a gate or a key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use writegate::MacKey;

use crate::world::{NOW, TARGET, code, plain, raw, sk, token};

fn sent(token: &str) -> String {
    let bearer = format!("Bearer {token}");
    code(&plain(), raw("POST", TARGET, &[("authorization", &bearer)]))
}

fn with_header(header: Value) -> String {
    let payload = json!({"exp": NOW.seconds() + 300}).to_string();
    let part = |text: String| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", part(header.to_string()), part(payload));
    let tag = MacKey::new(&sk()).tag(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

#[test]
fn a_claim_that_is_nearly_one_is_refused() {
    for name in [
        "method", "path", "origins", "Paths", "PATHS", "Path", "Methods", "METHODS", "Method",
        "Origin", "ORIGIN", "Origins", "Cnf", "CNF", "Exp", "EXP", "Nbf", "Iat", "Aud", "Sub",
        "Jti", "_paths", "paths ", "pa-ths", "origin_", "allowed_origins", "allowedOrigins",
        "allowed-ips",
    ] {
        for value in [json!(["/x"]), json!("x"), json!(1), json!(null)] {
            assert_eq!(sent(&token(json!({name: value}))), "bad-credential", "{name}");
        }
    }
    for name in [
        "iss", "scope", "name", "email", "role", "pathway", "method_hint", "original", "expires",
        "audit", "", "_", "p\u{e4}ths",
    ] {
        assert_eq!(sent(&token(json!({name: "x"}))), "forwarded", "{name}");
    }
}

#[test]
fn a_member_of_the_header_that_is_nearly_one_is_refused() {
    let good = json!({"alg": "HS256", "typ": "JWT", "kid": "pk_site"});
    assert_eq!(sent(&with_header(good.clone())), "forwarded");
    for name in ["Alg", "ALG", "Kid", "KID", "Crit", "CRIT", "crit", "Typ", "k-id"] {
        for value in [json!("HS256"), json!("pk_site"), json!(["x"])] {
            let mut header = good.clone();
            header[name] = value;
            assert_eq!(sent(&with_header(header)), "bad-credential", "{name}");
        }
    }
    let mut header = good;
    header["x5t"] = json!("x");
    assert_eq!(sent(&with_header(header)), "forwarded");
}
