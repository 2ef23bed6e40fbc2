//! The examples of `docs/clients.md` that show what goes over the wire, with values left out: a signed request as its page
//! shows it is accepted, and a refusal is the one on the page.

use serde_json::{Value, json};
use testkit::docs::{examples, fences};
use testkit::signing::{bytes, sha256};
use testkit::token::{b64, hkdf, hmac};
use writegate::{Decision, KeyId, Secret, Timestamp, derive_sk, derive_ss};

use crate::world::{Native, decide, decide_at, gate, gate_with, raw, root, token};

/// Returns the example of this page that begins so.
fn example(start: &str) -> String {
    let mut found = examples("docs/clients.md").into_iter();
    let found = found.find(|example| example.code.starts_with(start));
    found.expect(start).code
}

/// Returns the value of a header in an example.
fn header<'e>(example: &'e str, name: &str) -> &'e str {
    let mut lines = example.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(other, _)| *other == name).expect(name).1
}

#[test]
fn a_request_that_is_signed_as_the_page_shows_is_accepted() {
    let id = KeyId::parse("pk_example").unwrap();
    let sk = derive_sk(&Secret::new(root()), &id, 1);
    let key = json!({"id": "pk_example", "schemes": ["signature"]});
    let body = br#"{"title":"Hello"}"#;
    let headers = example("Content-Digest:");
    let input = header(&headers, "Signature-Input");
    let created = input.split_once("created=").and_then(|(_, rest)| rest.split_once(';'));
    let now = Timestamp::from_seconds(created.unwrap().0.parse().unwrap());
    let digest = header(&headers, "Content-Digest")
        .replace("sha-256=:<base64 of the body's SHA-256>:", &sha256(body));
    let base = example("\"@method\": POST");
    let base = base.trim_end().replace("sha-256=:<the digest sent above>:", &digest);
    let code = |secret: &[u8]| {
        let mac = bytes(hmac(secret, base.as_bytes()));
        let signature = header(&headers, "Signature").replace(":<base64 of the HMAC>:", &mac);
        let sent = [
            ("content-digest", digest.as_str()),
            ("content-length", "17"),
            ("signature-input", input),
            ("signature", signature.as_str()),
        ];
        let mut request = raw("POST", "https://gate.example.com/posts?draft=1", &sent);
        request.has_body = true;
        let gate = gate(key.clone(), json!({}));
        match decide_at(now, &Native::with_body(body.to_vec()), &gate, request) {
            Decision::Forward(..) => "forwarded".to_owned(),
            Decision::Respond(answer) => answer.body,
        }
    };
    assert_eq!(code(sk.expose()), "forwarded");
    assert!(code(b"another").contains("signature-invalid"));
}

#[test]
fn the_refusal_on_the_page_is_the_gate_s() {
    let refusals = fences("clients.md", "json");
    let refusal = refusals.iter().find(|code| code.starts_with("{\"type\"")).unwrap();
    let mut shown: Value = serde_json::from_str(refusal).unwrap();
    let bearer = format!("Bearer {}", token(json!({"exp": 1})));
    let gate = gate_with(json!({}), json!({}), []);
    let headers = [("authorization", bearer.as_str())];
    let Decision::Respond(answer) = decide(&gate, raw("GET", "https://gate.example/x", &headers))
    else {
        panic!("forwarded");
    };
    let mut sent: Value = serde_json::from_str(&answer.body).unwrap();
    // The page leaves out the rest of a sentence that it has above.
    let detail = sent["detail"].as_str().unwrap().to_owned();
    let message = shown["error"]["message"].as_str().unwrap().strip_suffix('…').unwrap();
    assert!(detail.starts_with(message), "{detail}");
    shown["error"]["message"] = detail.into();
    assert_eq!(shown["request_id"].take(), "…");
    let _id = sent["request_id"].take();
    assert_eq!(sent, shown);
}

/// Returns the value of an expression in a formula: its terms are joined by `+`; one in quotes is a text, another is in `names`.
fn evaluated(expression: &str, names: &[(&str, &str)]) -> String {
    let term = |term: &str| match term.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(text) => text.to_owned(),
        None => names.iter().find(|(name, _)| *name == term).expect(term).1.to_owned(),
    };
    expression.split(" + ").map(term).collect()
}

#[test]
fn the_formulas_derive_what_the_gate_derives() {
    let id = KeyId::parse("pk_site").unwrap();
    let right = derive_sk(&Secret::new(root()), &id, 7);
    let bound = derive_ss(&right, "s_kid");
    for page in ["clients.md", "wire-contract.md"] {
        let formulas = fences(page, "text").into_iter().find(|code| code.starts_with("sk = "));
        let formulas = formulas.unwrap();
        let derive = |line: &str, ikm: &str, of: &[u8]| {
            let (prefix, rest) = line.split_once(" + base64url(HKDF(ikm = bytes of ").unwrap();
            let (named, info) = rest.strip_suffix("))").unwrap().split_once(", ").unwrap();
            assert_eq!(named, ikm, "{page}");
            let info = info.trim_start().strip_prefix("info = ").unwrap();
            let names = [("id", "pk_site"), ("version", "7"), ("cnf kid", "s_kid")];
            let prefix = evaluated(prefix.split_once(" = ").unwrap().1, &[]);
            prefix + &b64(hkdf(of, &evaluated(info, &names)))
        };
        let [sk, ss] = formulas.lines().collect::<Vec<_>>()[..] else {
            panic!("two formulas: {formulas}");
        };
        let sk = derive(sk, "SIGNING_SECRET", root().as_bytes());
        assert_eq!(sk.as_bytes(), right.expose(), "{page}");
        let ss = derive(ss, "sk", sk.as_bytes());
        assert_eq!(ss.as_bytes(), bound.expose(), "{page}");
    }
}
