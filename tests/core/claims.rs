//! Sessions whose restrictions are misspelt, and what else closes a gate or a key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use writegate::MacKey;

use crate::world::{NOW, TARGET, code, gate, gate_with, plain, raw, sk, token};

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

#[test]
fn a_secret_that_macs_are_made_with_is_thirty_two_bytes_long() {
    for name in ["SIGNING_SECRET", "SIGNING_SECRET_PREVIOUS", "WAF_SECRET"] {
        for (bytes, expected) in
            [(2, "misconfigured"), (31, "misconfigured"), (32, "credential-missing")]
        {
            let secret = json!("s".repeat(bytes));
            let gate = gate_with(json!({}), json!({}), [(name, secret)]);
            assert_eq!(code(&gate, raw("POST", TARGET, &[])), expected, "{name}: {bytes}");
        }
    }
}

#[test]
fn an_ipv4_network_written_in_ipv6_is_the_ipv4_network() {
    for network in ["::ffff:203.0.113.7", "::ffff:203.0.113.0/120", "::ffff:cb00:7107/128"] {
        let gate = gate(json!({"allowed_ips": [network]}), json!({}));
        let from = |address: &str| {
            let bearer = format!("Bearer {}", token(json!({})));
            let headers = [("authorization", bearer.as_str()), ("cf-connecting-ip", address)];
            code(&gate, raw("POST", TARGET, &headers))
        };
        for address in ["203.0.113.7", "::ffff:203.0.113.7"] {
            assert_eq!(from(address), "forwarded", "{network} {address}");
        }
        for address in ["203.0.112.7", "2001:db8::1", "::203.0.113.7"] {
            assert_eq!(from(address), "ip-denied", "{network} {address}");
        }
    }
    let broken = gate(json!({"allowed_ips": ["::ffff:0:0/95"]}), json!({}));
    assert_eq!(code(&broken, raw("POST", TARGET, &[])), "misconfigured");
}
