//! The bytes that passed are charged, whatever an answer or an upload announces, and however it ends
//! (docs/wire-contract.md, section 2).

use serde_json::json;
use testkit::cache::{cached, get};
use testkit::check::Check;
use testkit::client::{Connection, Request};
use testkit::gate::KEY;
use testkit::upstream::{Latch, Reply, Upstream};

use crate::quota::{OVER, quota};
use crate::usage::{add, only, settles, with_ledger};
use crate::usage_outcomes::ledger;

/// More bytes than the ledger's numbers hold.
const HUGE: usize = 9_000_000_000_000_000_000;

#[test]
fn an_answer_that_announces_more_than_comes_is_charged_what_came() {
    let upstream = Upstream::answering(|_, _| Reply::new(200).cut_short(HUGE, b"nine byte"));
    let table = Check::before(upstream, ledger);
    for _ in 0..3 {
        let request = Request::get("/x").bearer(&table.gate.bearer());
        let answer = request.send(&table.gate);
        assert!(!answer.complete && answer.status == 200, "{answer}");
        assert_eq!(answer.header("content-length"), Some(HUGE.to_string()));
    }
    settles(&table.gate, KEY, &only("forwarded", 3, 0, 27));
}

#[test]
fn a_quota_of_bytes_is_charged_what_came_of_a_short_answer_too() {
    let packed = Reply::new(200).header("Content-Encoding", "gzip");
    let upstream = Upstream::queue(vec![
        Reply::new(200).cut_short(50, b"nine byte"),
        packed.cut_short(HUGE, b"nine byte"),
        Reply::new(200).cut_short(HUGE, b"nine byte"),
        Reply::ok("whole"),
    ]);
    let table = Check::before(upstream, |setup| quota(setup, json!({"bytes": 40, "per": "month"})));
    let get = || Request::get("/x").bearer(&table.gate.bearer());
    for came in [9, 18, 27] {
        let answer = get().send(&table.gate);
        assert!(!answer.complete, "{answer}");
        settles(&table.gate, KEY, &only("forwarded", came / 9, 0, came));
    }
    let answer = get().send(&table.gate).passed();
    assert_eq!(answer.header("content-length").as_deref(), Some("5"));
    settles(&table.gate, KEY, &only("forwarded", 4, 0, 32));
    get().send(&table.gate).passed();
    get().send(&table.gate).passed();
    settles(&table.gate, KEY, &only("forwarded", 6, 0, 42));
    get().send(&table.gate).refused(OVER.0, OVER.1);
}

#[test]
fn a_compressed_answer_is_charged_as_it_is_sent_and_not_unpacked() {
    let packed = include_bytes!("usage_passed.rs");
    let upstream = Upstream::answering(|request, _| {
        let reply = Reply::new(200).header("Content-Encoding", "gzip");
        match request.target.as_str() {
            "/chunked" => reply.parts(vec![(None, gzip(packed))]),
            _ => reply.body(gzip(packed)),
        }
    });
    let table =
        Check::before(upstream, |setup| quota(setup, json!({"bytes": 1_000_000, "per": "month"})));
    let length = gzip(packed).len();
    for (nth, path) in ["/announced", "/chunked"].into_iter().enumerate() {
        let request = Request::get(path).bearer(&table.gate.bearer());
        let answer = request.header("Accept-Encoding", "gzip").send(&table.gate).passed();
        assert_eq!(answer.body, gzip(packed), "{path}");
        let expected = only("forwarded", nth + 1, 0, (nth + 1) * length);
        settles(&table.gate, KEY, &expected);
    }
}

#[test]
fn a_long_compressed_answer_from_the_cache_comes_whole_and_is_charged() {
    let words =
        (0_u64..20_000).flat_map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    let packed = gzip(&words.collect::<Vec<_>>());
    assert!(packed.len() > 100_000);
    let (length, body) = (packed.len(), packed.clone());
    let upstream = Upstream::answering(move |_, _| {
        let reply = Reply::new(200).header("Content-Encoding", "gzip");
        reply.header("Content-Type", "text/plain").body(body.clone())
    });
    let mut table = Check::before(upstream, |setup| with_ledger(cached(setup)));
    let request = get(&table.gate, "/x").header("Accept-Encoding", "gzip");
    table.warm("a miss", &request);
    let answer = table.hit("a hit", &request);
    assert!(answer.complete && answer.body == packed, "{answer}");
    let mut expected = only("forwarded", 1, 0, length);
    add(&mut expected, "cached", 1, 0, length);
    settles(&table.gate, KEY, &expected);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn an_upload_that_goes_on_after_the_answer_began_is_charged_whole() {
    let latch = Latch::default();
    let waits = latch.clone();
    let upstream = Upstream::answering_early(move |_, _| {
        Reply::new(200)
            .parts(vec![(None, b"early".to_vec()), (Some(waits.clone()), b"late".to_vec())])
    });
    let table =
        Check::before(upstream, |setup| quota(setup, json!({"bytes": 5_000, "per": "day"})));
    let mut connection = Connection::open(&table.gate);
    let head = Request::new("POST", "/x")
        .bearer(&table.gate.bearer())
        .header("Transfer-Encoding", "chunked")
        .head();
    connection.write(&head);
    connection.write_chunk(b"first");
    assert_eq!(connection.read_head().status, 200);
    assert_eq!(connection.read_chunk(), b"early");
    for _ in 0..20 {
        connection.write_chunk(&[b'x'; 100_000]);
    }
    connection.write(b"0\r\n\r\n");
    table.upstream.until("all of it", |seen| seen[0].body.len() == 2_000_005);
    // Also before the answer has ended.
    let next = Request::post("/x").bearer(&table.gate.bearer());
    let refused = next.send(&table.gate).refused(OVER.0, OVER.1);
    latch.open();
    let mut expected = only("forwarded", 1, 2_000_005, 9);
    add(&mut expected, "refused", 1, 7, refused.body.len());
    settles(&table.gate, KEY, &expected);
}
