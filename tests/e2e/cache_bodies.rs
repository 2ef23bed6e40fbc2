//! Bodies that are kept (docs/wire-contract.md, section 8): whole, as they came, or not at all.

use testkit::cache::{HIT, cached, counting, get, kept, start};
use testkit::check::Check;
use testkit::client::{Connection, Request};
use testkit::poll::poll;
use testkit::token::fresh;
use testkit::upstream::{Latch, PATIENCE, Reply, Seen};

use crate::bodies::GZIP;

/// Returns so many bytes in which no two places look alike.
fn bytes(length: usize) -> Vec<u8> {
    let words =
        (0_u64..).flat_map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    words.take(length).collect()
}

fn before(answer: impl Fn(&Seen, Reply) -> Reply + Send + Sync + 'static) -> Check {
    Check::before(counting(answer), cached)
}

#[test]
fn bodies_of_every_size_come_back_as_they_came() {
    let mut table = before(|request, reply| {
        let (kind, length) = request.target[1..].split_once('-').unwrap_or_default();
        let body = bytes(length.parse().unwrap_or_default());
        match kind {
            "whole" => reply.body(body),
            _ => reply.parts(body.chunks(40_000).map(|part| (None, part.to_vec())).collect()),
        }
    });
    for kind in ["whole", "chunked"] {
        for length in [0, 1, 1_000, 65_536, 65_537, 5_000_000] {
            let path = format!("/{kind}-{length}");
            let request = get(&table.gate, &path);
            table.warm(&path, &request);
            for what in ["from the store", "and again"] {
                let answer = table.hit(&format!("{path} {what}"), &request);
                let right = answer.complete && answer.body == bytes(length);
                table.that(right, || format!("{path} {what}: {} bytes", answer.body.len()));
            }
        }
    }
}

#[test]
fn a_compressed_body_stays_compressed() {
    let mut table = before(|_, reply| {
        reply.header("Content-Encoding", "gzip").header("Content-Type", "text/plain").body(GZIP)
    });
    let request = get(&table.gate, "/x").header("Accept-Encoding", "gzip");
    let first = table.warm("a miss", &request);
    let answers = [first, table.hit("a hit", &request), table.hit("another", &request)];
    for answer in answers {
        let right =
            answer.body == GZIP && answer.header("content-encoding").as_deref() == Some("gzip");
        table.that(right, || format!("{:?}: {:?}", answer.headers, answer.body));
    }
}

/// Asks for what comes short, and then for something that is kept after it: whatever was to be kept of the first is.
fn comes_short(table: &mut Check, what: &str, path: &str) {
    let before = kept(&table.gate);
    let request = get(&table.gate, path);
    for round in 0..2 {
        let answer = table.miss(what, &request);
        table.that(!answer.complete, || format!("{what}: {answer}"));
        let other = get(&table.gate, &format!("/whole-{}", fresh()));
        table.warm("another", &other);
        let kept = kept(&table.gate) - before;
        table.that(kept == round + 1, || format!("{what}: kept"));
    }
}

#[test]
fn an_answer_that_breaks_off_is_not_kept() {
    let mut table = before(|request, reply| match request.target.as_str() {
        "/short" => reply.cut_short(100, b"half of it"),
        "/long" => reply.cut_short(3_000_000, &bytes(1_000_000)),
        "/chunked" => reply.parts_cut_short(vec![(None, b"half of it".to_vec())]),
        "/long-chunked" => reply.parts_cut_short(vec![(None, bytes(1_000_000))]),
        _ => reply,
    });
    for path in ["/short", "/long", "/chunked", "/long-chunked"] {
        comes_short(&mut table, path, path);
    }
}

#[test]
fn what_its_first_caller_did_not_wait_for_is_kept_whole_or_not_at_all() {
    for length in [None, Some("12")] {
        let latch = Latch::default();
        let waits = latch.clone();
        let mut table = before(move |request, reply| {
            if request.target != "/slow" {
                return reply;
            }
            let parts = vec![(None, b"first".to_vec()), (Some(waits.clone()), b" second".to_vec())];
            match length {
                Some(_) => reply.body("first second").after(&waits),
                None => reply.parts(parts),
            }
        });
        let request = get(&table.gate, "/slow");
        let mut impatient = Connection::open(&table.gate);
        impatient.write(&request.head());
        table.upstream.until("the request", |seen| seen.len() == 1);
        if length.is_none() {
            assert_eq!(impatient.read_head().status, 200);
            assert_eq!(impatient.read_chunk(), b"first");
        }
        impatient.abandon();
        latch.open();
        // It ends at once for those who ask now, from wherever it comes.
        for _ in 0..3 {
            let answer = request.send(&table.gate);
            let whole = answer.complete && answer.text() == "first second";
            table.that(whole, || format!("{length:?}: {answer}"));
        }
        poll(PATIENCE, || {
            let answer = request.send(&table.gate);
            let hit = answer.header("cache-status").as_deref() == Some(HIT)
                && answer.text() == "first second";
            hit.then_some(()).ok_or_else(|| answer.to_string())
        });
    }
}

#[test]
fn many_who_ask_at_once_all_get_the_whole() {
    let mut table = start(cached);
    let request = get(&table.gate, "/posts");
    let port = table.gate.port;
    let sent: Vec<_> = (0..20)
        .map(|_| {
            let request = request.clone();
            std::thread::spawn(move || request.send_to(port))
        })
        .collect();
    for one in sent {
        let answer = one.join().unwrap();
        table.that(answer.status == 200 && answer.text().starts_with("answer "), || {
            answer.to_string()
        });
    }
    poll(PATIENCE, || {
        let answer = request.send(&table.gate);
        (answer.header("cache-status").as_deref() == Some(HIT))
            .then_some(())
            .ok_or_else(|| answer.to_string())
    });
    let head = Request::new("HEAD", "/posts").bearer(&table.gate.bearer());
    table.hit("HEAD", &head);
}
