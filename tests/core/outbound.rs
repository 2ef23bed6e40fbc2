//! The request for the upstream (docs/wire-contract.md, section 5): how its body travels, whether it may be sent
//! again, and what of a cached read's headers goes along.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::signing::Signature;
use writegate::{Decision, Raw};

use crate::world::{NOW, Native, TARGET, decide_on, gate, gate_with, raw, root, token, token_of};

/// Returns the parts of a request for the upstream that a table names: how the body travels, whether it may be sent
/// again, and whether it is a HEAD.
fn sent(route: &Value, request: Raw<'_>) -> String {
    let gate = gate(json!({"schemes": ["session", "signature"]}), route.clone());
    let platform = Native::with_body(b"body".to_vec());
    match decide_on(&platform, &gate, request) {
        Decision::Respond(answer) => panic!("{answer:?}"),
        Decision::Forward(outbound, _) => {
            format!("{:?} again={} head={}", outbound.body, outbound.repeatable, outbound.is_head)
        }
    }
}

#[test]
fn how_a_body_travels_and_whether_it_may_be_sent_again() {
    let bearer = format!("Bearer {}", token(json!({})));
    let (plain, idempotent) =
        (json!({"max_body_bytes": 9_999_999}), json!({"idempotency_key": true}));
    let key = ("idempotency-key", "k1");
    let length = |text| ("content-length", text);
    type Case<'a> = (&'a Value, &'a str, bool, &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 15] = [
        (&plain, "GET", false, &[], "None again=true head=false"),
        (&plain, "HEAD", false, &[], "None again=true head=true"),
        (&plain, "DELETE", false, &[], "None again=false head=false"),
        (&plain, "DELETE", false, &[key], "None again=false head=false"),
        (&plain, "POST", true, &[length("4")], "Stream again=false head=false"),
        (&plain, "POST", true, &[length("0")], "None again=false head=false"),
        (&plain, "POST", true, &[], "Counted(9999999) again=false head=false"),
        (&plain, "POST", true, &[length("x")], "Counted(9999999) again=false head=false"),
        (&plain, "POST", true, &[length("4"), key], "Stream again=false head=false"),
        (&idempotent, "DELETE", false, &[key], "None again=true head=false"),
        (&idempotent, "POST", true, &[length("4")], "Stream again=false head=false"),
        (&idempotent, "POST", true, &[length("4"), key], "Buffered again=true head=false"),
        (&idempotent, "POST", true, &[length("1048576"), key], "Buffered again=true head=false"),
        (&idempotent, "POST", true, &[length("1048577"), key], "Stream again=false head=false"),
        (&idempotent, "POST", true, &[key], "Counted(104857600) again=false head=false"),
    ];
    for (route, method, has_body, headers, expected) in cases {
        let headers = [headers, &[("authorization", &bearer)]].concat();
        let request = Raw { has_body, ..raw(method, TARGET, &headers) };
        assert_eq!(sent(route, request), expected, "{method} {headers:?} {route}");
    }
}

#[test]
fn a_body_that_was_compared_is_buffered_and_sent_again_only_with_a_key() {
    for (route, key, expected) in [
        (json!({}), false, "Buffered again=false head=false"),
        (json!({}), true, "Buffered again=false head=false"),
        (json!({"idempotency_key": true}), false, "Buffered again=false head=false"),
        (json!({"idempotency_key": true}), true, "Buffered again=true head=false"),
    ] {
        let by = Signature::new(&root(), KEY).param("created", NOW.seconds());
        let request = Request::new("POST", "/x").header("Host", "gate.example").body("body");
        let signed = by.sign(request);
        let mut headers: Vec<_> =
            signed.headers.iter().map(|(n, v)| (n.to_ascii_lowercase(), v.clone())).collect();
        headers.push(("content-length".to_owned(), "4".to_owned()));
        if key {
            headers.push(("idempotency-key".to_owned(), "k1".to_owned()));
        }
        let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let request = Raw { has_body: true, ..raw("POST", "http://gate.example/x", &headers) };
        assert_eq!(sent(&route, request), expected, "{route} {key}");
    }
}

#[test]
fn a_cached_read_passes_what_it_is_kept_under_and_a_head_its_conditions_too() {
    let gate = gate(json!({}), json!({"cache": {"ttl": 60}}));
    let bearer = format!("Bearer {}", token(json!({})));
    let headers = [
        ("authorization", bearer.as_str()),
        ("accept", "a/b"),
        ("accept-language", "de"),
        ("if-none-match", "\"a\""),
        ("range", "bytes=0-1"),
        ("x-custom", "1"),
        ("user-agent", "me"),
    ];
    for (method, connection, expected) in [
        ("GET", "close", vec!["accept", "accept-language"]),
        ("GET", "Accept", vec!["accept-language"]),
        ("HEAD", "close", vec!["accept", "accept-language", "if-none-match", "range"]),
        ("HEAD", "accept, range", vec!["accept-language", "if-none-match"]),
    ] {
        let headers = [&headers[..], &[("connection", connection)]].concat();
        let Decision::Forward(outbound, _) =
            decide_on(&Native::with_body(Vec::new()), &gate, raw(method, TARGET, &headers))
        else {
            panic!("refused");
        };
        let names = headers.iter().map(|(name, _)| *name);
        let passing: Vec<_> = names.filter(|name| !outbound.drop.contains(name)).collect();
        assert_eq!(passing, expected, "{method} {connection}");
        assert!(outbound.cache.is_some(), "{method}");
    }
}

/// Ids, subjects and headers are chosen so that joining them would make one of two.
#[test]
fn an_answer_is_kept_under_what_the_scope_and_the_request_say() {
    let (one, other) = (("accept", "a"), ("accept-language", "a"));
    let accept = [&[][..], &[one], &[other], &[one, other], &[("accept", "aa")]];
    for (scope, answers) in [("shared", 1), ("key", 3), ("subject", 9)] {
        let route = json!({"path": "/*", "upstream": "https://api.example", "cache": {"ttl": 60, "scope": scope}});
        let keys = json!([{"id": "a"}, {"id": "ab"}, {"id": "b"}]);
        let vars = [("ROUTES", json!([route])), ("KEYS", keys)];
        let gate = gate_with(json!({}), json!({}), vars);
        let mut names = BTreeSet::new();
        for id in ["a", "ab", "b"] {
            for claims in [json!({}), json!({"sub": "b"}), json!({"sub": "bc"})] {
                let bearer = format!("Bearer {}", token_of(id, claims));
                for headers in accept {
                    let headers = [headers, &[("authorization", bearer.as_str())]].concat();
                    match decide_on(
                        &Native::with_body(Vec::new()),
                        &gate,
                        raw("GET", TARGET, &headers),
                    ) {
                        Decision::Forward(outbound, _) => {
                            names.insert(outbound.cache.unwrap().name)
                        }
                        Decision::Respond(answer) => panic!("{answer:?}"),
                    };
                }
            }
        }
        assert_eq!(names.len(), answers * accept.len(), "{scope}");
    }
}

#[test]
fn the_headers_that_name_the_caller_depend_on_the_scope() {
    let all = ["writegate-key", "cf-aig-metadata", "writegate-subject", "forwarded"];
    for (cache, expected) in [
        (Value::Null, &all[..]),
        (json!({"ttl": 60, "scope": "subject"}), &all[..3]),
        (json!({"ttl": 60, "scope": "key"}), &all[..2]),
        (json!({"ttl": 60, "scope": "shared"}), &[]),
    ] {
        let mut route = json!({"identify_caller": true});
        if !cache.is_null() {
            route["cache"] = cache.clone();
        }
        let gate = gate(json!({}), route);
        let bearer = format!("Bearer {}", token(json!({"sub": "joe"})));
        let own = [("authorization", bearer.as_str()), ("cf-connecting-ip", "2001:db8::7")];
        let spoofed = all.map(|name| (name, "spoofed"));
        let headers = [&own[..], &spoofed].concat();
        let Decision::Forward(outbound, _) =
            decide_on(&Native::with_body(Vec::new()), &gate, raw("GET", TARGET, &headers))
        else {
            panic!("refused");
        };
        let set: Vec<_> = outbound.set.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(set, [&["authorization", "x-request-id"], expected].concat(), "{cache}");
        assert!(all.iter().all(|name| outbound.drop.contains(name) || expected.contains(name)));
        let value = |name: &str| {
            let mut set = outbound.set.iter().filter(|(set, _)| set == name);
            set.next().map(|(_, value)| value.expose_str().unwrap().to_owned())
        };
        if expected.contains(&"forwarded") {
            let forwarded = "for=\"[2001:db8::7]\";host=\"gate.example\";proto=https";
            assert_eq!(value("forwarded").as_deref(), Some(forwarded));
        }
        let is_set = |name: &&str| expected.contains(name);
        let (key, subject) = ("writegate-key", "writegate-subject");
        assert_eq!(value(key).as_deref(), Some("pk_site").filter(|_| is_set(&key)), "{cache}");
        assert_eq!(value(subject).as_deref(), Some("joe").filter(|_| is_set(&subject)), "{cache}");
        if expected.contains(&"writegate-key") {
            let subject = expected.contains(&"writegate-subject");
            let metadata = match subject {
                true => r#"{"key":"pk_site","subject":"joe"}"#,
                false => r#"{"key":"pk_site"}"#,
            };
            assert_eq!(value("cf-aig-metadata").as_deref(), Some(metadata), "{cache}");
        }
    }
}

#[test]
fn forwarded_names_the_address_the_authority_and_the_scheme() {
    let gate = gate(json!({}), json!({"identify_caller": true}));
    let bearer = format!("Bearer {}", token(json!({})));
    for (address, target, expected) in [
        (
            "192.0.2.1",
            "http://Gate.example:8080/x",
            "for=192.0.2.1;host=\"Gate.example:8080\";proto=http",
        ),
        (
            "::ffff:192.0.2.1",
            "https://gate.example./",
            "for=192.0.2.1;host=\"gate.example.\";proto=https",
        ),
        (
            "2001:DB8::7",
            "https://[::1]:8443/",
            "for=\"[2001:db8::7]\";host=\"[::1]:8443\";proto=https",
        ),
        ("nowhere", "https://a/", "for=unknown;host=\"a\";proto=https"),
        ("", "https://a/", "for=unknown;host=\"a\";proto=https"),
    ] {
        let headers = [
            ("authorization", bearer.as_str()),
            ("cf-connecting-ip", address),
            ("host", "not-this.example"),
        ];
        let Decision::Forward(outbound, _) =
            decide_on(&Native::with_body(Vec::new()), &gate, raw("POST", target, &headers))
        else {
            panic!("{target}: refused");
        };
        let mut set = outbound.set.iter().filter(|(name, _)| name == "forwarded");
        let value = set.next().and_then(|(_, value)| value.expose_str());
        assert_eq!((value, set.next().is_none()), (Some(expected), true), "{address} {target}");
    }
}
