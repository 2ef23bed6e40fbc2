//! The reason of each refusal: the part of a credential at fault, or the limit with its values.

use super::*;

/// Returns a session with this header and these claims, signed with the key's secret.
fn forged(scene: &Scene, header: &str, claims: &str) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let message = format!("{header}.{claims}");
    let tag = MacKey::new(&Secret::new(scene.sk(3))).tag(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

const RIGHT: &str = r#"{"alg":"HS256","kid":"pk_site"}"#;
const END: u64 = 4_000_000_000;

/// Asserts that this value of Authorization is refused for what is wrong with it, and not shown.
#[track_caller]
fn at_fault(scene: &Scene, value: &str, fault: &str) {
    let shown = scene.explain(&format!("-- -H 'Authorization: {value}' {URL}"));
    assert!(shown.contains("bad-credential"), "{fault}: {shown}");
    assert!(shown.contains(fault), "{fault}: {shown}");
    assert!(!shown.contains(&scene.sk(3)), "{shown}");
}

#[test]
fn the_part_of_a_session_that_is_at_fault_is_named() {
    let scene = Scene::new();
    for (parts, fault) in rows(&format!(
        r#"
        {{"alg":"HS256"}} | {{"exp":{END}}}                → no kid
        {{"alg":"HS256","kid":"a b"}} | {{"exp":{END}}}    → kid is not a key's id
        {{"alg":"HS512","kid":"pk_site"}} | {{"exp":{END}}} → alg is "HS512"; the gate takes "HS256"
        {{"alg":"none","kid":"pk_site"}} | {{"exp":{END}}} → alg is "none"
        {{"alg":"RS256","kid":"pk_site"}} | {{"exp":{END}}} → alg is "RS256"
        {{"kid":"pk_site"}} | {{"exp":{END}}}              → no alg
        {{"alg":"HS256","kid":"pk_site","crit":["a"]}} | {{"exp":{END}}} → header has crit
        {{"alg":"HS256","kid":"pk_site","b64":false}} | {{"exp":{END}}} → header has b64
        {{"alg":"HS256","kid":"pk_site","B64":false}} | {{"exp":{END}}} → almost one that the gate reads: B64
        {RIGHT} | {{"exp":{END},"name":"\ud83d"}}          → half a surrogate pair
        {RIGHT} | {{"exp":"{END}"}}                        → exp is a text
        {RIGHT} | {{"exp":null}}                           → exp is not a number
        {RIGHT} | {{"exp":{{}}}}                           → exp is not a number
        {RIGHT} | {{"sub":"a"}}                            → no exp
        {RIGHT} | {{"exp":{END},"nbf":"now"}}              → nbf is a text
        {RIGHT} | {{"exp":{END},"methods":"POST"}}         → methods is not a list
        {RIGHT} | {{"exp":{END},"paths":["posts"]}}        → paths is not a list such as
        {RIGHT} | {{"exp":{END},"method":["POST"]}}        → claim method, which the gate would ignore; it reads methods
        {RIGHT} | {{"exp":{END},"sub":"a b"}}              → sub is not 1 to 128
        {RIGHT} | {{"exp":{END},"aud":["writegate",1]}}    → aud is not a text or a list of texts
        {RIGHT} | {{"exp":{END},"cnf":{{"kid":"s_short"}}}} → cnf is not {{"kid":"s_…"}}
        {RIGHT} | {{"exp":{END},"cnf":{{"kid":"s_AAAAAAAAAAAAAAAAAAAAA+"}}}} → cnf is not {{"kid":"s_…"}}
        {RIGHT} | {{"exp":{END},"Path":"/"}}               → almost one that the gate reads: Path
        "#
    )) {
        let (header, claims) = parts.split_once(" | ").unwrap();
        at_fault(&scene, &format!("Bearer {}", forged(&scene, header, claims)), fault[0]);
    }
    let late = forged(&scene, RIGHT, &format!("{{\"exp\":{END}000}}"));
    let bearer = format!("-- -H 'Authorization: Bearer {late}' {URL}");
    scene.explains(&format!("{bearer} → session-too-long … milliseconds"));
}

#[test]
fn the_part_of_an_authorization_that_is_at_fault_is_named() {
    let scene = Scene::new();
    let good = forged(&scene, RIGHT, &format!("{{\"exp\":{END}}}"));
    let [h, c, _]: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let (sk, root, random) = (scene.sk(3), &scene.root, random_secret());
    let (stripe, github) = (&random[..24], &random[..36]);
    let basic = STANDARD.encode(format!("pk_site:{sk}"));
    let (short, shorter, encoded) =
        (&good[..good.len() - 9], &good[..60], good.replace('.', "%2E"));
    for (value, fault) in rows(&format!(
        r#"
        Bearer undefined        → the word undefined: the variable
        Bearer null             → the word null
        Bearer                  → Bearer without a session
        Bearer [object Promise] → the word [object Promise]
        Bearer $SESSION         → a variable or a placeholder
        Bearer {{{{session}}}}  → a variable or a placeholder
        Bearer "{good}"         → in quotes
        Bearer Bearer {good}    → Bearer twice
        {good}                  → Authorization has no Bearer: write
        Token {good}            → the scheme Token
        Basic dXNlcjpwYXNz      → the scheme Basic
        Bearer {h}.{c}          → three parts with dots between them; this has 2
        Bearer {h}.{c}.         → not signed
        Bearer {h}.{c}.AAAA     → 3 bytes long; that of HS256 is 32
        Bearer {h}=.{c}.{c}     → header is not base64url without padding: it is plain base64
        Bearer {sk}             → this is a key secret: mint a session with it, and replace it if others may have seen it
        {sk}                    → this is a key secret
        Token {sk}              → this is a key secret
        Basic {basic}           → this is a key secret
        Bearer pk_site          → this is a key's id
        Bearer {root}           → this is SIGNING_SECRET
        Bearer rk_live_{stripe} → this looks like a Stripe key and not a session
        Bearer ghp_{github}     → this looks like a GitHub token
        Bearer v4.local.AAAA    → this is a PASETO
        Bearer {good}.AAAA      → this has 4
        Bearer:{good}           → there must be one space
        Bearer{good}            → there must be one space
        Bearer “{good}”         → the character U+201C
        Bearer{nbsp}{good}      → the character U+00A0
        {bom}Bearer {good}      → the character U+FEFF
        Bearer {encoded}        → percent-encoded
        Bearer {good} {good}    → white space
        Bearer {good};          → after the session there is ";"
        Bearer {good}\n         → after the session there is
        Bearer <{good}>         → around the session is something else
        Bearer {{"session":"{good}"}} → around the session is something else
        {h}⏎.{c}.{c}            → a line break in Authorization
        Bearer⇥{good}           → a tab in Authorization
        Bearer {shorter}        → this has 2: it was cut off
        Bearer {short}          → of HS256 is 32: it was cut off
        "#,
        nbsp = '\u{a0}',
        bom = '\u{feff}',
    )) {
        at_fault(&scene, &value.replace('⏎', "\n").replace('⇥', "\t"), fault[0]);
    }
}

#[test]
fn the_part_of_a_link_that_is_at_fault_is_named() {
    let scene = Scene::new();
    let (link, sk) = (scene.link(), scene.sk(3));
    let root: String = scene.root.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let good = forged(&scene, RIGHT, &format!("{{\"exp\":{END}}}"));
    let other = |from: &str, to: &str| link.replace(from, to);
    for (url, fault) in [
        (format!("{link}&utm_source=x&fbclid=y"), "is accepted"),
        (format!("{link}&gclid=a&utm_campaign=b"), "is accepted"),
        (format!("{link}#top"), "is accepted"),
        (format!("{link}&utm_new=x"), "bad-credential … utm_new comes after sig"),
        (format!("{link}&page=2&fbclid=y"), "bad-credential … page comes after sig"),
        (format!("{link}."), "bad-credential … has something at its end"),
        (link[..link.len() - 5].to_owned(), "bad-credential … not 32 bytes"),
        // Whole base64url, of 30 bytes and of 35.
        (link[..link.len() - 3].to_owned(), "bad-credential … not 32 bytes"),
        (format!("{link}AAAA"), "bad-credential … not 32 bytes"),
        (other("key=", "key=pk_a&key="), "ambiguous-credential … the parameter key twice"),
        (
            other("key=pk_site", "key=pk/site"),
            "bad-credential … the parameter key is not a key's id",
        ),
        (format!("{URL}&key=pk_site&verify=12-a"), "bad-credential … verify in the URL is not ten"),
        (other("&sig=", "&sig=a&sig="), "bad-credential … sig or verify twice"),
        (other("exp=", "a=1&exp="), "bad-credential … key, exp and sig, in this order"),
        (
            other("&sig=", "000&sig="),
            "bad-credential … exp in the URL is not a time in seconds, but in milli",
        ),
        (other("key=pk_site&", ""), "credential-missing … sig and no key"),
        (other("&", "%26"), "credential-missing … percent-encoded as a whole"),
        (other("&exp=", "%26exp%3D").replace("&sig=", "%26sig%3D"), "percent-encoded as a whole"),
        (other("&", "&amp;"), "escaped as in HTML"),
        (other("?x=1", "?utm_source=a&x=1"), "signature-invalid … without the trackers"),
        (other("/posts", "/posts/"), "signature-invalid … another end of its path: no slash"),
        (other("gate.example", "gate.example:8443"), "signature-invalid … without a port"),
        (other("x=1", "x=2"), "signature-invalid … a parameter before sig is not the one"),
        (format!("{URL}&key=pk_site"), "scheme-not-allowed … at an & outside quotes"),
        (
            format!("{URL}&key=pk_site&amp;exp=1&amp;sig=x"),
            "scheme-not-allowed … escaped as in HTML",
        ),
        (format!("{URL}&key={sk}"), "key-unknown … this is a key secret"),
        (
            format!("{URL}&access_token={sk}"),
            "credential-missing … access_token in the URL: this is a key",
        ),
        (format!("{URL}&access_token={good}"), "credential-missing … a session is in access_token"),
        (
            format!("{URL}&token={root}"),
            "credential-missing … token in the URL: this is SIGNING_SECRET",
        ),
        (format!("{URL}&verify=1234567890-a"), "credential-missing … names no key"),
        (format!("{URL}&api_key=pk_site"), "credential-missing … a key's id is in api_key"),
        (
            format!("https://gate.example/posts/{sk}"),
            "credential-missing … the path: this is a key",
        ),
    ] {
        scene.explains(&format!("-- '{url}' → {fault}"));
        assert!(!scene.explain(&format!("-- '{url}'")).contains(&sk), "{fault}");
    }
    // The key allows less now than when the link was signed.
    let shorter = WRANGLER.replace("version = 3\n", "version = 3\nurl_ttl = 60\n");
    scene.checkout.file("wrangler.toml", &shorter);
    scene.explains(&format!(
        "-- '{link}' → bad-credential … the key's url_ttl allows, which is 60 s"
    ));
}

#[test]
fn the_part_of_a_signature_that_is_at_fault_is_named() {
    let scene = Scene::new();
    let signed = scene.signed();
    let post = |headers: &str, fault: &str| {
        scene.explains(&format!("-- -X POST {headers} -d '{{}}' {URL} → {fault}"));
    };
    for (change, fault) in rows(
        r#"
        "hmac-sha256" ⇒ "ed25519"            → signature-unsupported … alg is "ed25519"; the gate takes
        "hmac-sha256" ⇒ hmac                 → bad-credential … alg in Signature-Input is not in double
        "pk_site" ⇒ pk_site                  → bad-credential … keyid in Signature-Input is not in double
        keyid ⇒ kid                          → credential-missing … Signature-Input has no keyid
        created= ⇒ created="";x=             → bad-credential … created in Signature-Input is not a whole
        created= ⇒ expires=1.5;created=      → bad-credential … expires in Signature-Input is not a
        created= ⇒ nonce="abc";created=      → bad-credential … the nonce is 3 characters long
        created= ⇒ x;x;created=              → bad-credential … Signature-Input is not a structured field
        ("@method" ⇒ "@method"               → bad-credential … Signature-Input is not a structured field
        "@method" ⇒ @method                  → bad-credential … Signature-Input is not a structured field
        "@method" ⇒ "@method" "@method"      → bad-credential … "@method" is covered twice
        "@method" ⇒ method                   → bad-credential … a component in Signature-Input is not in double
        "@method" ⇒ "X-Date"                 → bad-credential … is not a header's name in lower case
        "@method" ⇒ "@query-param"           → bad-credential … needs one parameter, name
        "@method" ⇒ "@status"                → signature-unsupported … "@status" is not a component
        "@method" ⇒ "@method";req            → signature-unsupported … "@method" has the flag req
        sig1= ⇒ sig2=                        → bad-credential … Signature has no member of the name
        Signature-Input ⇒ X-Input            → credential-missing … there is Signature and no Signature-Input
        'Signature: ⇒ 'X-Signature:          → bad-credential … there is Signature-Input and no Signature
        sig1=: ⇒ sig1=:AAAA                  → bad-credential … the MAC in Signature is 35 bytes long
        sig1=: ⇒ sig1="";x=:                 → bad-credential … is not base64 between colons
        sig1=: ⇒ sig1=:-_                    → bad-credential … its base64 is that of URLs
        sha-256=: ⇒ md5=:                    → signature-unsupported … Content-Digest names neither
        sha-256=: ⇒ sha-256=                 → bad-credential … Content-Digest is not base64
        Content-Digest ⇒ Digest              → signature-incomplete … "content-digest" is covered, and
        "#,
    ) {
        let (from, to) = change.split_once(" ⇒ ").unwrap();
        post(&signed.replacen(from, to, 1), &fault.join(" … "));
    }
    let words = words(&signed);
    let [input, tag] = [3, 5].map(|at| words[at].split_once(": ").unwrap().1);
    let two = signed.replace(input, &format!("{input}, {}", input.replacen("sig1", "sig2", 1)));
    let two = two.replace(tag, &format!("{tag}, {}", tag.replacen("sig1", "sig2", 1)));
    post(&two, "ambiguous … has 2 signatures");
    let with_session = format!("{signed} -H '{}'", scene.mint(""));
    post(&with_session, "a session in Authorization, a signature: send one");
}
