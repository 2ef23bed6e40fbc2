//! A session's claims narrow its key's permissions and never widen them (docs/wire-contract.md, section 3).

use crate::native::{Check, check};
use serde_json::{Value, json};
use testkit::client::Request;

fn with(table: &Check, claim: &str, value: Value) -> String {
    table.gate.session().claim(claim, value).mint()
}

#[test]
fn methods_narrow_the_key() {
    let mut table = check(|setup| setup.site(json!({"methods": ["GET", "POST"]})));
    let get = with(&table, "methods", json!(["GET"]));
    table.passes("GET", &Request::get("/x").bearer(&get));
    table.passes("HEAD, by GET", &Request::new("HEAD", "/x").bearer(&get));
    table.refused("POST", &Request::post("/x").bearer(&get), 403, "method-denied");
    let both = with(&table, "methods", json!(["POST", "GET"]));
    table.passes("POST with both", &Request::post("/x").bearer(&both));
    let wider = with(&table, "methods", json!(["POST", "DELETE"]));
    table.refused(
        "wider than the key",
        &Request::new("DELETE", "/x").bearer(&wider),
        403,
        "method-denied",
    );
    table.passes("what both allow", &Request::post("/x").bearer(&wider));
    let head = with(&table, "methods", json!(["HEAD"]));
    table.refused("GET, not by HEAD", &Request::get("/x").bearer(&head), 403, "method-denied");
    table.passes("HEAD", &Request::new("HEAD", "/x").bearer(&head));
}

#[test]
fn paths_narrow_the_key() {
    let mut table = check(|setup| setup.site(json!({"paths": ["/cms/*"]})));
    let one = with(&table, "paths", json!(["/cms/posts/7"]));
    table.passes("the path", &Request::post("/cms/posts/7").bearer(&one));
    table.passes("with a query", &Request::post("/cms/posts/7?a=b").bearer(&one));
    for path in ["/cms/posts/77", "/cms/posts/7/", "/cms/posts", "/CMS/posts/7"] {
        table.refused(path, &Request::post(path).bearer(&one), 403, "path-denied");
    }
    table.refused(
        "a path that only some servers read as the one allowed",
        &Request::post("/cms/posts/%37").bearer(&one),
        400,
        "bad-path",
    );
    let tree = with(&table, "paths", json!(["/cms/posts/*"]));
    table.passes("below", &Request::post("/cms/posts/7/tags").bearer(&tree));
    table.refused(
        "the path before",
        &Request::post("/cms/posts").bearer(&tree),
        403,
        "path-denied",
    );
    table.refused("a longer name", &Request::post("/cms/posts2").bearer(&tree), 403, "path-denied");
    let wider = with(&table, "paths", json!(["/*"]));
    table.refused(
        "wider than the key",
        &Request::post("/other").bearer(&wider),
        403,
        "path-denied",
    );
    table.passes("what both allow", &Request::post("/cms/x").bearer(&wider));
}

#[test]
fn an_origin_binds_the_session_to_it() {
    let mut table = check(|setup| setup);
    let token = with(&table, "origin", json!("https://www.example.com"));
    let from = |origin: &str| Request::post("/x").bearer(&token).origin(origin);
    table.passes("that origin", &from("https://www.example.com"));
    table.passes("its default port", &from("https://www.example.com:443"));
    for origin in
        ["https://example.com", "http://www.example.com", "https://www.example.com:444", "null"]
    {
        table.refused(origin, &from(origin), 403, "origin-denied");
    }
    table.refused("no origin", &Request::post("/x").bearer(&token), 403, "origin-denied");
}

#[test]
fn an_origin_does_not_widen_the_key() {
    let mut table =
        check(|setup| setup.site(json!({"allowed_origins": ["https://www.example.com"]})));
    let token = with(&table, "origin", json!("https://evil.example"));
    let request = Request::post("/x").bearer(&token).origin("https://evil.example");
    table.refused("an origin of its own", &request, 403, "origin-denied");
}

#[test]
fn a_denial_says_whose_limit_it_was_and_not_what_it_is() {
    let key = json!({"methods": ["GET", "POST"], "paths": ["/cms/*"], "allowed_origins": ["https://a.example", "https://b.example"]});
    let mut table = check(|setup| setup.site(key));
    let mint = |claims: &[(&str, Value)]| {
        let session = table.gate.session();
        let all = claims.iter().cloned();
        all.fold(session, |session, (name, value)| session.claim(name, value)).mint()
    };
    let plain = mint(&[]);
    let narrow = mint(&[
        ("methods", json!(["GET"])),
        ("paths", json!(["/cms/one"])),
        ("origin", json!("https://a.example")),
    ]);
    let request = |method: &str, path: &str, origin: &str, token: &str| {
        Request::new(method, path).header("Origin", origin).bearer(token)
    };
    let (a, b, c) = ("https://a.example", "https://b.example", "https://c.example");
    for (request, code, limit) in [
        (request("DELETE", "/cms/one", a, &plain), "method-denied", "key"),
        (request("POST", "/cms/one", a, &narrow), "method-denied", "session"),
        (request("DELETE", "/cms/one", a, &narrow), "method-denied", "key"),
        (request("GET", "/other", a, &plain), "path-denied", "key"),
        (request("GET", "/cms/two", a, &narrow), "path-denied", "session"),
        (request("GET", "/cms/one", c, &plain), "origin-denied", "key"),
        (request("GET", "/cms/one", b, &narrow), "origin-denied", "session"),
    ] {
        let answer = table.refused(code, &request, 403, code);
        let document = answer.json();
        table.that(document["limit"] == limit, || document.to_string());
        table.that(!answer.text().contains("/cms/one"), || answer.to_string());
    }
}
