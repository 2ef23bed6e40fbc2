//! Callers write while their gate's token is rotated: none of them loses a request.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use testkit::client::Request;
use testkit::gate::KEY;
use testkit::poll::poll;
use testkit::token::Session;
use testkit::upstream::PATIENCE;

use crate::rotate_stage::Stage;

const CALLERS: usize = 4;
/// Writes before the rotation begins and after it has ended.
const MARGIN: usize = 20;

#[test]
fn no_write_is_lost_during_rotations() {
    let stage = Stage::new();
    stage.hard();
    let (ended, written) = (AtomicBool::new(false), AtomicUsize::new(0));
    let session = Session::new(&stage.signing_secret, KEY).mint();
    let (ended, written, port) = (&ended, &written, stage.front.port);
    let done = thread::scope(|scope| {
        let caller = |number: usize| {
            let session = session.clone();
            move || {
                let mut lost = Vec::new();
                while !ended.load(Ordering::Relaxed) {
                    let body =
                        format!("write {number} {}", written.fetch_add(1, Ordering::Relaxed));
                    let request = Request::new("POST", "/cms/posts").bearer(&session).body(body);
                    let answer = request.send_to(port);
                    if answer.status != 201 || answer.text() != "written" {
                        lost.push(answer.to_string());
                    }
                }
                lost
            }
        };
        let callers: Vec<_> = (0..CALLERS).map(|n| scope.spawn(caller(n))).collect();
        let more = |count: usize| {
            let wanted = written.load(Ordering::Relaxed) + count;
            poll(PATIENCE, || match written.load(Ordering::Relaxed) >= wanted {
                true => Ok(()),
                false => Err("too few writes".to_owned()),
            });
        };
        more(MARGIN);
        let first = stage.first();
        more(MARGIN);
        let second = stage.rotate(&["--now"]);
        more(MARGIN);
        ended.store(true, Ordering::Relaxed);
        let lost: Vec<String> = callers.into_iter().flat_map(|c| c.join().unwrap()).collect();
        assert_eq!(lost, Vec::<String>::new(), "{}{}", first.err, second.err);
        [first, second]
    });
    for done in done {
        done.is(0, &["done"]);
    }
    stage.assert_rotated();
    let written = written.load(Ordering::Relaxed);
    let arrived = stage.cloud.server.seen();
    let arrived = arrived.iter().filter(|seen| seen.target == "/cms/posts").count();
    assert_eq!(arrived, written, "each write arrived once");
}
