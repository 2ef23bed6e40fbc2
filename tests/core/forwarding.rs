//! Where a request goes, and where its answer points (docs/wire-contract.md, sections 1 and 5): targets, redirects
//! and `Location`.

use crate::native::{Upstream, check, start};
use serde_json::json;
use testkit::client::{HOST, Request};
use testkit::upstream::Reply;

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

#[test]
fn a_location_on_the_upstream_becomes_the_gates_path() {
    let upstream = Upstream::answering(|request, _| {
        let host = request.header("host").unwrap();
        let location = match request.target.as_str() {
            "/api/absolute" => format!("http://{host}/api/made/7?a=%7e#f"),
            "/api/path" => "/api/made/7".into(),
            "/api/relative" => "made/7".into(),
            "/api/outside" => "/elsewhere/7".into(),
            "/api/beside" => "/apiary/7".into(),
            _ => "https://other.example/api/made/7".into(),
        };
        Reply::new(201).header("Location", &location)
    });
    let url = upstream.url();
    let gate =
        start(&upstream, |setup| setup.route("/cms/*", json!({"upstream": format!("{url}/api")})));
    let token = gate.bearer();
    let location = |path: &str| {
        Request::post(path)
            .bearer(&token)
            .send(&gate)
            .passed()
            .header("location")
            .expect("Location")
    };
    let at_gate =
        |found: &str, path: &str| found == path || found == format!("http://{HOST}{path}");
    let absolute = location("/cms/absolute");
    assert!(at_gate(&absolute, "/cms/made/7?a=%7e#f"), "{absolute}");
    let path = location("/cms/path");
    assert!(at_gate(&path, "/cms/made/7"), "{path}");
    let relative = location("/cms/relative");
    assert!(at_gate(&relative, "/cms/made/7") || relative == "made/7", "{relative}");
    assert_eq!(location("/cms/other"), "https://other.example/api/made/7");
    for path in ["/cms/outside", "/cms/beside"] {
        let found = location(path);
        assert!(!found.contains("/cms/"), "no path of the gate leads there: {found}");
    }
}

#[test]
fn a_location_comes_back_by_any_route_that_leads_there() {
    let upstream = Upstream::answering(|request, _| {
        let host = request.header("host").unwrap();
        let location = match request.header("x-case").as_deref() {
            Some("below") => "/v1/files/17".to_owned(),
            Some("whole") => "/v1/files".to_owned(),
            Some("slashes") => format!("http://{host}//evil.example/"),
            Some("dots") => "/v1/files/../../admin".to_owned(),
            _ => "/v1/files/\\evil.example/".to_owned(),
        };
        Reply::new(201).header("Location", &location)
    });
    let url = upstream.url();
    let files = json!({"upstream": format!("{url}/v1/files")});
    let gate =
        start(&upstream, |setup| setup.route("/files", files.clone()).route("/files/*", files));
    let token = gate.bearer();
    for (path, case, expected) in [
        ("/files", "below", "/files/17".to_owned()),
        ("/files/1", "whole", "/files".to_owned()),
        ("/files", "slashes", format!("{url}//evil.example/")),
        ("/files", "dots", format!("{url}/v1/files/../../admin")),
        ("/files", "backslash", format!("{url}/v1/files//evil.example/")),
    ] {
        let request = Request::post(path).header("X-Case", case).bearer(&token);
        let answer = request.send(&gate).passed();
        let location = answer.header("location");
        assert_eq!(location.as_deref(), Some(expected.as_str()), "{case}");
    }
}
