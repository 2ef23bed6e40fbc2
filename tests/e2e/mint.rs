//! `POST /_gate/session` on workerd (docs/wire-contract.md, "Minted sessions"): what siteverify is asked, what it may do
//! instead of answering, and the session in use. The rules are tested in `tests/core/mint.rs` and `mint_answers.rs`.

use std::thread;

use serde_json::json;
use testkit::client::{Connection, Request, Response};
use testkit::gate::{Gate, KEY, Setup};
use testkit::logs::Stream;
use testkit::minting::{
    SITE, ask, ask_of, ask_with, claims, minting, no, page_key, write_with, yes,
};
use testkit::signing::Signature;
use testkit::token::fresh;
use testkit::upstream::{Latch, Reply, Upstream};

/// The host of [`SITE`].
const HOST: &str = "www.example.com";
/// Longest answer of siteverify, in bytes.
const MAX_ANSWER: usize = 16_384;

fn good() -> Reply {
    Reply::ok(&yes(HOST).to_string())
}

/// Returns a gate that mints, and asks this siteverify.
fn start(upstream: &Upstream, verify: &Upstream, set_up: impl FnOnce(Setup) -> Setup) -> Gate {
    let setup = Setup::to(upstream).key(page_key(KEY, json!({})));
    set_up(minting(setup, &format!("{}/turnstile/verify", verify.url()))).start()
}

/// Returns the request from an address of its own, so that no other uses up its rate.
fn from(number: usize, request: Request) -> Request {
    request.header("CF-Connecting-IP", &format!("192.0.2.{number}"))
}

#[test]
fn a_page_gets_a_session_and_writes_with_it() {
    let (upstream, verify) = (Upstream::start(), Upstream::answering(|_, _| good()));
    let gate = start(&upstream, &verify, |setup| {
        let setup = setup.key(page_key("pk_bound", json!({"mint": {"bind": true, "ttl": 60}})));
        setup.env("TURNSTILE_SECRET", "a+b c")
    });
    let body = json!({"key": KEY, "turnstile": "0.a&b=c"}).to_string();
    let request = from(7, ask_with(&body)).header("Content-Type", "text/plain;charset=UTF-8");
    let request = request.header("Cookie", "a=b").bearer("nobody's").header("X-Test", "yes");
    let answer = request.send(&gate);
    assert_eq!(answer.status, 201, "{answer}");
    assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(SITE));
    assert_eq!(answer.header("set-cookie"), None);
    let seen = verify.only();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/turnstile/verify"));
    let form = "secret=a%2Bb%20c&response=0.a%26b%3Dc&remoteip=192.0.2.7";
    assert_eq!(String::from_utf8_lossy(&seen.body), form);
    let kind = seen.header("content-type");
    assert_eq!(kind.as_deref(), Some("application/x-www-form-urlencoded"));
    for name in ["cookie", "authorization", "origin", "x-test", "cf-connecting-ip"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    upstream.assert_untouched();
    write_with(&answer).send(&gate).passed();
    assert_eq!(upstream.only().header("authorization"), Some(format!("Bearer {}", gate.token)));

    let bound = from(8, ask_of("pk_bound")).send(&gate);
    let (of, shown) = (claims(&bound), bound.json());
    let secret = shown["session_key"].as_str().expect("its secret");
    write_with(&bound).send(&gate).refused(401, "proof-missing");
    let proof = Signature::by(of["cnf"]["kid"].as_str().unwrap(), secret).also("authorization");
    proof.sign(write_with(&bound)).send(&gate).passed();
    let line = gate.logs.audit(&bound.request_id());
    assert_eq!((&line["outcome"], &line["scheme"]), (&json!("answered"), &json!("turnstile")));
    let session = shown["token"].as_str().unwrap().to_owned();
    let secrets = [session, secret.to_owned(), "0.a&b=c".to_owned(), "a+b c".to_owned()];
    for line in gate.stop() {
        assert!(!secrets.iter().any(|secret| line.text.contains(secret)), "{}", line.text);
    }
}

#[test]
fn the_answer_of_siteverify_is_returned_and_logged() {
    let replies = [
        Reply::new(400).body(no(json!(["timeout-or-duplicate"])).to_string()),
        Reply::ok(&yes("other.example").to_string()),
        Reply::ok(&no(json!(["invalid-input-secret"])).to_string()),
    ];
    let (upstream, verify) = (Upstream::start(), Upstream::queue(replies.to_vec()));
    let gate = start(&upstream, &verify, |setup| setup);
    let spent = from(1, ask()).send(&gate).refused(403, "challenge-failed");
    assert_eq!(spent.json()["reason"], "spent");
    let other = from(2, ask()).send(&gate).refused(403, "challenge-failed");
    assert_eq!(other.json()["reason"], "hostname");
    let (stream, line) = gate.logs.events("turnstile", 1).remove(0);
    assert_eq!(stream, Stream::Error, "console.warn");
    assert_eq!((&line["expected"], &line["got"]), (&json!(HOST), &json!("other.example")));
    assert_eq!(line["request_id"], other.request_id());
    from(3, ask()).send(&gate).refused(503, "feature-unavailable");
    let (_, line) = gate.logs.events("feature_unavailable", 1).remove(0);
    assert!(line["feature"].as_str().unwrap().contains("TURNSTILE_SECRET"), "{line}");
}

/// Returns an answer of siteverify of so many bytes, which says yes.
fn of_size(size: usize) -> Vec<u8> {
    let mut answer = yes(HOST).to_string().into_bytes();
    answer.resize(size, b' ');
    answer
}

#[test]
fn a_siteverify_that_does_not_answer_mints_nothing_and_is_asked_once() {
    let elsewhere = Upstream::answering(|_, _| good());
    let never = Latch::default();
    let at = elsewhere.url();
    let half = vec![(None, of_size(1_000)), (Some(never.clone()), b"}".to_vec())];
    let cut_short = vec![(None, of_size(1_000)), (None, b" ".to_vec())];
    let too_long = vec![(None, of_size(MAX_ANSWER)), (None, b" ".to_vec())];
    let redirect = move |status| Reply::new(status).header("Location", &at).body(of_size(1_000));
    let cases: Vec<(&str, Reply, u16)> = vec![
        ("the longest answer", Reply::new(200).body(of_size(MAX_ANSWER)), 201),
        ("a byte more", Reply::new(200).body(of_size(MAX_ANSWER + 1)), 503),
        ("a byte more, without saying", Reply::new(200).parts(too_long), 503),
        ("a redirect", redirect(302), 503),
        ("a redirect that keeps the method", redirect(307), 503),
        ("no answer", Reply::hang_up(), 503),
        ("half an answer", Reply::new(200).cut_short(2_000, &of_size(1_000)), 503),
        ("chunks without their end", Reply::new(200).parts_cut_short(cut_short), 503),
        ("no text", Reply::new(200).body([of_size(1_000), vec![0xff]].concat()), 503),
        ("no HTTP", Reply::raw("nonsense\r\n\r\n"), 503),
        ("an answer that does not come", good().after(&never), 503),
        ("an answer that does not end", Reply::new(200).parts(half), 503),
        ("nothing", Reply::new(204), 503),
    ];
    let upstream = Upstream::start();
    let verifiers: Vec<Upstream> =
        cases.iter().map(|(_, reply, _)| Upstream::queue(vec![reply.clone()])).collect();
    let mint = |verify: &Upstream| {
        let gate = start(&upstream, verify, |setup| setup);
        let answer = ask().send(&gate);
        let lines = gate.stop();
        (answer, lines.iter().filter(|line| line.is_event("feature_unavailable")).count())
    };
    let answers: Vec<(Response, usize)> = thread::scope(|scope| {
        let waiting: Vec<_> = verifiers.iter().map(|verify| scope.spawn(|| mint(verify))).collect();
        waiting.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (((what, _, status), (answer, alarms)), verify) in
        cases.iter().zip(&answers).zip(&verifiers)
    {
        let code = if *status == 201 { "" } else { "feature-unavailable" };
        assert_eq!((answer.status, answer.code().as_str()), (*status, code), "{what}: {answer}");
        assert_eq!(*alarms, usize::from(*status == 503), "{what}");
        assert_eq!(verify.seen().len(), 1, "{what}: asked once");
    }
    never.open();
    elsewhere.assert_untouched();
    // Nobody listens at all.
    let gone = Setup::to(&upstream).key(page_key(KEY, json!({})));
    let gone = minting(gone, "http://127.0.0.1:1/").start();
    ask().send(&gone).refused(503, "feature-unavailable");
    upstream.assert_untouched();
}

#[test]
fn a_body_has_at_most_4096_bytes_also_without_saying_so() {
    let (upstream, verify) = (Upstream::start(), Upstream::answering(|_, _| good()));
    let gate = start(&upstream, &verify, |setup| setup);
    let body = |size: usize| {
        let mut body = json!({"key": KEY, "turnstile": fresh()}).to_string();
        body.push_str(&" ".repeat(size - body.len()));
        body.into_bytes()
    };
    let chunked = |number: usize, size: usize| {
        let mut connection = Connection::open(&gate);
        let mut request = from(number, ask()).header("Transfer-Encoding", "chunked");
        request.body = None;
        connection.write(&request.head());
        for part in body(size).chunks(1_000) {
            connection.write_chunk(part);
        }
        connection.write(b"0\r\n\r\n");
        connection.response()
    };
    from(1, ask().body(body(4_097))).send(&gate).refused(413, "body-too-large");
    chunked(2, 4_097).refused(413, "body-too-large");
    verify.assert_untouched();
    assert_eq!(chunked(3, 4_096).status, 201);
    assert_eq!(from(4, ask().body(body(4_096))).send(&gate).status, 201);
    // What was announced as too long did not count.
    let counted = gate.logs.events("counted", 3);
    let mut counted: Vec<_> = counted.iter().map(|(_, line)| line["key"].clone()).collect();
    counted.sort_by_key(ToString::to_string);
    assert_eq!(counted, [json!("/192.0.2.2"), json!("/192.0.2.3"), json!("/192.0.2.4")]);
}
