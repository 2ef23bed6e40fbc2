//! The JavaScript of the edge and of the page's client that needs no platform, run by Node.

use std::path::Path;
use std::process::Command;

#[test]
fn what_an_isolate_remembers_of_answers_is_bounded() {
    run("memory.mjs");
}

#[test]
fn a_nonce_that_is_over_is_never_new_whatever_the_clock() {
    run("replay.mjs");
}

#[test]
fn kv_gets_what_the_writer_decided_however_its_writes_end() {
    run("key_writer.mjs");
}

#[test]
fn a_ledger_counts_each_batch_once() {
    run("ledger.mjs");
}

#[test]
fn after_a_trap_and_only_then_the_memory_is_new() {
    run("entry.mjs");
}

#[test]
fn a_request_is_forwarded_as_its_exchange_says() {
    run("forward.mjs");
}

#[test]
fn bindings_are_asked_in_time_and_their_answers_mean_what_they_say() {
    run("calls.mjs");
}

#[test]
fn bodies_are_read_whole_digested_and_bounded() {
    run("bodies.mjs");
}

#[test]
fn cached_reads_are_found_kept_and_purged() {
    run("store.mjs");
}

#[test]
fn a_page_s_client_renews_repeats_and_refuses_as_documented() {
    run("client.mjs");
}

#[test]
fn a_page_s_client_signs_what_the_gate_requires() {
    run("client_signatures.mjs");
}

#[track_caller]
fn run(name: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/core").join(name);
    let ran = Command::new("node").arg(script).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
}
