//! The shape of every refusal (docs/wire-contract.md, section 6). That each code comes
//! when it should, and not a byte earlier, is in the suite of what it is about.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use testkit::client::Request;
use testkit::provocations::{assert_shape, near_misses, provocations, reply, setup};
use testkit::token::fresh;

use crate::native::{Upstream, start};

#[test]
fn every_refusal_is_a_problem_document() {
    let gate = start(&Upstream::answering(reply), setup);
    let mut ids = Vec::new();
    for (status, code, request) in provocations(&gate) {
        let answer = request.send(&gate);
        assert_shape(&answer, status, code);
        ids.push(answer.request_id());
    }
    let distinct = BTreeSet::from_iter(&ids);
    assert_eq!(distinct.len(), ids.len(), "every request has an id of its own");
    let upstream = Upstream::start();
    let no_route = start(&upstream, |setup| setup.route("/only", json!({})));
    assert_shape(&Request::post("/x").bearer(&no_route.bearer()).send(&no_route), 404, "no-route");
    let broken = start(&upstream, |setup| setup.env("CLOCK_SKEW", 999));
    assert_shape(&Request::post("/x").bearer(&broken.bearer()).send(&broken), 503, "misconfigured");
}

#[test]
fn what_just_misses_a_refusal_is_not_refused() {
    let gate = start(&Upstream::answering(reply), setup);
    let provoked: BTreeSet<_> = provocations(&gate).iter().map(|(_, code, _)| *code).collect();
    let mut missed = BTreeSet::new();
    for (status, code, request) in near_misses(&gate) {
        let answer = request.send(&gate);
        assert_eq!((answer.status, answer.code().as_str()), (status, ""), "{code}: {answer}");
        missed.insert(code);
    }
    assert_eq!(provoked, missed);
}

/// Reads the files of a folder, those below it too, as one text.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| match path.is_dir() {
        true => sources(&path),
        false => fs::read_to_string(path).unwrap(),
    };
    entries.map(read).collect()
}

/// The codes that a request for a route does not provoke by itself, each with a test that provokes it natively and one that
/// does on workerd.
const OTHERS: [(&str, &str, &str); 10] = [
    (
        "challenge-failed",
        "a_no_to_the_token_says_what_is_wrong_with_it",
        "the_answer_of_siteverify_is_returned_and_logged",
    ),
    (
        "no-route",
        "the_target_is_the_upstreams_path_and_what_the_star_matched",
        "nobody_but_an_admin_is_answered",
    ),
    (
        "body-timeout",
        "a_body_that_does_not_arrive_has_a_refusal_for_each_reason",
        "a_body_that_the_gate_reads_has_a_deadline",
    ),
    ("key-exists", "an_id_is_used_once", "a_key_is_made_shown_changed_and_deleted"),
    ("key-in-configuration", "an_id_is_used_once", "a_key_is_made_shown_changed_and_deleted"),
    (
        "rate-limited",
        "the_rate_comes_first_then_the_quota_the_body_and_the_nonce",
        "a_limiter_that_is_missing_or_fails_closes_its_keys",
    ),
    (
        "quota-exceeded",
        "a_quota_that_is_used_up_refuses_before_the_body_is_read",
        "who_has_had_enough_gets_nothing_of_the_cache",
    ),
    ("upstream-timeout", "reads_are_tried_again_and_writes_are_not", "a_slow_upstream_is_given_up"),
    (
        "misconfigured",
        "a_gate_without_a_configuration_refuses_everything",
        "a_wrong_variable_of_each_kind_closes_the_gate_and_is_named_once",
    ),
    (
        "overloaded",
        "a_body_that_does_not_arrive_has_a_refusal_for_each_reason",
        "the_gate_holds_so_many_bodies_and_no_more",
    ),
];

/// `provocations` and `near_misses` run in both layers; every other code has a test of its own in each.
#[test]
fn every_code_is_provoked_natively_and_on_workerd() {
    let gate = start(&Upstream::answering(reply), setup);
    let mut held: BTreeSet<_> = provocations(&gate).iter().map(|(_, code, _)| *code).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let layers = ["tests/core", "tests/e2e"].map(|folder| sources(&root.join(folder)));
    for (code, native, on_workerd) in OTHERS {
        for (layer, test) in layers.iter().zip([native, on_workerd]) {
            let (_, rest) = layer.split_once(&format!("fn {test}()")).expect(test);
            let (body, _) = rest.split_once("\n}\n").expect(test);
            assert!(body.contains(&format!("\"{code}\"")), "{test} does not provoke {code}");
        }
        assert!(held.insert(code), "{code} is in both lists");
    }
    let problems = fs::read_to_string(root.join("public/_gate/problems.html")).unwrap();
    let codes = problems.split("<h2><code>").skip(1);
    let codes: BTreeSet<_> = codes.filter_map(|rest| Some(rest.split_once("</code>")?.0)).collect();
    assert_eq!(held, codes);
}

#[test]
fn the_detail_is_constant_for_each_code() {
    let gate = start(&Upstream::answering(reply), setup);
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
    let gate = start(&Upstream::answering(reply), setup);
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
    let gate = start(&Upstream::answering(reply), setup);
    let answer = Request::new("HEAD", "/x").send(&gate);
    assert_eq!((answer.status, answer.body.len()), (401, 0));
    assert_eq!(answer.header("content-type").as_deref(), Some("application/problem+json"));
}

#[test]
fn the_allowed_methods_are_named() {
    let gate = start(&Upstream::answering(reply), setup);
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
