//! Whose signature it is (docs/wire-contract.md, section 3): labels of other parties are ignored, two of ours are
//! ambiguous, and a signature goes with nothing but its own public key.

use serde_json::json;
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::signing::Signature;
use testkit::token::fresh;

use crate::native::check;
use crate::signatures::start;
use testkit::bound::refused;

const AMBIGUOUS: (u16, &str) = (400, "ambiguous-credential");

#[test]
fn labels_of_other_parties_are_ignored() {
    let mut table = start();
    let mine = table.gate.signature();
    for label in ["sig1", "a", "*", "a-b_c.d*9", "signature"] {
        let request = mine.clone().label(label).sign(Request::get("/x"));
        table.passes(&format!("label {label}"), &request);
    }
    let theirs = Signature::by("somebody", &fresh()).label("theirs");
    for (what, other) in [
        ("a stranger's", theirs.clone()),
        ("of another algorithm", theirs.clone().param("alg", "\"ed25519\"")),
        ("that covers nothing", theirs.clone().covers(&[])),
        ("long over", theirs.clone().param("created", 1)),
        ("of what the gate does not support", theirs.clone().covers(&["@status", "x-a;sf"])),
        (
            "of a session that is not here",
            Signature::by("s_AAAAAAAAAAAAAAAAAAAAAA", &fresh()).label("theirs"),
        ),
        ("without a keyid", theirs.without("keyid")),
    ] {
        let before = mine.sign(other.sign(Request::post("/x")));
        table.passes(&format!("{what}, before"), &before);
        let after = other.sign(mine.sign(Request::post("/x")));
        table.passes(&format!("{what}, after"), &after);
        let seen = table.upstream.last();
        table.that(seen.header("signature").is_none(), || format!("{what}: arrived"));
    }
    let unannounced = mine.sign(Request::get("/x")).header("Signature", "more=:AAAA:");
    table.passes("a signature that no input names", &unannounced);
}

#[test]
fn without_a_label_of_ours_nothing_is_signed() {
    let mut table = start();
    let by = |keyid: &str| Signature::by(keyid, &fresh());
    let unknown = (401, "key-unknown");
    let missing = (401, "credential-missing");
    for (what, signature, expected) in [
        ("an id that no key has", by("pk_nobody"), unknown),
        ("an id of another case", by("PK_SITE"), unknown),
        ("the form of no id", by("no body"), missing),
        ("a longer id than any", by(&"a".repeat(129)), missing),
        ("no id at all", by(KEY).without("keyid"), missing),
    ] {
        refused(&mut table, what, signature.sign(Request::post("/x")), expected);
    }
    let empty = Request::get("/x").header("Signature-Input", "");
    refused(&mut table, "an empty input", empty, missing);
    let mut lone = table.gate.signature().sign(Request::get("/x"));
    lone.headers.retain(|(name, _)| name != "Signature-Input");
    refused(&mut table, "no input", lone, missing);
}

#[test]
fn a_lone_signature_is_no_credential_and_goes_no_further() {
    let mut table = check(|setup| setup);
    for value in ["sig1=:AAAA:", "not a dictionary", "sig1=1, sig1=1"] {
        let request = Request::post("/x").bearer(&table.gate.bearer());
        table.passes(value, &request.header("Signature", value));
        let seen = table.upstream.last();
        table.that(seen.header("signature").is_none(), || format!("{value} arrived"));
    }
}

#[test]
fn two_of_ours_are_ambiguous() {
    let mut table = check(|setup| {
        setup
            .site(json!({"schemes": ["signature", "session"]}))
            .key(json!({"id": "pk_other", "schemes": ["signature"]}))
    });
    let mine = table.gate.signature();
    let other = table.gate.signature_of("pk_other").label("sig2");
    let post = || Request::post("/x");
    let two = other.sign(mine.sign(post()));
    refused(&mut table, "two keys", two, AMBIGUOUS);
    let twice = mine.clone().label("sig2").sign(mine.sign(post()));
    refused(&mut table, "one key twice", twice, AMBIGUOUS);
    let forged = other.secret(&fresh()).sign(mine.sign(post()));
    refused(&mut table, "one of them forged", forged, AMBIGUOUS);
    let session = table.gate.bearer();
    refused(&mut table, "and a session", mine.sign(post().bearer(&session)), AMBIGUOUS);
    table.passes("only the session", &post().bearer(&session));
    table.passes("only the signature", &mine.sign(post()));
    let theirs = Signature::by("somebody", &fresh());
    table.passes("a session and a stranger's signature", &theirs.sign(post().bearer(&session)));
}

#[test]
fn its_own_public_key_may_come_along() {
    let mut table = check(|setup| {
        setup
            .site(json!({"schemes": ["signature"]}))
            .key(json!({"id": "pk_other", "schemes": ["signature"]}))
    });
    let by = table.gate.signature();
    let header = |id: &str| by.sign(Request::post("/x").header("X-Public-Key", id));
    table.passes("the same", &header(KEY));
    let seen = table.upstream.last();
    table.that(seen.header("x-public-key").is_none(), || "the key arrived".into());
    refused(&mut table, "another", header("pk_other"), AMBIGUOUS);
    let query = |id: &str| by.sign(Request::post(&format!("/x?a=1&key={id}&b=%7e")));
    table.passes("the same, in the query", &query(KEY));
    let target = table.upstream.last().target;
    table.that(target == "/x?a=1&b=%7e", || format!("?key= arrived as {target}"));
    refused(&mut table, "another, in the query", query("pk_other"), AMBIGUOUS);
}

#[test]
fn a_bare_key_beside_a_strangers_signature_is_a_bare_key() {
    let mut table = check(|setup| {
        setup.key(json!({"id": "pk_read", "schemes": ["public-key"], "paths": ["/*"],
                   "allowed_ips": ["192.0.2.1"]}))
    });
    let get = Request::get("/x")
        .header("X-Public-Key", "pk_read")
        .header("CF-Connecting-IP", "192.0.2.1");
    let theirs = Signature::by("somebody", &fresh()).sign(get);
    table.passes("a stranger's", &theirs);
}

#[test]
fn a_signature_obeys_its_key() {
    let mut table = check(|setup| {
        setup.site(json!({"schemes": ["signature"], "methods": ["POST"], "paths": ["/cms/*"],
                   "allowed_origins": ["https://www.example.com"]}))
    });
    let origin = |request: Request| request.origin("https://www.example.com");
    let by = table.gate.signature();
    table.passes("all of it", &by.sign(origin(Request::post("/cms/a"))));
    let no_origin = by.sign(Request::post("/cms/a"));
    refused(&mut table, "no origin", no_origin, (403, "origin-denied"));
    let elsewhere = by.sign(Request::post("/cms/a").origin("https://evil.example"));
    refused(&mut table, "another origin", elsewhere, (403, "origin-denied"));
    let path = by.sign(origin(Request::post("/other")));
    refused(&mut table, "another path", path, (403, "path-denied"));
    let method = by.sign(origin(Request::new("PUT", "/cms/a").body("{}")));
    refused(&mut table, "another method", method, (403, "method-denied"));
}
