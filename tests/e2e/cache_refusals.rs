//! A kept answer is for whoever may have it (docs/wire-contract.md, sections 4 and 8): every check comes first, and a
//! refusal stays one while what was asked for is in the cache, for all.

use serde_json::json;
use testkit::cache::{TTL, get, start};
use testkit::check::Check;
use testkit::client::{HOST, Request};
use testkit::gate::{KEY, Setup};
use testkit::token::{Session, b64, fresh, hmac, now, sk};

use crate::usage::with_ledger;
use testkit::bound::Bound;

pub(crate) const SITE: &str = "https://www.example.com";

/// The target of all of them.
pub(crate) const TARGET: &str = "/posts";

/// Sets up many keys, and one answer for all of them.
fn keys(setup: Setup) -> Setup {
    let cache = json!({"ttl": TTL, "scope": "shared"});
    let schemes = json!(["session", "signature"]);
    let setup = setup
        .route("/*", json!({"cache": cache}))
        .site(json!({}))
        .key(json!({"id": "pk_revoked", "revoked": true}))
        .key(json!({"id": "pk_expired", "expires": "2020-01-01T00:00:00Z"}))
        .key(json!({"id": "pk_origin", "allowed_origins": [SITE]}))
        .key(json!({"id": "pk_ip", "allowed_ips": ["192.0.2.1"]}))
        .key(json!({"id": "pk_posts", "methods": ["POST"]}))
        .key(json!({"id": "pk_elsewhere", "paths": ["/other", "/posts/*"]}))
        .key(json!({"id": "pk_rate", "rate": "standard"}))
        .key(json!({"id": "pk_no_rate", "rate": "missing"}))
        .key(json!({"id": "pk_quota", "quota": {"requests": 1, "per": "day"}}))
        .key(json!({"id": "pk_signs", "schemes": ["signature"]}))
        .key(json!({"id": "pk_nonce", "schemes": schemes, "nonce": "required"}))
        .key(json!({"id": "pk_open", "schemes": ["public-key"], "paths": ["/*"], "allowed_origins": [SITE]}))
        .key(json!({"id": "pk_link", "schemes": ["url"]}));
    with_ledger(setup).limiter("RATE_STANDARD").replay().cache()
}

/// Returns a cache that has the answer.
pub(crate) fn warmed() -> Check {
    let mut table = start(keys);
    let request = get(&table.gate, TARGET);
    table.warm("the answer", &request);
    table.hit("the answer", &request);
    table
}

pub(crate) fn by(table: &Check, id: &str) -> Request {
    Request::get(TARGET).bearer(&table.gate.session_of(id).mint())
}

/// Expects that the request is refused, with nothing of the answer.
pub(crate) fn closed(table: &mut Check, what: &str, request: &Request, status: u16, code: &str) {
    let answer = table.refused(what, request, status, code);
    let is_shown = answer.text().contains("answer") || answer.header("cache-status").is_some();
    table.that(!is_shown, || format!("{what}: {answer}"));
    table.that(answer.header("cache-control").as_deref() == Some("no-store"), || {
        format!("{what}: {answer}")
    });
    // As asked for by HEAD.
    let mut head = request.clone();
    head.method = "HEAD".into();
    if request.method == "GET" && !request.headers.iter().any(|(name, _)| name == "Signature") {
        let answer = head.send(&table.gate);
        table.that(answer.status == status, || format!("{what}, HEAD: {answer}"));
    }
}

#[test]
fn who_proves_nothing_gets_nothing_of_the_cache() {
    let mut table = warmed();
    let session = table.gate.session();
    let with = |session: Session| Request::get(TARGET).bearer(&session.mint());
    let bound = Bound::new(&table.gate.signing_secret, KEY);
    for (what, request, status, code) in [
        ("no credential", Request::get(TARGET), 401, "credential-missing"),
        ("nonsense", Request::get(TARGET).bearer("nonsense"), 400, "bad-credential"),
        (
            "two",
            get(&table.gate, TARGET).header("X-Public-Key", "pk_open"),
            400,
            "ambiguous-credential",
        ),
        ("nobody's", by(&table, "pk_nobody"), 401, "key-unknown"),
        ("revoked", by(&table, "pk_revoked"), 401, "key-revoked"),
        ("an expired key", by(&table, "pk_expired"), 401, "key-expired"),
        ("forged", with(session.clone().key(&fresh())), 401, "signature-invalid"),
        ("over", with(session.clone().claim("exp", now() - 10)), 401, "session-expired"),
        (
            "not yet",
            with(session.clone().claim("nbf", now() + 1_000)),
            401,
            "session-not-yet-valid",
        ),
        ("too long", with(session.clone().claim("exp", now() + 9_999)), 401, "session-too-long"),
        ("for another gate", with(session.clone().claim("aud", "other")), 401, "audience-mismatch"),
        ("bound, without proof", Request::get(TARGET).bearer(&bound.token()), 401, "proof-missing"),
        ("not its scheme", by(&table, "pk_signs"), 401, "scheme-not-allowed"),
        ("not its scheme either", by(&table, "pk_open"), 401, "scheme-not-allowed"),
    ] {
        closed(&mut table, what, &request, status, code);
    }
    let signed = table.gate.signature_of("pk_signs");
    for (what, signature, code) in [
        ("stale", signed.clone().param("created", now() - 1_000), "signature-stale"),
        ("incomplete", signed.clone().covers(&["@method"]), "signature-incomplete"),
        ("forged", signed.clone().secret(&fresh()), "signature-invalid"),
    ] {
        closed(&mut table, what, &signature.sign(Request::get(TARGET)), 401, code);
    }
    let target = format!("{TARGET}?key=pk_link&exp={}", now() - 10);
    let mac = hmac(
        sk(&table.gate.signing_secret, "pk_link", 1).as_bytes(),
        format!("writegate-url-v1\n{HOST}\n{target}").as_bytes(),
    );
    let link = Request::get(&format!("{target}&sig={}", b64(mac)));
    closed(&mut table, "a link that is over", &link, 401, "url-expired");
    table.hit("who proves it", &get(&table.gate, TARGET));
}
