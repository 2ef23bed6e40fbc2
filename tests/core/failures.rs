//! An upstream that refuses the gate's token, or that the platform could not reach (docs/wire-contract.md, section 5).

use serde_json::json;
use testkit::client::Request;
use testkit::logs::Line;
use testkit::upstream::Reply;

use crate::native::{Upstream, start};

#[test]
fn an_upstream_that_refuses_the_gates_token_is_not_the_callers_fault() {
    let upstream = Upstream::answering(|request, _| {
        Reply::new(request.target[1..4].parse().unwrap())
            .header("WWW-Authenticate", "Bearer")
            .body("no")
    });
    let gate = start(&upstream, |setup| {
        setup.route("/default/*", json!({})).route("/other/*", json!({"reject_status": [403, 407]}))
    });
    let token = gate.bearer();
    let answer = Request::post("/default/401")
        .bearer(&token)
        .send(&gate)
        .refused(502, "upstream-rejected-token");
    assert_eq!(answer.header("www-authenticate"), None);
    let line = gate.logs.audit(&answer.request_id());
    assert_eq!((&line["outcome"], &line["upstream_status"]), (&json!("failed"), &json!(401)));
    gate.logs.until("error about the token", |lines| {
        lines
            .iter()
            .filter_map(Line::json)
            .any(|line| line["event"] != "request" && line.to_string().contains("WRITE_TOKEN"))
            .then_some(())
    });
    assert_eq!(Request::post("/default/403").bearer(&token).send(&gate).status, 403);
    Request::post("/other/403").bearer(&token).send(&gate).refused(502, "upstream-rejected-token");
    assert_eq!(Request::post("/other/401").bearer(&token).send(&gate).status, 401);
    Request::get("/default/401").bearer(&token).send(&gate).refused(502, "upstream-rejected-token");
}

#[test]
fn an_origin_that_the_platform_could_not_reach_is_unreachable() {
    let upstream =
        Upstream::answering(|request, _| Reply::new(request.target[1..].parse().unwrap()));
    let gate = start(&upstream, |setup| setup);
    let token = gate.bearer();
    for status in [520, 521, 522, 523, 524, 525, 526, 527, 530] {
        Request::post(&format!("/{status}"))
            .bearer(&token)
            .send(&gate)
            .refused(502, "upstream-unreachable");
    }
    for status in [519, 528, 529, 531] {
        assert_eq!(Request::post(&format!("/{status}")).bearer(&token).send(&gate).status, status);
    }
}
