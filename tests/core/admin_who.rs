//! The callers of the admin API (docs/wire-contract.md, sections 2, 4 and 7): only admin keys, within what they and
//! their sessions allow.

use crate::native::{Check, check};
use serde_json::{Value, json};
use testkit::admin_api::{ADMIN, admin, ask, bare, tell};
use testkit::bound::Bound;
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::signing::Signature;
use testkit::token::{Session, fresh, now, sk};

/// Returns every task there is, with a body where it has one. If a path exists, only admins learn it.
fn tasks() -> Vec<(&'static str, &'static str, Option<Value>)> {
    vec![
        ("GET", "keys", None),
        ("HEAD", "keys", None),
        ("POST", "keys", Some(json!({"id": "pk_new"}))),
        ("GET", "keys/pk_there", None),
        ("GET", "keys/pk_nobody", None),
        ("PATCH", "keys/pk_there", Some(json!({"id": "pk_there", "name": "x"}))),
        ("DELETE", "keys/pk_there", None),
        ("GET", "status", None),
        ("HEAD", "status", None),
        ("POST", "purge", Some(json!({"route": "/cms/*"}))),
    ]
}

fn with_body(request: Request, body: Option<&Value>) -> Request {
    match body {
        Some(body) => request.body(body.to_string()),
        None => request,
    }
}

/// Expects a refusal, whatever is asked. A HEAD has no body to tell the code in.
pub(crate) fn refused(
    table: &mut Check,
    what: &str,
    credential: impl Fn(Request) -> Request,
    code: (u16, &str),
) {
    for (method, path, body) in tasks() {
        let what = format!("{what}: {method} {path}");
        let request = credential(with_body(bare(method, path), body.as_ref()));
        if method == "HEAD" {
            let answer = request.send(&table.gate);
            table.that(answer.status == code.0, || format!("{what}: {answer}"));
        } else {
            table.refused(&what, &request, code.0, code.1);
        }
    }
}

/// Expects no refusal, whatever is asked.
pub(crate) fn taken(table: &mut Check, what: &str, credential: impl Fn(Request) -> Request) {
    for (method, path, body) in tasks() {
        let what = format!("{what}: {method} {path}");
        let request = credential(with_body(bare(method, path), body.as_ref()));
        let answer = request.send(&table.gate);
        let expected = match (method, path) {
            ("POST", "keys") => 201,
            (_, "keys/pk_nobody") => 404,
            _ => 200,
        };
        table.that(answer.status == expected, || format!("{what}: {answer}"));
    }
}

pub(crate) fn start() -> Check {
    check(|setup| {
        let setup = setup.route("/*", json!({})).route("/cms/*", json!({"cache": {"ttl": 60}}));
        admin(setup)
            .key(json!({"id": "pk_gone", "admin": true, "revoked": true}))
            .key(json!({"id": "pk_over", "admin": true, "expires": "2020-01-01"}))
            .registered(json!({"id": "pk_there", "version": 1, "schemes": ["session"]}))
            .registered(json!({"id": "pk_sly", "admin": true}))
    })
}

#[test]
fn nothing_is_done_without_an_admin() {
    let mut table = start();
    let root = table.gate.signing_secret.clone();
    let bearer = |token: String| move |request: Request| request.bearer(&token);
    let session = |id: &str| Session::new(&root, id);
    refused(&mut table, "nothing", |request| request, (401, "credential-missing"));
    for (what, token, code) in [
        ("no admin", session(KEY).mint(), (403, "path-denied")),
        ("of the registry", session("pk_there").mint(), (403, "path-denied")),
        ("an admin in the registry", session("pk_sly").mint(), (503, "misconfigured")),
        ("unknown", session("pk_nobody").mint(), (401, "key-unknown")),
        ("revoked", session("pk_gone").mint(), (401, "key-revoked")),
        ("expired", session("pk_over").mint(), (401, "key-expired")),
        ("forged", session(ADMIN).key(&fresh()).mint(), (401, "signature-invalid")),
        (
            "another key's secret",
            session(ADMIN).key(&sk(&root, KEY, 1)).mint(),
            (401, "signature-invalid"),
        ),
        ("over", session(ADMIN).claim("exp", now() - 1).mint(), (401, "session-expired")),
        ("too long", session(ADMIN).claim("exp", now() + 4000).mint(), (401, "session-too-long")),
        (
            "for another gate",
            session(ADMIN).claim("aud", "https://other.example").mint(),
            (401, "audience-mismatch"),
        ),
        (
            "narrowed to nothing here",
            session(ADMIN).claim("paths", json!(["/posts"])).mint(),
            (403, "path-denied"),
        ),
        ("nonsense", fresh(), (400, "bad-credential")),
    ] {
        refused(&mut table, what, bearer(token), code);
    }
    let there = testkit::admin_api::stored(&table.gate, "pk_there");
    table.that(
        there == Some(json!({"id": "pk_there", "version": 1, "schemes": ["session"]})),
        || format!("changed by nobody: {there:?}"),
    );
    table.absent("made by nobody", "pk_new");
    let token = session(ADMIN).mint();
    taken(&mut table, "an admin", bearer(token));
}

#[test]
fn an_admin_s_session_works_with_every_claim_that_fits() {
    for (name, value) in [
        ("aud", json!("writegate")),
        ("sub", json!("operator-7")),
        ("paths", json!(["/_gate/*"])),
        ("methods", json!(["GET", "POST", "PATCH", "DELETE"])),
    ] {
        let mut table = start();
        let token = table.gate.session_of(ADMIN).claim(name, value).mint();
        taken(&mut table, name, |request| request.bearer(&token));
    }
}

#[test]
fn an_admin_s_session_is_narrowed_as_any_other() {
    let mut table = start();
    let with = |name: &str, value: Value| table.gate.session_of(ADMIN).claim(name, value).mint();
    let readers = with("methods", json!(["GET"]));
    let list = with("paths", json!(["/_gate/keys"]));
    let records = with("paths", json!(["/_gate/keys/*"]));
    let page = with("origin", json!("https://console.example"));
    let post =
        |token: &str| bare("POST", "keys").bearer(token).body(json!({"id": "pk_a"}).to_string());
    let get = |path: &str, token: &str| bare("GET", path).bearer(token);
    table.answered("a reader reads", &get("keys", &readers), 200);
    table.refused("a reader writes", &post(&readers), 403, "method-denied");
    let delete = bare("DELETE", "keys/pk_there").bearer(&readers);
    table.refused("a reader deletes", &delete, 403, "method-denied");
    table.answered("the list", &get("keys", &list), 200);
    table.answered("a new record is posted to the list", &post(&list), 201);
    table.refused("a record", &get("keys/pk_there", &list), 403, "path-denied");
    table.refused("status", &get("status", &list), 403, "path-denied");
    table.answered("a record", &get("keys/pk_there", &records), 200);
    table.refused("the list", &get("keys", &records), 403, "path-denied");
    let from = |origin: &str| get("keys", &page).origin(origin);
    table.answered("from its page", &from("https://console.example"), 200);
    table.refused("from another", &from("https://evil.example"), 403, "origin-denied");
    table.refused("from none", &get("keys", &page), 403, "origin-denied");
}

#[test]
fn an_admin_key_s_own_limits_count() {
    let mut table = check(|setup| {
        admin(setup)
            .key(json!({"id": "pk_reader", "admin": true, "methods": ["GET"]}))
            .key(json!({"id": "pk_list", "admin": true, "paths": ["/_gate/keys"]}))
            .key(json!({"id": "pk_home", "admin": true, "allowed_ips": ["192.0.2.0/24"]}))
            .key(json!({"id": "pk_page", "admin": true, "allowed_origins": ["https://console.example"]}))
            .key(json!({"id": "pk_strict", "admin": true, "schemes": ["signature"]}))
    });
    let root = table.gate.signing_secret.clone();
    let by = |id: &str, method: &str, path: &str| {
        bare(method, path).bearer(&Session::new(&root, id).mint())
    };
    let new = |id: &str, name: &str| by(id, "POST", "keys").body(json!({"id": name}).to_string());
    table.answered("GET", &by("pk_reader", "GET", "keys"), 200);
    table.refused("POST", &new("pk_reader", "pk_a"), 403, "method-denied");
    table.answered("its path", &new("pk_list", "pk_a"), 201);
    table.refused("another", &by("pk_list", "GET", "status"), 403, "path-denied");
    let from = |address: &str| by("pk_home", "GET", "keys").header("CF-Connecting-IP", address);
    table.answered("at home", &from("192.0.2.9"), 200);
    table.refused("elsewhere", &from("198.51.100.9"), 403, "ip-denied");
    table.refused("nowhere", &by("pk_home", "GET", "keys"), 403, "ip-denied");
    let from = |origin: &str| by("pk_page", "GET", "keys").origin(origin);
    table.answered("its page", &from("https://console.example"), 200);
    table.refused("another page", &from("https://evil.example"), 403, "origin-denied");
    let session = by("pk_strict", "GET", "keys");
    table.refused("its scheme", &session, 401, "scheme-not-allowed");
    let signed = Signature::new(&root, "pk_strict").sign(bare("GET", "keys"));
    table.answered("a signature", &signed, 200);
}

#[test]
fn an_admin_s_rate_counts() {
    let mut table = check(|setup| {
        let key = json!({"id": ADMIN, "admin": true, "rate": "standard"});
        setup.key(key).in_registry("settings", "").limiter("RATE_STANDARD")
    });
    for _ in 0..3 {
        let list = ask(&table.gate, "GET", "keys");
        table.answered("within", &list, 200);
    }
    let list = ask(&table.gate, "GET", "keys");
    table.refused("over", &list, 429, "rate-limited");
    let new = tell(&table.gate, "POST", "keys", &json!({"id": "pk_a"}));
    table.refused("over", &new, 429, "rate-limited");
}

#[test]
fn an_admin_opens_nothing_else() {
    let mut table = start();
    for method in ["GET", "POST", "PUT", "DELETE"] {
        for path in ["/posts", "/_gate", "/_gated/keys", "/x/_gate/keys"] {
            let request = Request::new(method, path).bearer(&table.gate.session_of(ADMIN).mint());
            table.refused(&format!("{method} {path}"), &request, 403, "path-denied");
            let request = Request::new(method, path).bearer(&table.gate.bearer());
            table.passes(&format!("{method} {path} by a key of its own"), &request);
        }
    }
}

#[test]
fn a_page_may_ask_and_its_preflight_says_so() {
    let mut table = start();
    let origin = "https://console.example";
    let preflight = bare("OPTIONS", "keys/pk_there")
        .origin(origin)
        .header("Access-Control-Request-Method", "PATCH")
        .header("Access-Control-Request-Headers", "authorization,content-type")
        .send(&table.gate);
    assert_eq!(preflight.status, 204, "{preflight}");
    assert_eq!(preflight.header("access-control-allow-methods").as_deref(), Some("PATCH"));
    let answers = [
        table.answered("a list", &ask(&table.gate, "GET", "keys").origin(origin), 200),
        table.refused("a refusal", &bare("GET", "keys").origin(origin), 401, "credential-missing"),
    ];
    for answer in answers {
        let open = answer.header("access-control-allow-origin");
        table.that(open.as_deref() == Some(origin), || answer.to_string());
    }
}

/// A key's own usage is the one thing that its holder may ask for without being an admin.
#[test]
fn a_key_may_ask_for_its_own_usage_with_what_belongs_to_its_holder() {
    let schemes = json!(["session", "signature", "public-key"]);
    let narrow = json!({"schemes": schemes, "paths": ["/posts"], "methods": ["POST"], "allowed_ips": ["192.0.2.1"]});
    let mut table = check(|setup| {
        let bare = json!({"id": "pk_bare", "schemes": ["public-key"], "paths": ["/*"], "allowed_ips": ["192.0.2.1"]});
        setup.site(narrow).key(bare).key(json!({"id": ADMIN, "admin": true})).ledger()
    });
    let get = |path: &str| bare("GET", path).header("CF-Connecting-IP", "192.0.2.1");
    let claims = |name: &str, value: Value| table.gate.session().claim(name, value).mint();
    let (session, signed) = (table.gate.bearer(), table.gate.signature().sign(get("usage")));
    let page = claims("origin", json!("https://www.example.com"));
    let of_a_page = get("usage").bearer(&page).origin("https://www.example.com");
    let narrowed = get("usage").bearer(&claims("paths", json!(["/posts"])));
    let posts = get("usage").bearer(&claims("methods", json!(["POST"])));
    let public = get("usage").header("X-Public-Key", KEY);
    table.answered("a session", &get("usage").bearer(&session), 200);
    table.answered("a signature", &signed, 200);
    for query in [format!("usage?key={KEY}"), "usage?x=1&exp=1&sig=x&verify=1".to_owned()] {
        table.answered(&query, &get(&query).bearer(&session), 200);
        table.refused(&query, &get(&query), 401, "credential-missing");
    }
    let bound = Bound::new(&table.gate.signing_secret, KEY).sign(get("usage"));
    table.answered("a bound session", &bound, 200);
    let elsewhere = bare("GET", "usage").bearer(&session);
    for (what, request, code, limit) in [
        ("a public key", public, "path-denied", "key"),
        ("a session of a page", of_a_page, "path-denied", "session"),
        ("a session for other paths", narrowed, "path-denied", "session"),
        ("a session for other methods", posts, "method-denied", "session"),
        ("anything else", get("status").bearer(&session), "path-denied", "key"),
        ("another's", get("usage?key=pk_bare").bearer(&session), "path-denied", "key"),
        ("nobody's", get("usage?key=pk_nobody").bearer(&session), "path-denied", "key"),
        ("another address", elsewhere, "ip-denied", "key"),
    ] {
        let answer = table.refused(what, &request, 403, code);
        table.that(answer.json()["limit"] == limit, || format!("{what}: {answer}"));
    }
}
