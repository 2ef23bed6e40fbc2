//! The permissions of a key record (docs/wire-contract.md, section 2): time, schemes, methods, paths, versions,
//! former roots, and the features that this build does not have.

use crate::native::{Check, check};
use serde_json::json;
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::token::{Session, fresh, sk};

fn post(table: &Check, key: &str) -> Request {
    Request::post("/x").bearer(&table.gate.session_of(key).mint())
}

#[test]
fn a_key_stops_when_revoked_or_expired() {
    let mut table = check(|setup| {
        setup
            .key(json!({"id": "pk_revoked", "revoked": true}))
            .key(json!({"id": "pk_kept", "revoked": false, "name": "Kept", "version": 1}))
            .key(json!({"id": "pk_over", "expires": "2020-01-01T00:00:00Z"}))
            .key(json!({"id": "pk_good", "expires": "2100-01-01T00:00:00Z"}))
            .key(json!({"id": "pk_both", "revoked": true, "expires": "2020-01-01T00:00:00Z"}))
    });
    table.refused("revoked", &post(&table, "pk_revoked"), 401, "key-revoked");
    table.passes("not revoked", &post(&table, "pk_kept"));
    table.refused("expired", &post(&table, "pk_over"), 401, "key-expired");
    table.passes("not yet expired", &post(&table, "pk_good"));
    table.refused("revoked and expired", &post(&table, "pk_both"), 401, "key-revoked");
    let forged = Session::new(&fresh(), "pk_revoked").mint();
    table.refused(
        "the key comes before the MAC",
        &Request::post("/x").bearer(&forged),
        401,
        "key-revoked",
    );
}

#[test]
fn a_raised_version_replaces_the_secret() {
    let mut table = check(|setup| setup.site(json!({"version": 7})));
    let root = table.gate.signing_secret.clone();
    for version in [1, 6, 8, 70] {
        let token = table.gate.session().key(&sk(&root, KEY, version)).mint();
        let what = format!("version {version}");
        table.refused(&what, &Request::post("/x").bearer(&token), 401, "signature-invalid");
    }
    let token = table.gate.session().key(&sk(&root, KEY, 7)).mint();
    table.passes("version 7", &Request::post("/x").bearer(&token));
}

#[test]
fn the_former_root_is_still_accepted() {
    let former = fresh();
    let mut table = check(|setup| setup.env("SIGNING_SECRET_PREVIOUS", former.as_str()));
    let with = |root: &str| Request::post("/x").bearer(&Session::new(root, KEY).mint());
    table.passes("the root", &with(&table.gate.signing_secret));
    table.passes("the former root", &with(&former));
    table.refused("another root", &with(&fresh()), 401, "signature-invalid");
    let mut without = check(|setup| setup);
    without.refused("no former root", &with(&former), 401, "signature-invalid");
}

#[test]
fn a_key_takes_only_its_schemes() {
    let mut table = check(|setup| {
        setup
            .key(json!({"id": "pk_read", "schemes": ["public-key"], "paths": ["/*"], "allowed_ips": ["192.0.2.1"]}))
            .key(json!({"id": "pk_two", "schemes": ["session", "public-key"], "paths": ["/*"],
                        "allowed_ips": ["192.0.2.1"]}))
            .key(json!({"id": "pk_default"}))
    });
    let from = |request: Request| request.header("CF-Connecting-IP", "192.0.2.1");
    let bare = |id: &str| from(Request::get("/x").header("X-Public-Key", id));
    table.refused("no session", &from(post(&table, "pk_read")), 401, "scheme-not-allowed");
    table.passes("a session", &from(post(&table, "pk_two")));
    table.refused("not bare", &bare("pk_default"), 401, "scheme-not-allowed");
    table.passes("bare", &bare("pk_read"));
    table.passes("bare, with both", &bare("pk_two"));
    table.refused("unknown", &bare("pk_nobody"), 401, "key-unknown");
    let secret = sk(&table.gate.signing_secret, "pk_read", 1);
    table.refused_as_any(
        "a secret by mistake",
        &bare(&secret),
        &[(401, "key-unknown"), (400, "bad-credential")],
    );
}

#[test]
fn a_bare_public_key_only_reads() {
    let mut table = check(|setup| {
        setup.key(json!({"id": "pk_read", "schemes": ["public-key"], "paths": ["/open/*"],
                         "allowed_origins": ["https://www.example.com"]}))
    });
    let with = |method: &str, target: &str| {
        Request::new(method, target)
            .header("X-Public-Key", "pk_read")
            .origin("https://www.example.com")
    };
    table.passes("GET", &with("GET", "/open/a"));
    table.that(table.upstream.last().header("x-public-key").is_none(), || "the key arrived".into());
    table.passes("HEAD", &with("HEAD", "/open/a"));
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let request = with(method, "/open/a").body("x");
        table.refused(method, &request, 403, "method-denied");
    }
    table.refused("another path", &with("GET", "/closed"), 403, "path-denied");
    let elsewhere =
        Request::get("/open/a").header("X-Public-Key", "pk_read").origin("https://evil.example");
    table.refused("another origin", &elsewhere, 403, "origin-denied");
}

#[test]
fn a_public_key_in_the_query_is_removed_and_the_rest_keeps_its_order() {
    let mut table = check(|setup| {
        setup.key(json!({"id": "pk_read", "schemes": ["public-key"], "paths": ["/open/*"],
                         "allowed_ips": ["192.0.2.1"]}))
    });
    for (sent, arrives) in [
        ("/open/a?key=pk_read", "/open/a"),
        ("/open/a?b=1&key=pk_read&a=%7e&b=2", "/open/a?b=1&a=%7e&b=2"),
        ("/open/a?key=pk_read&z=&y", "/open/a?z=&y"),
        ("/open/a?z+1=x&keys=k&key=pk_read", "/open/a?z+1=x&keys=k"),
    ] {
        let request = Request::get(sent).header("CF-Connecting-IP", "192.0.2.1");
        table.passes(sent, &request);
        let target = table.upstream.last().target;
        table.that(target == arrives, || format!("{sent} arrived as {target}"));
    }
    let post = Request::post("/open/a?key=pk_read").header("CF-Connecting-IP", "192.0.2.1");
    table.refused("POST", &post, 403, "method-denied");
}

#[test]
fn a_public_key_may_accompany_a_session_of_the_same_key() {
    let mut table = check(|setup| setup.site(json!({})).key(json!({"id": "pk_other"})));
    let token = table.gate.bearer();
    let with = |id: &str| Request::post("/x").bearer(&token).header("X-Public-Key", id);
    table.passes("the same", &with(KEY));
    table.that(table.upstream.last().header("x-public-key").is_none(), || "the key arrived".into());
    table.refused("another", &with("pk_other"), 400, "ambiguous-credential");
    let query = |id: &str| Request::post(&format!("/x?a=1&key={id}&b=2")).bearer(&token);
    table.passes("the same, in the query", &query(KEY));
    let target = table.upstream.last().target;
    table.that(target == "/x?a=1&b=2", || format!("beside a session, ?key= arrived as {target}"));
    table.refused("another, in the query", &query("pk_other"), 400, "ambiguous-credential");
}

#[test]
fn methods_are_those_of_the_key_and_get_implies_head() {
    let mut table = check(|setup| {
        setup
            .site(json!({"methods": ["GET", "PUT"]}))
            .key(json!({"id": "pk_head", "methods": ["HEAD"]}))
            .key(json!({"id": "pk_all"}))
    });
    let token = table.gate.bearer();
    let with = |method: &str| Request::new(method, "/x").bearer(&token);
    for method in ["GET", "HEAD", "PUT"] {
        table.passes(method, &with(method));
    }
    for method in ["POST", "PATCH", "DELETE", "OPTIONS"] {
        table.refused(method, &with(method), 403, "method-denied");
    }
    let head = table.gate.session_of("pk_head").mint();
    table.passes("only HEAD", &Request::new("HEAD", "/x").bearer(&head));
    table.refused("GET, not by HEAD", &Request::get("/x").bearer(&head), 403, "method-denied");
    let all = table.gate.session_of("pk_all").mint();
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        table.passes(method, &Request::new(method, "/x").bearer(&all));
    }
}

#[test]
fn paths_match_raw_with_a_final_star() {
    let mut table = check(|setup| setup.site(json!({"paths": ["/cms/posts/*", "/exact"]})));
    let token = table.gate.bearer();
    let with = |path: &str| Request::post(path).bearer(&token);
    for path in ["/cms/posts/", "/cms/posts/1", "/cms/posts/1/2?x=/../", "/exact", "/exact?x=1"] {
        table.passes(path, &with(path));
    }
    for path in ["/cms/posts", "/cms/postsx", "/cms/", "/", "/exact/", "/Cms/posts/1", "/exact2"] {
        table.refused(path, &with(path), 403, "path-denied");
    }
    // Allowed as some server reads them, and not as they were sent.
    for path in ["/exac%74", "/cms/%70osts/1"] {
        table.refused(path, &with(path), 400, "bad-path");
    }
}

#[test]
fn a_feature_that_is_not_there_is_refused_and_logged() {
    for (what, members) in [
        ("RATE_STANDARD", json!({"rate": "standard"})),
        ("LEDGER", json!({"quota": {"requests": 10, "bytes": 1000, "per": "day"}})),
    ] {
        let mut table = check(|setup| setup.site(members).key(json!({"id": "pk_plain"})));
        let request = post(&table, KEY).origin("https://www.example.com");
        let answer = table.refused(what, &request, 503, "feature-unavailable");
        table.passes("a key without it", &post(&table, "pk_plain"));
        assert_logged(&table, what, &answer.request_id());
    }
}

fn assert_logged(table: &Check, what: &str, request_id: &str) {
    assert_eq!(table.gate.logs.audit(request_id)["code"], "feature-unavailable", "{what}");
    table.gate.logs.until(&format!("line about {what}"), |lines| {
        let mut alarms = lines.iter().filter(|line| line.is_event("feature_unavailable"));
        let words = [what, "\"hint\":\"if it is missing"];
        alarms.any(|line| words.iter().all(|word| line.text.contains(word))).then_some(())
    });
}
