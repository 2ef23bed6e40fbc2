//! Where a request goes, and where its answer points (docs/wire-contract.md, sections 1 and 5): targets, redirects
//! and `Location`.

use crate::native::{Upstream, check, start};
use serde_json::json;
use testkit::client::Request;

#[test]
fn the_target_is_the_upstreams_path_and_what_the_star_matched() {
    let upstream = Upstream::start();
    let url = upstream.url();
    let gate = start(&upstream, |setup| {
        setup
            .route("/bare/*", json!({}))
            .route("/slash/*", json!({"upstream": format!("{url}/")}))
            .route("/v1/*", json!({"upstream": format!("{url}/api/v1")}))
            .route("/v2/*", json!({"upstream": format!("{url}/api/v2/")}))
            .route("/one", json!({"upstream": format!("{url}/api/one")}))
            .route("/v1/exact", json!({"upstream": format!("{url}/exact/")}))
            .route("/v1/longer/*", json!({"upstream": format!("{url}/longer")}))
    });
    let token = gate.bearer();
    for (sent, arrives) in [
        ("/bare/", "/"),
        ("/bare/a/b?c", "/a/b?c"),
        ("/slash/a", "/a"),
        ("/v1/a%7e/?x=/v1/", "/api/v1/a%7e/?x=/v1/"),
        ("/v1/", "/api/v1/"),
        ("/v1/.evil.example/x", "/api/v1/.evil.example/x"),
        ("/bare/.evil.example/x", "/.evil.example/x"),
        ("/bare/@evil.example/x", "/@evil.example/x"),
        ("/bare/:80/x", "/:80/x"),
        ("/v2/a", "/api/v2/a"),
        ("/one?a=b", "/api/one?a=b"),
        ("/v1/exact", "/exact/"),
        ("/v1/exact/", "/api/v1/exact/"),
        ("/v1/longer/a", "/longer/a"),
        ("/v1/longer", "/api/v1/longer"),
    ] {
        Request::post(sent).bearer(&token).send(&gate).passed();
        assert_eq!(upstream.last().target, arrives, "{sent}");
    }
    for (sent, status) in
        [("/", 404), ("/v1", 404), ("/bare", 404), ("/one/", 404), ("/other", 404)]
    {
        Request::post(sent).bearer(&token).send(&gate).refused(status, "no-route");
    }
}

#[test]
fn an_encoded_slash_passes_where_the_route_says_so_but_no_dots_with_it() {
    let mut table = check(|setup| {
        setup.route("/open/*", json!({"encoded_slash": true})).route("/closed/*", json!({}))
    });
    let token = table.gate.bearer();
    for path in ["/open/a%2Fb", "/open/a%2fb%5Cc", "/open/%2Fa", "/open/a%2F...%2Fb"] {
        table.passes(path, &Request::post(path).bearer(&token));
    }
    for path in [
        "/closed/a%2Fb", "/closed/a%5cb", "/open/a%2F..%2Fb", "/open/..%2Fb", "/open/a%5C..",
        "/open/a%2F%2e%2e", "/open/.%2Fb", "/open/a%2F..;x", "/open/a\\b", "/open//b",
    ] {
        table.refused(path, &Request::post(path).bearer(&token), 400, "bad-path");
    }
}
