//! The harness itself, proved in front of a pass-through worker: a test that asserts what never reached the upstream is
//! worth nothing if the upstream could not have seen it.

use std::fs;
use std::process::Command;
use std::time::Duration;

use testkit::client::{Connection, Request};
use testkit::gate::{Gate, Setup};
use testkit::poll::poll;
use testkit::process::{Script, scratch};
use testkit::token::fresh;
use testkit::upstream::{Arrival, Latch, Reply, Upstream};
use testkit::wire::Framing;

const PASS: &str = "export default {
  async fetch(request, env) {
    console.log(JSON.stringify({event: 'request', request_id: request.headers.get('x-request-id')}));
    const url = env.UPSTREAM + request.url.slice(request.url.indexOf('/', 8));
    return fetch(new Request(url, request), {redirect: 'manual'});
  },
  async scheduled(event) { console.warn(JSON.stringify({event: 'rotation', cron: event.cron})); },
}";

fn pass_through(upstream: &Upstream) -> Gate {
    Setup::to(upstream).script(Script::Source(PASS)).start()
}

#[test]
fn records_what_arrived_in_order_with_its_framing() {
    let upstream =
        Upstream::queue(vec![Reply::new(201).header("X-A", "b").body("made"), Reply::hang_up()]);
    let gate = pass_through(&upstream);
    let answer =
        Request::post("/a/../b?x=%7e&y=2").header("X-One", "1").header("X_Two", "2").send(&gate);
    assert_eq!((answer.status, answer.text().as_str()), (201, "made"));
    assert_eq!(answer.header("x-a").as_deref(), Some("b"));
    let seen = upstream.only();
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.target, "/b?x=%7e&y=2", "JavaScript's URL parser resolves dot segments");
    assert_eq!(seen.header("x-one").as_deref(), Some("1"));
    assert_eq!(seen.header("x_two").as_deref(), Some("2"));
    assert_eq!((seen.framing, seen.arrival), (Framing::Length(7), Arrival::Complete));
    assert_eq!(seen.body, br#"{"a":1}"#);
}

#[test]
fn sees_a_request_that_breaks_off() {
    let upstream = Upstream::start();
    let gate = pass_through(&upstream);
    let mut connection = Connection::open(&gate);
    connection.write(&Request::post("/x").header("Content-Length", "10").head());
    connection.write(b"half");
    upstream.until("the half", |seen| seen.first().is_some_and(|request| request.body == b"half"));
    connection.abandon();
    upstream.until("the end", |seen| seen[0].arrival == Arrival::BrokenOff);
}

#[test]
fn streams_an_answer_in_parts() {
    let latch = Latch::default();
    let parts = vec![(None, b"one".to_vec()), (Some(latch.clone()), b"two".to_vec())];
    let upstream = Upstream::queue(vec![Reply::new(200).parts(parts)]);
    let gate = pass_through(&upstream);
    let mut connection = Connection::open(&gate);
    connection.write(&Request::get("/x").head());
    assert_eq!(connection.read_head().status, 200);
    assert_eq!(connection.read_chunk(), b"one");
    latch.open();
    assert_eq!(connection.read_chunk(), b"two");
}

#[test]
fn reads_the_log_and_calls_the_scheduled_handler() {
    let upstream = Upstream::start();
    let gate = pass_through(&upstream);
    Request::get("/x").header("X-Request-Id", "here").send(&gate).passed();
    assert_eq!(gate.logs.audit("here")["event"], "request");
    Request::get("/").send_to(gate.cron).passed();
    assert_eq!(gate.logs.events("rotation", 1)[0].1["cron"], "17 5 * * *");
}

const OBJECTS: &str =
    "export class ReplayGuard {}; export default { fetch() { return new Response('') } }";

/// As a test program does that keeps a gate in a `static`: it runs once more by itself, for the second half only.
#[test]
fn leaves_no_file_of_a_gate_that_its_process_forgets() {
    const SECOND: &str = "WRITEGATE_TEST_FORGETS";
    let has_files = |folder: &std::path::Path| fs::read_dir(folder).unwrap().next().is_some();
    if std::env::var_os(SECOND).is_some() {
        let gate = Setup::to_url("http://127.0.0.1:1").script(Script::Source(OBJECTS)).replay();
        std::mem::forget(gate.start());
        assert!(has_files(&std::env::temp_dir()));
        return;
    }
    let folder = scratch(&format!("forgets-{}", fresh()));
    let mut second = Command::new(std::env::current_exe().unwrap());
    second.args(["--exact", "leaves_no_file_of_a_gate_that_its_process_forgets"]);
    let done = second.env(SECOND, "1").env("TMPDIR", &folder).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    poll(Duration::from_secs(60), || match has_files(&folder) {
        true => Err(format!("files in {}", folder.display())),
        false => Ok(()),
    });
    fs::remove_dir(folder).unwrap();
}
