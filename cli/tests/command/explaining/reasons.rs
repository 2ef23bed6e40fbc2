//! The reason of each refusal: the part of a credential at fault, or the limit with its values.

use super::*;

/// Returns a session with this header and these claims, signed with the key's secret.
fn forged(scene: &Scene, header: &serde_json::Value, claims: &serde_json::Value) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{header}.{claims}");
    let tag = MacKey::new(&Secret::new(scene.sk(3))).tag(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// Returns a value of a query with every byte percent-encoded, as a form's code may write it.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn the_part_that_is_at_fault_is_named() {
    let scene = Scene::new();
    let (right, end) = (json!({"alg": "HS256", "kid": "pk_site"}), 4_000_000_000_u64);
    let claims = json!({"exp": end});
    let good = forged(&scene, &right, &claims);
    let parts: Vec<&str> = good.split('.').collect();
    let of = |header: serde_json::Value, claims: serde_json::Value| {
        format!("Bearer {}", forged(&scene, &header, &claims))
    };
    let padded = format!("Bearer {}=.{}.{}", parts[0], parts[1], parts[2]);
    let sk = scene.sk(3);
    let table: Vec<(String, &str)> = vec![
        (of(json!({"alg": "HS256"}), claims.clone()), "no kid"),
        (of(json!({"alg": "HS256", "kid": "a b"}), claims.clone()), "kid is no key's id"),
        (
            of(json!({"alg": "HS512", "kid": "pk_site"}), claims.clone()),
            "alg is \"HS512\"; the gate takes \"HS256\"",
        ),
        (of(json!({"alg": "none", "kid": "pk_site"}), claims.clone()), "alg is \"none\""),
        (of(json!({"kid": "pk_site"}), claims.clone()), "no alg"),
        (of(right.clone(), json!({"exp": end.to_string()})), "exp is a text"),
        (of(right.clone(), json!({"exp": null})), "exp is no number"),
        (of(right.clone(), json!({"sub": "a"})), "no exp"),
        (of(right.clone(), json!({"exp": end, "nbf": "now"})), "nbf is a text"),
        (of(right.clone(), json!({"exp": end, "methods": "POST"})), "methods is not a list"),
        (of(right.clone(), json!({"exp": end, "paths": ["posts"]})), "paths is not a list such as"),
        (
            of(right.clone(), json!({"exp": end, "method": ["POST"]})),
            "claim method, which the gate would ignore; it reads methods",
        ),
        (of(right.clone(), json!({"exp": end, "sub": "a b"})), "sub is not 1 to 128"),
        ("Bearer undefined".to_owned(), "the word undefined: the variable"),
        ("Bearer null".to_owned(), "the word null"),
        ("Bearer".to_owned(), "Bearer without a session"),
        ("Bearer [object Promise]".to_owned(), "the word [object Promise]"),
        ("Bearer $SESSION".to_owned(), "a variable or a placeholder"),
        (format!("Bearer \"{good}\""), "in quotes"),
        (format!("Bearer Bearer {good}"), "Bearer twice"),
        (good.clone(), "Authorization has no Bearer: write"),
        (format!("Token {good}"), "the scheme Token"),
        ("Basic dXNlcjpwYXNz".to_owned(), "the scheme Basic"),
        (
            format!("Bearer {}.{}", parts[0], parts[1]),
            "three parts with dots between them; this has 2",
        ),
        (format!("Bearer {}.{}.", parts[0], parts[1]), "not signed"),
        (format!("Bearer {}.{}.AAAA", parts[0], parts[1]), "3 bytes long; that of HS256 is 32"),
        (padded, "header is not base64url without padding: it is plain base64"),
        (
            format!("Bearer {sk}"),
            "this is a key secret: mint a session with it, and replace it if it travelled",
        ),
        (sk.clone(), "this is a key secret"),
        ("Bearer pk_site".to_owned(), "this is a key's id"),
        (of(right.clone(), json!({"exp": {}})), "exp is no number"),
        (of(json!({"alg": "RS256", "kid": "pk_site"}), claims.clone()), "alg is \"RS256\""),
        (format!("Bearer {good}.AAAA"), "this has 4"),
        (format!("Bearer:{good}"), "after Bearer there must be a blank"),
        (format!("Bearer{good}"), "after Bearer there must be a blank"),
        (format!("Bearer “{good}”"), "the character U+201C"),
        (format!("Bearer\u{a0}{good}"), "the character U+00A0"),
        (format!("\u{feff}Bearer {good}"), "the character U+FEFF"),
        (format!("Bearer {}", good.replace('.', "%2E")), "percent-encoded"),
        (format!("Bearer {good} {good}"), "white space"),
        ("Bearer {{session}}".to_owned(), "a variable or a placeholder"),
        (format!("Token {sk}"), "this is a key secret"),
        (format!("Basic {}", STANDARD.encode(format!("pk_site:{sk}"))), "this is a key secret"),
        (format!("Bearer {}", scene.root), "this is SIGNING_SECRET"),
        (
            format!("Bearer rk_live_{}", &random_secret()[..24]),
            "this looks like a Stripe key and is no session",
        ),
        (format!("Bearer ghp_{}", &random_secret()[..36]), "this looks like a GitHub token"),
        (format!("Bearer {good};"), "after the session there is \";\""),
        (format!("Bearer {good}\\n"), "after the session there is"),
        (format!("Bearer <{good}>"), "around the session is something else"),
        (format!("Bearer {{\"session\":\"{good}\"}}"), "around the session is something else"),
        (good.replacen('.', "\n.", 1), "a line break in Authorization"),
        (format!("Bearer\t{good}"), "a tab in Authorization"),
        (format!("Bearer {}", &good[..60]), "this has 2: it was cut off"),
        (format!("Bearer {}", &good[..good.len() - 9]), "of HS256 is 32: it was cut off"),
        ("Bearer v4.local.AAAA".to_owned(), "this is a PASETO"),
        (
            of(right.clone(), json!({"exp": end, "Path": "/"})),
            "almost one that the gate reads: Path",
        ),
    ];
    for (value, fault) in table {
        let shown = scene.explain(&[], &["-H", &format!("Authorization: {value}"), URL]);
        assert!(
            shown.contains("400 bad-credential") || shown.contains("401 bad-credential"),
            "{fault}: {shown}"
        );
        assert!(shown.contains(fault), "{fault}: {shown}");
        assert!(!shown.contains(&sk) && !shown.contains(&good), "{shown}");
    }
    let link = scene.checkout.run(&["url", "sign", "--key", "pk_site", URL]).succeeded();
    let link = link.trim();
    for (url, code, fault) in [
        (format!("{link}&utm_source=x&fbclid=y"), "", "is accepted"),
        (format!("{link}&utm_new=x"), "bad-credential", "utm_new comes after sig"),
        (format!("{link}&page=2&fbclid=y"), "bad-credential", "page comes after sig"),
        (link.replace("&sig=", "&sig=a&sig="), "bad-credential", "sig or verify twice"),
        (link.replace("key=pk_site&", ""), "credential-missing", "sig and no key"),
        (link.split_at(link.len() - 5).0.to_owned(), "bad-credential", "not 32 bytes"),
        (link.replace("exp=", "a=1&exp="), "bad-credential", "key, exp and sig, in this order"),
        (format!("{URL}&key={sk}"), "key-unknown", "this is a key secret"),
        (
            format!("{URL}&access_token={sk}"),
            "credential-missing",
            "access_token in the URL: this is a key",
        ),
        (
            format!("{URL}&token={}", escaped(&scene.root)),
            "credential-missing",
            "token in the URL: this is SIGNING_SECRET",
        ),
        (link.replace('&', "&amp;"), "", "escaped as in HTML"),
        (
            "https://gate.example/posts?key=pk_site&amp;exp=1&amp;sig=x".to_owned(),
            "scheme-not-allowed",
            "escaped as in HTML",
        ),
        (
            link.split("&exp=").next().unwrap().to_owned(),
            "scheme-not-allowed",
            "at an & outside quotes",
        ),
        (
            link.replace("&exp=", "%26exp%3D").replace("&sig=", "%26sig%3D"),
            "",
            "percent-encoded as a whole",
        ),
        (format!("{link}."), "bad-credential", "has something at its end"),
        (format!("{link}&gclid=a&utm_campaign=b"), "", "is accepted"),
        (format!("{link}#top"), "", "is accepted"),
        (link.replace('&', "%26"), "credential-missing", "percent-encoded as a whole"),
        (
            link.replace("&sig=", "000&sig="),
            "bad-credential",
            "exp in the URL is no time in seconds, but in milli",
        ),
        (link.replace("?x=1", "?utm_source=a&x=1"), "signature-invalid", "without the trackers"),
        (
            link.replace("/posts", "/posts/"),
            "signature-invalid",
            "another end of its path: no slash",
        ),
        (link.replace("gate.example", "gate.example:8443"), "signature-invalid", "without a port"),
        (link.replace("x=1", "x=2"), "signature-invalid", "a parameter before sig is not the one"),
        (format!("{URL}&verify=1234567890-a"), "credential-missing", "names no key"),
        (
            format!("{URL}&access_token={good}"),
            "credential-missing",
            "a session is in access_token",
        ),
        (format!("{URL}&api_key=pk_site"), "credential-missing", "a key's id is in api_key"),
        (
            format!("https://gate.example/posts/{sk}"),
            "credential-missing",
            "the path: this is a key",
        ),
    ] {
        let shown = scene.explain(&[], &[&url]);
        assert!(shown.contains(code) && shown.contains(fault), "{fault}: {shown}");
        assert!(!shown.contains(&sk), "{shown}");
    }
    let milliseconds = of(right, json!({"exp": end * 1_000}));
    let shown = scene.explain(&[], &["-H", &format!("Authorization: {milliseconds}"), URL]);
    assert!(shown.contains("session-too-long") && shown.contains("milliseconds"), "{shown}");
}

#[test]
fn the_part_of_a_signature_that_is_at_fault_is_named() {
    let scene = Scene::new();
    let signed = scene.signed();
    // The headers are Content-Digest, Signature-Input and Signature.
    for (header, from, to, code, fault) in [
        (
            3,
            "\"hmac-sha256\"",
            "\"ed25519\"",
            "signature-unsupported",
            "alg is \"ed25519\"; the gate takes",
        ),
        (3, "\"hmac-sha256\"", "hmac", "bad-credential", "alg in Signature-Input is not in double"),
        (
            3,
            "\"pk_site\"",
            "pk_site",
            "bad-credential",
            "keyid in Signature-Input is not in double",
        ),
        (3, "keyid", "kid", "credential-missing", "Signature-Input has no keyid"),
        (
            3,
            "created=",
            "created=\"\";x=",
            "bad-credential",
            "created in Signature-Input is not a whole",
        ),
        (
            3,
            "created=",
            "expires=1.5;created=",
            "bad-credential",
            "expires in Signature-Input is not a",
        ),
        (
            3,
            "created=",
            "nonce=\"abc\";created=",
            "bad-credential",
            "the nonce is 3 characters long",
        ),
        (
            3,
            "created=",
            "x;x;created=",
            "bad-credential",
            "Signature-Input is not a structured field",
        ),
        (3, "(", "", "bad-credential", "Signature-Input is not a structured field"),
        (
            3, "\"@method\"", "\"@method\" \"@method\"", "bad-credential",
            "\"@method\" is covered twice",
        ),
        (
            3,
            "\"@method\"",
            "@method",
            "bad-credential",
            "Signature-Input is not a structured field",
        ),
        (
            3,
            "\"@method\"",
            "method",
            "bad-credential",
            "a component in Signature-Input is not in double",
        ),
        (
            3,
            "\"@method\"",
            "\"@status\"",
            "signature-unsupported",
            "\"@status\" is not a component",
        ),
        (3, "\"@method\"", "\"X-Date\"", "bad-credential", "is not a header's name in lower case"),
        (
            3, "\"@method\"", "\"@method\";req", "signature-unsupported",
            "\"@method\" has the flag req",
        ),
        (3, "\"@method\"", "\"@query-param\"", "bad-credential", "needs one parameter, name"),
        (3, "sig1=", "sig2=", "bad-credential", "Signature has no member of the name"),
        (
            3,
            "Signature-Input",
            "X-Input",
            "credential-missing",
            "there is Signature and no Signature-Input",
        ),
        (
            5,
            "Signature",
            "X-Signature",
            "bad-credential",
            "there is Signature-Input and no Signature",
        ),
        (5, "sig1=:", "sig1=:AAAA", "bad-credential", "the MAC in Signature is 35 bytes long"),
        (5, "sig1=:", "sig1=\"\";x=:", "bad-credential", "is not base64 between colons"),
        (5, "sig1=:", "sig1=:-_", "bad-credential", "its base64 is that of URLs"),
        (1, "sha-256=:", "md5=:", "signature-unsupported", "Content-Digest names neither"),
        (1, "sha-256=:", "sha-256=", "bad-credential", "Content-Digest is not base64"),
        (
            1,
            "Content-Digest",
            "Digest",
            "signature-incomplete",
            "\"content-digest\" is covered, and",
        ),
    ] {
        let mut headers = signed.clone();
        headers[header] = headers[header].replacen(from, to, 1);
        let shown = scene.explain_post(&[], &headers, URL, "{}");
        assert!(shown.contains(code) && shown.contains(fault), "{from} → {to}: {shown}");
    }
    let other = signed[3].replacen("Signature-Input: ", "", 1).replacen("sig1", "sig2", 1);
    let second = signed[5].replacen("Signature: ", "", 1).replacen("sig1", "sig2", 1);
    let two = [
        &signed[..3],
        &[format!("{}, {other}", signed[3]), "-H".to_owned(), format!("{}, {second}", signed[5])],
    ]
    .concat();
    let shown = scene.explain_post(&[], &two, URL, "{}");
    assert!(shown.contains("ambiguous") && shown.contains("has 2 signatures"), "{shown}");
    let with_session = [&signed[..], &["-H".to_owned(), scene.mint(&[])]].concat();
    let shown = scene.explain_post(&[], &with_session, URL, "{}");
    assert!(shown.contains("a session in Authorization, a signature: send one"), "{shown}");
}
