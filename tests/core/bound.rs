//! Sessions that are bound to a proof (docs/wire-contract.md, section 3; RFC 7800): the token by itself is worth
//! nothing, and neither is its secret.

use serde_json::json;
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::signing::{COVERED, Signature, ss};
use testkit::token::{fresh, sk};

use crate::native::{Check, check};
use testkit::bound::{Bound, INCOMPLETE, INVALID, MISSING, refused};

pub(crate) fn bound(table: &Check) -> Bound {
    Bound::new(&table.gate.signing_secret, KEY)
}

pub(crate) fn post() -> Request {
    Request::post("/x")
}

#[test]
fn both_halves_are_needed() {
    let mut table = check(|setup| setup);
    let mine = bound(&table);
    table.passes("both", &mine.sign(post()));
    let seen = table.upstream.last();
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {}", table.gate.token)));
    for name in ["signature", "signature-input"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    table.passes("again", &mine.sign(Request::get("/y?a=1")));
    let stolen = post().bearer(&mine.token());
    refused(&mut table, "only the token", stolen.clone(), MISSING);
    let secret = mine.proof_of_less().sign(post());
    refused(&mut table, "only the secret", secret, (401, "key-unknown"));
    let lone = stolen.clone().header("Signature", "sig1=:AAAA:");
    refused(&mut table, "the token and a lone signature", lone, MISSING);
    let theirs = Signature::by("somebody", &fresh()).also("authorization");
    refused(&mut table, "the token and a stranger's", theirs.sign(stolen.clone()), MISSING);
    let other = bound(&table);
    refused(&mut table, "another session's proof", other.proof().sign(stolen.clone()), MISSING);
    let both = other.proof().label("theirs").sign(mine.sign(post()));
    table.passes("a proof of another session beside the own", &both);
    let key = table.gate.signature().also("authorization").sign(stolen);
    refused(
        &mut table,
        "the token and the key's own signature",
        key,
        (400, "ambiguous-credential"),
    );
    let three = table.gate.signature().label("key").sign(mine.sign(post()));
    refused(&mut table, "and all of it", three, (400, "ambiguous-credential"));
    let twice = mine.proof().label("sig2").sign(mine.sign(post()));
    refused(&mut table, "two proofs", twice, (400, "ambiguous-credential"));
}

#[test]
fn the_secret_is_this_sessions() {
    let mut table = check(|setup| setup.site(json!({"version": 2})).key(json!({"id": "pk_other"})));
    let root = table.gate.signing_secret.clone();
    let (old, own) = (sk(&root, KEY, 1), sk(&root, KEY, 2));
    let mine = Bound::of(table.gate.session(), &own);
    let other = Bound::of(table.gate.session(), &own);
    table.passes("its own", &mine.sign(post()));
    for (what, secret) in [
        ("another session's", other.secret.clone()),
        ("of the version before", ss(&old, &mine.kid)),
        ("of another key", ss(&sk(&root, "pk_other", 1), &mine.kid)),
        ("of another root", ss(&sk(&fresh(), KEY, 2), &mine.kid)),
        ("of the root itself", ss(&root, &mine.kid)),
        ("without its prefix", mine.secret[3..].to_owned()),
        ("the key's", own.clone()),
    ] {
        let proof = mine.proof().secret(&secret);
        let request = proof.sign(post().bearer(&mine.token()));
        refused(&mut table, what, request, INVALID);
    }
    let before = Bound::of(table.gate.session(), &old);
    refused(&mut table, "a whole session of the version before", before.sign(post()), INVALID);
    let elsewhere = mine.proof().sign(post().bearer(&mine.clone().claim("sub", "b").token()));
    table.passes("one proof key for two tokens of one kid", &elsewhere);
}

#[test]
fn the_proof_covers_the_token_and_the_request() {
    let mut table = check(|setup| setup);
    let mine = bound(&table);
    let with = |proof: Signature, request: Request| proof.sign(request.bearer(&mine.token()));
    let less = with(mine.proof_of_less(), post());
    refused(&mut table, "not the token", less, INCOMPLETE);
    let bodiless = with(mine.proof().covers(&COVERED), post());
    refused(&mut table, "not the body", bodiless, INCOMPLETE);
    let list = ["@authority", "@path", "@query"];
    let methodless = with(mine.proof().covers(&list), Request::get("/x"));
    refused(&mut table, "not the method", methodless, INCOMPLETE);
    let whole = with(mine.proof().covers(&COVERED), Request::get("/x"));
    table.passes("all there is", &whole);
    let mut moved = whole.clone();
    moved.target = "/y".into();
    refused(&mut table, "moved to another path", moved, INVALID);
    let other = mine.clone().claim("sub", "other").token();
    let mut swapped = whole;
    swapped.headers[0].1 = format!("Bearer {other}");
    refused(&mut table, "moved to another token", swapped, INVALID);
    let changed = mine.sign(post()).body("{}");
    refused(&mut table, "another body", changed, (401, "digest-mismatch"));
}

#[test]
fn a_former_root_is_good_for_sessions_and_their_proofs() {
    let former = fresh();
    let mut table = check(|setup| {
        setup
            .env("SIGNING_SECRET_PREVIOUS", former.as_str())
            .key(json!({"id": KEY, "schemes": ["session", "signature"]}))
    });
    table.passes("the root", &bound(&table).sign(post()));
    let old = Bound::new(&former, KEY);
    table.passes("the former root", &old.sign(post()));
    refused(&mut table, "only its token", post().bearer(&old.token()), MISSING);
    let forged = old.proof().secret(&ss(&sk(&fresh(), KEY, 1), &old.kid));
    refused(
        &mut table,
        "its token, and a secret of no root",
        forged.sign(post().bearer(&old.token())),
        INVALID,
    );
    refused(&mut table, "another root", Bound::new(&fresh(), KEY).sign(post()), INVALID);
    table.passes("a signature by the former root", &Signature::new(&former, KEY).sign(post()));
    let mut without = check(|setup| setup);
    refused(&mut without, "no former root", old.sign(post()), INVALID);
}

#[test]
fn a_session_without_a_kid_ignores_signatures_of_sessions() {
    let mut table = check(|setup| setup);
    let mine = bound(&table);
    let plain = post().bearer(&table.gate.bearer());
    table.passes("ignored", &mine.proof().sign(plain));
}
