//! Every refusal on workerd: provoked once, and once just missed. Which of a refusal's many ways there are is in the tables of
//! `tests/core/`.

use std::collections::BTreeSet;

use serde_json::json;
use testkit::client::Request;
use testkit::gate::Setup;
use testkit::provocations::{assert_shape, near_misses, provocations, reply, setup};
use testkit::upstream::Upstream;

#[test]
fn every_refusal_is_provoked_and_just_missed() {
    let upstream = Upstream::answering(reply);
    let gate = setup(Setup::to(&upstream).route("/only", json!({}))).start();
    let mut ids = Vec::new();
    for (status, code, request) in provocations(&gate) {
        let answer = request.send(&gate);
        assert_shape(&answer, status, code);
        ids.push(answer.request_id());
    }
    for (status, code, request) in near_misses(&gate) {
        let answer = request.send(&gate);
        assert_eq!((answer.status, answer.code().as_str()), (status, ""), "{code}: {answer}");
        ids.push(answer.request_id());
    }
    let distinct = BTreeSet::from_iter(&ids);
    assert_eq!(distinct.len(), ids.len(), "every request has an id of its own");
    let head = Request::new("HEAD", "/x").send(&gate);
    assert_eq!((head.status, head.body.len()), (401, 0));
}
