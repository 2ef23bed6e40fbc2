//! `POST /_gate/purge`: what a purge marks is what a read of the same route or URL looks for, however the read was signed.

use serde_json::{Value, json};

use writegate::credential::url::{sign, sign_waf};
use writegate::{Decision, Gate, Head, MacKey, Raw, Secret};

use crate::world::{
    NOW, Native, WAF_SECRET, decide, decide_on, gate_with, id, raw, sk, token, token_of,
};

/// Returns a gate with two cached routes, of which one names the key of WAF-token URLs, and a route without a cache.
fn gate() -> Gate {
    let route = |path: &str, more: Value| {
        let mut route = json!({"path": path, "upstream": "https://api.example/v1"});
        route.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        route
    };
    let cache = json!({"ttl": 60});
    let routes = json!([
        route("/cms/*", json!({"cache": cache})),
        route("/waf/*", json!({"cache": cache, "waf_key": "pk_site"})),
        route("/plain/*", json!({})),
    ]);
    let schemes = json!(["session", "url", "waf-url", "public-key"]);
    let keys = json!([
        {"id": "pk_site", "schemes": schemes, "paths": ["/*"], "allowed_ips": ["192.0.2.0/24"]},
        {"id": "pk_admin", "admin": true},
    ]);
    gate_with(json!({}), json!({}), [("ROUTES", routes), ("KEYS", keys)])
}

/// Returns the marker that a purge stores, or the field and the hint of its refusal.
fn purged(gate: &Gate, body: &Value) -> Result<String, (String, String)> {
    let platform = Native::with_body(body.to_string().into_bytes());
    let bearer = format!("Bearer {}", token_of("pk_admin", json!({})));
    let headers = [("authorization", bearer.as_str())];
    let request =
        Raw { has_body: true, ..raw("POST", "https://gate.example/_gate/purge", &headers) };
    let Decision::Respond(answer) = decide_on(&platform, gate, request) else {
        panic!("an admin's request is never forwarded");
    };
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
    match answer.status {
        200 => {
            assert_eq!(document, json!({"purged": true}));
            Ok(platform.purged.take().unwrap())
        }
        400 => {
            assert_eq!(platform.purged.take(), None);
            Err((text("field"), text("hint")))
        }
        status => panic!("{status}: {document}"),
    }
}

/// Returns the markers of the route and of the URL that a read looks for.
fn looked_for(gate: &Gate, target: &str, session: bool) -> [String; 2] {
    let url = format!("https://gate.example{target}");
    let bearer = format!("Bearer {}", token(json!({})));
    let mut headers = vec![("cf-connecting-ip", "192.0.2.1")];
    headers.extend(session.then_some(("authorization", bearer.as_str())));
    match decide(gate, raw("GET", &url, &headers)) {
        Decision::Forward(outbound, _) => outbound.cache.unwrap().purge_markers(),
        Decision::Respond(answer) => panic!("{target}: {}", answer.body),
    }
}

#[test]
fn a_purge_marks_what_reads_look_for() {
    let gate = gate();
    let waf_secret = MacKey::new(&Secret::new(WAF_SECRET));
    let head = |target: &str| format!("https://gate.example{target}");
    let mut routes = Vec::new();
    for target in ["/cms/a", "/cms/a?b=%7e&c", "/waf/a", "/waf/a?b", "/cms/a?", "/cms/%61"] {
        let url = head(target);
        let plain = Head::new("GET", &url, Vec::new(), false).unwrap();
        let signed = sign(&plain, &id(), NOW.plus_seconds(60), &MacKey::new(&sk()));
        let joint = if target.contains('?') { "&" } else { "?" };
        let mut spellings = vec![
            (target.to_owned(), true),
            (format!("{target}{joint}key=pk_site"), true),
            (format!("{target}{joint}key=pk_site"), false),
            (format!("{signed}&utm_source=x"), false),
            (signed, false),
            (sign_waf(&plain, Some(&id()), NOW, &waf_secret), false),
        ];
        // The route's own key is for URLs without one.
        if target.starts_with("/waf/") {
            spellings.push((sign_waf(&plain, None, NOW, &waf_secret), false));
        }
        for (spelling, session) in spellings {
            let [route, url] = looked_for(&gate, &spelling, session);
            assert_eq!(purged(&gate, &json!({"url": spelling})).unwrap(), url, "{spelling}");
            let absolute = format!("https://elsewhere.example{spelling}");
            assert_eq!(purged(&gate, &json!({"url": absolute})).unwrap(), url, "the host");
            routes.push(route);
        }
    }
    routes.dedup();
    let both = ["/cms/*", "/waf/*"].map(|path| purged(&gate, &json!({"route": path})).unwrap());
    assert_ne!(both[0], both[1]);
    assert!(routes.iter().all(|route| both.contains(route)), "{routes:?}");
    let other = |url: &str| purged(&gate, &json!({"url": url})).unwrap();
    assert_ne!(other("/cms/a"), other("/cms/b"));
    assert_ne!(other("/cms/a"), other("/cms/a?b"));
}

#[test]
fn a_purge_names_one_thing_that_is_cached() {
    let gate = gate();
    for (body, field, hint) in [
        (json!([]), "body", "expected {"),
        (json!("/cms/*"), "body", "expected {"),
        (json!({}), "route", "is required"),
        (json!({"route": "/cms/*", "url": "/cms/a"}), "url", "is set, and so is route"),
        (json!({"route": "/cms/*", "all": true}), "all", "unknown field"),
        (json!({"route": "/plain/*"}), "route", "is not the path of a route with a cache"),
        (json!({"route": "/cms"}), "route", "is not the path of a route with a cache"),
        (json!({"route": "/*"}), "route", "is not the path of a route with a cache"),
        (json!({"route": ""}), "route", "is not the path of a route with a cache"),
        (json!({"route": 1}), "route", "expected a string"),
        (json!({"route": null}), "route", "is null"),
        (json!({"urls": ["/cms/a"]}), "urls", "unknown field"),
        (json!(null), "body", "expected {"),
        (json!({"url": ""}), "url", "expected a URL of this gate"),
        (json!({"url": "/cms//a"}), "url", "expected a URL of this gate"),
        (json!({"url": "/_gate/health"}), "url", "is not on a route with a cache"),
        (json!({"url": "/plain/a"}), "url", "is not on a route with a cache"),
        (json!({"url": "/other"}), "url", "is not on a route with a cache"),
        (json!({"url": "cms/a"}), "url", "expected a URL of this gate"),
        (json!({"url": "/cms/../x"}), "url", "expected a URL of this gate"),
        (json!({"url": "/cms/a b"}), "url", "expected a URL of this gate"),
        (json!({"url": "/cms;x/a"}), "url", "expected a URL of this gate"),
    ] {
        let (found, said) = purged(&gate, &body).unwrap_err();
        assert_eq!(found, field, "{body}");
        assert!(said.starts_with(hint), "{body}: {said}");
    }
}
