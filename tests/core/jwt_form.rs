//! The form of a session (docs/wire-contract.md, section 3): header, MAC, compact serialization and JSON, every rule
//! broken, and beside it the nearest token that keeps it. What the claims say is in `sessions.rs`.

use crate::native::{Check, check};
use serde_json::{Value, json};
use testkit::bound::BAD;
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::token::{Session, b64, fresh, now, sk};

/// A table whose cases are sessions.
pub(crate) struct Sessions(pub(crate) Check);

impl Sessions {
    pub(crate) fn start() -> Self {
        Self(check(|setup| setup))
    }

    pub(crate) fn good(&self) -> Session {
        self.0.gate.session()
    }

    pub(crate) fn refused(&mut self, what: &str, token: &str, (status, code): (u16, &str)) {
        self.0.refused(what, &Request::post("/x").bearer(token), status, code);
    }

    pub(crate) fn passes(&mut self, what: &str, token: &str) {
        self.0.passes(what, &Request::post("/x").bearer(token));
    }

    /// Tries the good session with one claim set: to this a refusal, to that none.
    pub(crate) fn claim(
        &mut self,
        name: &str,
        bad: &[Value],
        good: &[Value],
        refusal: (u16, &str),
    ) {
        for value in bad {
            let token = self.good().claim(name, value.clone()).mint();
            self.refused(&format!("{name} {value}"), &token, refusal);
        }
        for value in good {
            let token = self.good().claim(name, value.clone()).mint();
            self.passes(&format!("{name} {value}"), &token);
        }
    }

    pub(crate) fn header(&mut self, name: &str, bad: &[Value], good: &[Value]) {
        for value in bad {
            let token = self.good().header(name, value.clone()).mint();
            self.refused(&format!("header {name} {value}"), &token, BAD);
        }
        for value in good {
            let token = self.good().header(name, value.clone()).mint();
            self.passes(&format!("header {name} {value}"), &token);
        }
    }
}

#[test]
fn the_algorithm_is_hs256_and_nothing_else() {
    let mut table = Sessions::start();
    let wrong = ["hs256", "HS384", "HS512", "none", "None", "", "RS256", "HS256 "].map(Value::from);
    table.header("alg", &wrong, &["HS256".into()]);
    table.header("alg", &[Value::Null, json!(["HS256"]), json!(256)], &[]);
    let token = table.good().without_header("alg").mint();
    table.refused("no alg", &token, BAD);
    let unsigned = table.good().header("alg", "none");
    let unsigned = format!("{}.{}.", b64(unsigned.header_text()), b64(unsigned.claims_text()));
    table.refused("alg none without a signature", &unsigned, BAD);
}

#[test]
fn other_header_members_are_refused_only_where_they_must_be() {
    let mut table = Sessions::start();
    table.header("crit", &[json!(["exp"]), json!([]), json!(["b64"]), Value::Null], &[]);
    table.header("b64", &[json!(false), json!(true), Value::Null], &[]);
    let wrong = ["at+jwt", "JWS", "", "JWTS"].map(Value::from);
    table.header("typ", &wrong, &["JWT".into(), "jwt".into(), "JwT".into()]);
    table.header("typ", &[json!(1), Value::Null], &[]);
    let token = table.good().without_header("typ").mint();
    table.passes("no typ", &token);
    for ignored in ["jwk", "jku", "x5u", "x5c", "x5t", "cty", "whatever"] {
        table.header(ignored, &[], &["http://127.0.0.1:9/keys".into()]);
    }
}

#[test]
fn the_key_is_named_by_kid() {
    let mut table = Sessions::start();
    let token = table.good().without_header("kid").mint();
    table.refused("no kid", &token, BAD);
    table.header("kid", &[json!(1), Value::Null, json!([KEY])], &[]);
    let token = table.good().header("kid", "pk_nobody").mint();
    table.refused("unknown kid", &token, (401, "key-unknown"));
    let root = table.0.gate.signing_secret.clone();
    let token = Session::new(&root, "pk_nobody").mint();
    table.refused("unknown kid with its own MAC", &token, (401, "key-unknown"));
    for (what, kid) in
        [("empty", String::new()), ("space", "pk site".into()), ("long", "p".repeat(129))]
    {
        let token = table.good().header("kid", kid).mint();
        let request = Request::post("/x").bearer(&token);
        table.0.refused_as_any(&format!("{what} kid"), &request, &[BAD, (401, "key-unknown")]);
    }
}

#[test]
fn the_mac_is_checked_whole_and_over_what_was_sent() {
    let mut table = Sessions::start();
    let invalid = (401, "signature-invalid");
    let good = table.good();
    let token = good.mint();
    table.passes("the token itself", &token);
    table.refused("another root", &Session::new(&fresh(), KEY).mint(), invalid);
    let root = table.0.gate.signing_secret.clone();
    table.refused("another version", &good.clone().key(&sk(&root, KEY, 2)).mint(), invalid);
    table.refused(
        "another key's secret",
        &good.clone().key(&sk(&root, "pk_other", 1)).mint(),
        invalid,
    );
    table.refused("the root itself", &good.clone().key(&root).mint(), invalid);
    let bare = sk(&root, KEY, 1);
    table.refused("the secret without its prefix", &good.clone().key(&bare[3..]).mint(), invalid);
    table.refused("an empty key", &good.clone().key("").mint(), invalid);
    let (signed, mac) = token.rsplit_once('.').unwrap();
    let claims = good.clone().claim("exp", now() + 301).claims_text();
    let (header, _) = signed.split_once('.').unwrap();
    table.refused("other claims", &format!("{header}.{}.{mac}", b64(claims)), invalid);
    let flipped = if mac.starts_with('A') { "B" } else { "A" };
    table.refused("one byte of the MAC", &format!("{signed}.{flipped}{}", &mac[1..]), invalid);
    for (what, mac) in [("a cut MAC", &mac[..20]), ("half a MAC", &mac[..22]), ("no MAC", "")] {
        let request = Request::post("/x").bearer(&format!("{signed}.{mac}"));
        table.0.refused_as_any(what, &request, &[BAD, (401, "signature-invalid")]);
    }
}

#[test]
fn the_compact_form_is_strict() {
    let mut table = Sessions::start();
    let good = table.good();
    let token = good.mint();
    let parts: Vec<&str> = token.split('.').collect();
    let (header, claims, mac) = (parts[0], parts[1], parts[2]);
    for (what, token) in [
        ("one part", header.to_owned()),
        ("two parts", format!("{header}.{claims}")),
        ("four parts", format!("{token}.{mac}")),
        ("five parts", format!("{token}.{mac}.{mac}")),
        ("an empty header", good.sign(&format!(".{claims}"))),
        ("empty claims", good.sign(&format!("{header}."))),
        ("a padded MAC", format!("{token}=")),
        ("padded claims", good.sign(&format!("{header}.{claims}="))),
        ("another alphabet", good.sign(&format!("{header}.{}+/", &claims[..claims.len() - 2]))),
        ("a length that no bytes give", good.sign(&format!("{header}.{}", "A".repeat(5)))),
        ("JWE's point", format!("{token}.")),
    ] {
        table.refused(what, &token, BAD);
    }
    // 32 bytes are 43 characters, so the last one has two bits that mean nothing: only zeros are canonical.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(&token[token.len() - 1..]).unwrap();
    let other = &alphabet[last + 1..last + 2];
    table.refused("bits beyond the MAC", &format!("{}{other}", &token[..token.len() - 1]), BAD);
}

#[test]
fn the_json_is_strict() {
    let mut table = Sessions::start();
    let good = table.good();
    let (header, claims, exp) = (good.header_text(), good.claims_text(), now() + 300);
    let deep =
        |arrays| format!(r#"{{"exp":{exp},"a":{}{}}}"#, "[".repeat(arrays), "]".repeat(arrays));
    table.passes("127 levels", &good.mint_of(&header, &deep(126)));
    table.passes("texts of its own", &good.mint_of(&header, &format!(" {{ \"exp\" : {exp} }} ")));
    for (what, claims) in [
        ("exp twice", format!(r#"{{"exp":{exp},"exp":{exp}}}"#)),
        ("exp twice, once escaped", format!(r#"{{"exp":{exp},"\u0065xp":{exp}}}"#)),
        ("another member twice", format!(r#"{{"exp":{exp},"a":1,"a":1}}"#)),
        ("trailing text", format!("{claims}x")),
        ("two objects", format!("{claims}{claims}")),
        ("an array", format!("[{claims}]")),
        ("a text", "\"exp\"".into()),
        ("null", "null".into()),
        ("a byte order mark", format!("\u{feff}{claims}")),
        ("a trailing comma", format!(r#"{{"exp":{exp},}}"#)),
        ("no JSON", "exp".into()),
        ("NaN", r#"{"exp":NaN}"#.into()),
        ("a plus sign", format!(r#"{{"exp":+{exp}}}"#)),
        ("a leading zero", format!(r#"{{"exp":0{exp}}}"#)),
        ("half a surrogate pair", format!(r#"{{"exp":{exp},"a":"\ud83d"}}"#)),
        ("a number beyond a double", format!(r#"{{"exp":{exp},"a":1e309}}"#)),
        ("128 levels", deep(127)),
    ] {
        table.refused(what, &good.mint_of(&header, &claims), BAD);
    }
    for (what, header) in [
        ("alg twice", format!(r#"{{"alg":"HS256","alg":"HS256","kid":"{KEY}"}}"#)),
        ("kid twice", format!(r#"{{"alg":"HS256","kid":"pk_nobody","kid":"{KEY}"}}"#)),
        ("an array", format!("[{header}]")),
        ("a surrogate", r#"{"alg":"HS256","kid":"\ud800"}"#.to_owned()),
        ("a zero", format!(r#"{{"alg":"HS256\u0000","kid":"{KEY}"}}"#)),
        ("a kid of controls", r#"{"alg":"HS256","kid":"\r\nx: y"}"#.to_owned()),
    ] {
        table.refused(&format!("header: {what}"), &good.mint_of(&header, &claims), BAD);
    }
    // Numbers that a parser may stumble over: none lengthens a session.
    for number in ["1e400", "-0", "1e-400", "9223372036854775808", "-9223372036854775809", "0.1e1"]
    {
        for claims in
            [format!(r#"{{"exp":{number}}}"#), format!(r#"{{"exp":{exp},"iat":{number}}}"#)]
        {
            let token = good.mint_of(&header, &claims);
            let answer = Request::post("/x").bearer(&token).send(&table.0.gate);
            let is_sane = matches!(answer.status, 400 | 401) || !claims.starts_with(r#"{"exp":"#);
            let is_sane = is_sane || (answer.status == 200 && claims.contains("iat"));
            table.0.that(is_sane, || format!("{claims}: {answer}"));
        }
    }
    let not_utf8 = format!("{}.{}", b64(&header), b64(b"{\"exp\":1,\"a\":\"\xff\"}"));
    table.refused("bytes that are no UTF-8", &good.sign(&not_utf8), BAD);
}

#[test]
fn a_token_holds_4096_bytes_at_most() {
    // Base64url has no text of every length, and this id's length makes the one that is wanted possible.
    let mut table = Sessions(check(|setup| setup.key(json!({"id": "pk_other"}))));
    let of = |length: usize| {
        let session = table.0.gate.session_of("pk_other");
        let padded = |count: usize| session.clone().claim("own", "x".repeat(count)).mint();
        (2_800..15_000).map(padded).find(|token| token.len() >= length).unwrap()
    };
    let (longest, longer, long) = (of(4_096), of(4_097), of(20_000));
    assert_eq!((longest.len(), longer.len()), (4_096, 4_098));
    table.passes("the longest", &longest);
    table.refused("a longer one", &longer, BAD);
    table.refused("much too long", &long, BAD);
}

#[test]
fn the_scheme_is_bearer_in_any_case() {
    let mut table = Sessions::start();
    let token = table.good().mint();
    for scheme in ["bearer", "BEARER", "bEaReR"] {
        let request = Request::post("/x").header("Authorization", &format!("{scheme} {token}"));
        table.0.passes(scheme, &request);
    }
    let (missing, ambiguous) = ((401, "credential-missing"), (400, "ambiguous-credential"));
    for value in
        ["Bearer", "Bearer ", &format!("Bearer {token} x"), &format!("Bearer {token},{token}")]
    {
        let request = Request::post("/x").header("Authorization", value);
        table.0.refused_as_any(value, &request, &[BAD, missing, ambiguous]);
    }
    let other = [BAD, (401, "credential-missing"), (401, "scheme-not-allowed")];
    for value in [&format!("Basic {token}"), &token, &format!("Bearer{token}"), "Digest x", ""] {
        table.0.refused_as_any(value, &Request::post("/x").header("Authorization", value), &other);
    }
    let twice = Request::post("/x").bearer(&token).bearer(&token);
    table.0.refused_as_any("Authorization twice", &twice, &[BAD, (400, "ambiguous-credential")]);
}
