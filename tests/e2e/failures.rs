//! An upstream that fails: it refuses the gate's token, is not there, or takes too long (docs/wire-contract.md,
//! section 5).

use serde_json::json;
use testkit::client::{Connection, Request};
use testkit::gate::Setup;
use testkit::upstream::{Arrival, Latch, Reply, Upstream};

#[test]
fn an_upstream_that_is_not_there_is_unreachable() {
    // A port that was free a moment ago and that nothing listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let gate = Setup::to_url(&format!("http://127.0.0.1:{port}")).start();
    let token = gate.bearer();
    Request::post("/x").bearer(&token).send(&gate).refused(502, "upstream-unreachable");
    let answer = Request::get("/x").bearer(&token).send(&gate).refused(502, "upstream-unreachable");
    assert_eq!(gate.logs.audit(&answer.request_id())["outcome"], "failed");
}

#[test]
fn a_slow_upstream_is_given_up() {
    let never = Latch::default();
    let upstream = Upstream::queue(vec![
        Reply::ok("late").after(&never),
        Reply::ok("late").after(&never),
        Reply::ok("soon"),
    ]);
    let gate = Setup::to(&upstream).route("/*", json!({"timeout_ms": 300})).start();
    let token = gate.bearer();
    let answer = Request::post("/x").bearer(&token).send(&gate).refused(504, "upstream-timeout");
    let line = gate.logs.audit(&answer.request_id());
    assert_eq!((&line["outcome"], &line["code"]), (&json!("failed"), &json!("upstream-timeout")));
    Request::get("/x").bearer(&token).send(&gate).refused(504, "upstream-timeout");
    never.open();
}

#[test]
fn an_upload_that_is_late_never_completes() {
    for with_ledger in [false, true] {
        let upstream = Upstream::start();
        let setup = Setup::to(&upstream).route("/*", json!({"timeout_ms": 300}));
        let gate = if with_ledger { setup.ledger() } else { setup }.start();
        let mut connection = Connection::open(&gate);
        let request = Request::post("/x").bearer(&gate.bearer());
        connection.write(&request.header("Content-Length", "10").head());
        connection.write(b"half");
        connection.response().refused(504, "upstream-timeout");
        upstream.until("its end", |seen| {
            let first = seen.first();
            first.is_some_and(|seen| seen.arrival == Arrival::BrokenOff)
        });
    }
}
