//! The shape of every refusal (contract, section 6). That each code comes
//! when it should, and not a byte earlier, is in the suite of what it is about.

use std::collections::BTreeMap;

use serde_json::json;
use testkit::client::{Request, Response};
use testkit::gate::Setup;
use testkit::token::fresh;

use crate::provocations::{gate, provocations, upstream};

fn assert_shape(answer: &Response, status: u16, code: &str) {
    let problem = answer.clone().refused(status, code).json();
    assert_eq!(
        answer.header("content-type").as_deref(),
        Some("application/problem+json"),
        "{code}"
    );
    assert_eq!(problem["type"], format!("/_gate/problems#{code}"));
    assert_eq!(problem["status"], status);
    assert_eq!(problem["request_id"], answer.request_id());
    for text in ["title", "detail"] {
        assert!(problem[text].as_str().is_some_and(|text| text.len() > 3), "{code}: {problem}");
    }
    let members: Vec<_> = problem.as_object().unwrap().keys().map(String::as_str).collect();
    let error = json!({"message": problem["detail"], "type": problem["type"], "code": code});
    assert_eq!(problem["error"], error, "{code}");
    let mut expected = vec!["type", "title", "status", "code", "detail", "request_id", "error"];
    if code.ends_with("-denied") {
        expected.push("limit");
    }
    expected.sort_unstable();
    assert_eq!(
        {
            let mut all = members;
            all.sort_unstable();
            all
        },
        expected,
        "{code}"
    );
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"), "{code}");
    assert_eq!(answer.header("set-cookie"), None);
    let challenge = answer.header("www-authenticate");
    if status == 401 {
        let challenge = challenge.unwrap_or_else(|| panic!("{code} without a challenge"));
        assert!(challenge.starts_with("Bearer realm=\"writegate\""), "{code}: {challenge}");
        // RFC 6750, section 3.1: a request without authentication information gets no error code.
        assert_eq!(
            challenge.contains("error="),
            code != "credential-missing",
            "{code}: {challenge}"
        );
    } else {
        assert_eq!(challenge, None, "{code}");
    }
}

#[test]
fn every_refusal_is_a_problem_document() {
    let upstream = upstream();
    let gate = gate(&upstream);
    let mut ids = Vec::new();
    for (status, code, request) in provocations(&gate) {
        let answer = request.send(&gate);
        assert_shape(&answer, status, code);
        ids.push(answer.request_id());
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "every request has an id of its own");
    let no_route = Setup::to(&upstream).route("/only", json!({})).start();
    assert_shape(&Request::post("/x").bearer(&no_route.bearer()).send(&no_route), 404, "no-route");
    let broken = Setup::to(&upstream).env("CLOCK_SKEW", 999).start();
    assert_shape(&Request::post("/x").bearer(&broken.bearer()).send(&broken), 503, "misconfigured");
}

#[test]
fn the_detail_is_constant_for_each_code() {
    let upstream = upstream();
    let gate = gate(&upstream);
    let mut details = BTreeMap::new();
    for (_, code, request) in provocations(&gate) {
        details.insert(code, request.send(&gate).json()["detail"].clone());
    }
    let good = gate.bearer();
    for (code, request) in [
        ("bad-path", Request::post("/x/%2e%2e/y").bearer(&good)),
        ("bad-credential", Request::post("/x").bearer(&gate.session().without("exp").mint())),
        ("key-unknown", Request::post("/x").bearer(&gate.session_of(&fresh()).mint())),
        ("path-denied", Request::new("PUT", "/y").bearer(&gate.session_of("pk_narrow").mint())),
        (
            "method-denied",
            Request::new("DELETE", "/cms/y").bearer(&gate.session_of("pk_narrow").mint()),
        ),
        (
            "ip-denied",
            Request::get("/y")
                .bearer(&gate.session_of("pk_ip").mint())
                .header("CF-Connecting-IP", "::1"),
        ),
    ] {
        let problem = request.send(&gate).json();
        assert_eq!((&problem["code"], &problem["detail"]), (&json!(code), &details[code]));
    }
}

#[test]
fn a_refusal_repeats_nothing_that_was_sent() {
    let upstream = upstream();
    let gate = gate(&upstream);
    let marker = fresh();
    for request in [
        Request::post(&format!("/x//{marker}")),
        Request::post("/x").bearer(&marker),
        Request::post("/x").bearer(&gate.session_of(&marker).mint()),
        Request::get("/x").header("X-Public-Key", &marker),
        Request::get(&format!("/x?key={marker}")),
    ] {
        let answer = request.send(&gate);
        assert!(answer.status >= 400, "{answer}");
        assert!(!answer.to_string().contains(&marker), "{answer}");
    }
}

#[test]
fn a_refused_head_has_no_body() {
    let upstream = upstream();
    let gate = gate(&upstream);
    let answer = Request::new("HEAD", "/x").send(&gate);
    assert_eq!((answer.status, answer.body.len()), (401, 0));
    assert_eq!(answer.header("content-type").as_deref(), Some("application/problem+json"));
}

#[test]
fn the_allowed_methods_are_named() {
    let upstream = upstream();
    let gate = gate(&upstream);
    let good = gate.bearer();
    let answer =
        Request::post("/read/x").bearer(&good).send(&gate).refused(405, "method-not-allowed");
    let mut allow: Vec<_> =
        answer.header("allow").expect("Allow").split(", ").map(str::to_owned).collect();
    allow.sort();
    assert_eq!(allow, ["GET", "HEAD", "PUT"]);
    for method in ["GET", "HEAD", "PUT"] {
        Request::new(method, "/read/x").bearer(&good).send(&gate).passed();
    }
}
