//! Headers and parameters that one reader sees and another does not.

use serde_json::{Value, json};

use writegate::credential::base::Component;
use writegate::credential::signing::{self, Parameters};
use writegate::{Decision, Head, MacKey};

use crate::world::{NOW, TARGET, code, decide, gate, raw, sk, token};

/// Returns the names and values of a request whose signature covers `x-tenant` and `accept`.
fn signed() -> Vec<(&'static str, String)> {
    let head = vec![("x-tenant", "a"), ("accept", "*/*")];
    let head = Head::new("POST", TARGET, head, false).unwrap();
    let covered = [
        Component::Method,
        Component::TargetUri,
        Component::Field("x-tenant".to_owned()),
        Component::Field("accept".to_owned()),
    ];
    let parameters = Parameters { created: NOW, expires: None, keyid: "pk_site", nonce: None };
    let signed = signing::sign(&head, &covered, &parameters, &MacKey::new(&sk())).unwrap();
    vec![
        ("x-tenant", "a".to_owned()),
        ("accept", "*/*".to_owned()),
        ("signature-input", signed.input),
        ("signature", signed.signature),
    ]
}

#[test]
fn a_signed_field_is_not_taken_away_by_connection() {
    let gate = gate(json!({"schemes": ["signature"]}), json!({}));
    let with = |connection: &str| {
        let signed = signed();
        let mut headers: Vec<_> = signed.iter().map(|(n, v)| (*n, v.as_str())).collect();
        headers.push(("connection", connection));
        code(&gate, raw("POST", TARGET, &headers))
    };
    for taken in [
        "x-tenant", "X-Tenant", "close, x-tenant", "close,x-tenant ,x", "x_tenant", "x.tenant",
        "accept",
    ] {
        assert_eq!(with(taken), "bad-request", "{taken}");
    }
    for other in ["", "close", "keep-alive, x-hop", "x-tenants", "content-type"] {
        assert_eq!(with(other), "forwarded", "{other}");
    }
}

/// Returns the headers of a POST that reach the upstream, and true if it may be sent again.
fn outbound(route: Value, headers: &[(&str, &str)]) -> (Vec<String>, bool) {
    let gate = gate(json!({}), route);
    let bearer = format!("Bearer {}", token(json!({"sub": "joe"})));
    let headers = [headers, &[("authorization", &bearer)]].concat();
    match decide(&gate, raw("POST", TARGET, &headers)) {
        Decision::Respond(answer) => panic!("{answer:?}"),
        Decision::Forward(outbound, _) => {
            let names = headers.iter().map(|(name, _)| *name);
            let sent = names.filter(|name| !outbound.drop.contains(name));
            let mut sent: Vec<_> = sent.map(str::to_owned).collect();
            let set = outbound.set.iter();
            sent.extend(set.map(|(name, value)| match name.as_str() {
                "cf-aig-metadata" => format!("{name}: {}", value.expose_str().unwrap()),
                _ => name.clone(),
            }));
            (sent, outbound.repeatable)
        }
    }
}

#[test]
fn what_a_cgi_server_would_fold_does_not_pass() {
    let odd = [
        "writegate.subject", "writegate~key", "x.forwarded.for", "x!forwarded!for",
        "authorization.", "x|y",
    ];
    for name in odd {
        let (sent, _) = outbound(json!({}), &[(name, "1"), ("x-plain", "1"), ("x_plain_2", "1")]);
        assert_eq!(sent, ["x-plain", "x_plain_2", "authorization", "x-request-id"], "{name}");
    }
}

#[test]
fn a_cached_answer_is_kept_under_what_the_api_was_asked_with() {
    let gate = gate(json!({}), json!({"cache": {"ttl": 60}}));
    let bearer = format!("Bearer {}", token(json!({})));
    let asked = |headers: &[(&str, &str)]| {
        let headers = [headers, &[("authorization", &bearer)]].concat();
        match decide(&gate, raw("GET", TARGET, &headers)) {
            Decision::Respond(answer) => panic!("{answer:?}"),
            Decision::Forward(outbound, _) => {
                let passes = !outbound.drop.contains(&"accept");
                (passes, outbound.cache.unwrap().name)
            }
        }
    };
    let (_, without) = asked(&[]);
    let (passes, with) = asked(&[("accept", "a/b")]);
    assert!(passes && with != without);
    let taken_away = asked(&[("accept", "a/b"), ("connection", "Accept")]);
    assert_eq!(taken_away, (false, without));
}

#[test]
fn the_ai_gateway_learns_what_was_verified() {
    let headers = [("cf-aig-metadata", "{}"), ("cf-aig-custom-cost", "0")];
    let listed = json!({"pass_headers": ["cf-aig-metadata", "cf-aig-custom-cost"]});
    let (sent, _) = outbound(json!({}), &headers);
    assert_eq!(sent, ["authorization", "x-request-id"]);
    let (sent, _) = outbound(listed, &headers);
    assert_eq!(sent[..2], ["cf-aig-metadata", "cf-aig-custom-cost"]);
    let (sent, _) = outbound(json!({"identify_caller": true}), &headers);
    let shown = r#"cf-aig-metadata: {"key":"pk_site","subject":"joe"}"#;
    assert!(sent.iter().any(|header| header == shown), "{sent:?}");
}

#[test]
fn a_denied_parameter_is_refused_before_anybody_is_known() {
    let gate = gate(json!({}), json!({"deny_query": ["_method"]}));
    for query in ["?_method=DELETE", "?a&%5Fmethod=DELETE", "?a;_METHOD[]=x"] {
        let target = format!("https://gate.example/x{query}");
        assert_eq!(code(&gate, raw("POST", &target, &[])), "bad-request", "{query}");
    }
    for query in ["", "?method=DELETE", "?a=_method", "?%255Fmethod=DELETE", "?%u005Fmethod=DELETE"]
    {
        let target = format!("https://gate.example/x{query}");
        let seen = code(&gate, raw("POST", &target, &[]));
        assert_eq!(seen, "credential-missing", "{query}");
    }
}
