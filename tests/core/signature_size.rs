//! The longest `Signature-Input` and `Signature` (docs/wire-contract.md, section 3): 16 KiB each, and longer ones are
//! refused unread.

use testkit::client::Request;
use testkit::gate::KEY;
use testkit::signing::Signature;
use testkit::token::now;

use crate::signature_form::{with_list, with_params};
use crate::signatures::start;
use crate::world::{Native, TARGET, code_of, decide_on, gate_with, raw};
use serde_json::{Value, json};
use testkit::bound::{BAD, refused};
use writegate::Decision;

#[test]
fn a_long_field_is_refused_before_it_is_read() {
    let mut table = start();
    let many: String = (0..10_000).map(|n| format!(";a{n}")).collect();
    let created = format!(";created={};keyid=\"{KEY}\"", now());
    for (what, params) in [
        ("10,000 parameters", format!("{created}{many}")),
        ("10,000 that are the same", format!("{created}{}", ";x".repeat(10_000))),
        ("a long string", format!("{created};tag=\"{}\"", "a".repeat(20_000))),
        ("a long number", format!("{created};x={}", "1".repeat(20_000))),
        ("a long nonce", format!("{created};nonce=\"{}\"", "n".repeat(20_000))),
    ] {
        let request = with_params(&table, &params);
        refused(&mut table, what, request, BAD);
    }
    let list = format!("({})", "\"x\" ".repeat(10_000).trim_end());
    let request = with_list(&table, &list);
    refused(&mut table, "10,000 components", request, BAD);
    let labels: Vec<_> = (0..3_000).map(|n| format!("l{n}=()")).collect();
    let labels = table
        .gate
        .signature()
        .sign(Request::get("/x").header("Signature-Input", &labels.join(",")));
    refused(&mut table, "3,000 labels", labels, BAD);
}

#[test]
fn a_field_is_16_kib_at_most() {
    let mut table = start();
    let good = table.gate.signature();
    let padded = |length: usize| {
        let by = good.clone().param("tag", "\"\"");
        let empty = by.params(&Request::get("/x")).len() + "sig1=".len();
        let tag = format!("\"{}\"", "a".repeat(length - empty));
        by.param("tag", tag).sign(Request::get("/x"))
    };
    table.passes("an input of 16 KiB", &padded(16_384));
    refused(&mut table, "and one byte", padded(16_385), BAD);
    let beside = |length: usize| {
        let request = good.sign(Request::get("/x"));
        let own: usize =
            request.headers.iter().filter(|(n, _)| n == "Signature").map(|(_, v)| v.len()).sum();
        let rest = length - own - ", a=\"\"".len();
        request.header("Signature", &format!("a=\"{}\"", "a".repeat(rest)))
    };
    table.passes("a signature of 16 KiB", &beside(16_384));
    refused(&mut table, "and one byte", beside(16_385), BAD);
    let others: Vec<_> = (0..500).map(|n| format!("l{n}=()")).collect();
    let others = Request::get("/x").header("Signature-Input", &others.join(", "));
    table.passes("500 labels of others", &good.sign(others));
    let stranger = Signature::by("somebody", "secret").label("b").tag("\"text\"");
    table.passes(
        "another's signature of another type",
        &good.sign(stranger.sign(Request::get("/x"))),
    );
}

#[test]
fn a_request_costs_five_reads_of_the_registry_at_most() {
    let gate = gate_with(json!({}), json!({}), [("KEY_REGISTRY", Value::Null)]);
    let reads = |signers: usize| {
        let ids = (0..signers).map(|n| format!("l{n}=(\"@method\");keyid=\"pk_unknown{n}\""));
        let input = Vec::from_iter(ids).join(", ");
        let macs = Vec::from_iter((0..signers).map(|n| format!("l{n}=:AAAA:"))).join(", ");
        let headers = [
            ("signature-input", input.as_str()),
            ("signature", macs.as_str()),
            ("x-public-key", "pk_unknown"),
        ];
        let platform = Native::with_body(Vec::new());
        let decision = decide_on(&platform, &gate, raw("GET", TARGET, &headers));
        let Decision::Respond(answer) = decision else {
            panic!("nobody knows these keys");
        };
        let calls = platform.calls.borrow();
        assert!(calls.iter().all(|call| *call == "record"), "{calls:?}");
        (code_of(&answer), calls.len())
    };
    assert_eq!(reads(5), ("bad-credential".to_owned(), 0));
    assert_eq!(reads(4), ("key-unknown".to_owned(), 5));
    assert_eq!(reads(4), ("key-unknown".to_owned(), 0), "their absence is remembered");
}
