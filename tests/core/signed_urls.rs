//! Signed URLs (contract, section 3): what is signed, how long it is good, and what of it reaches the upstream. Its form
//! is in `signed_urls/form.rs`, what its key says in `signed_urls/keys.rs`.

mod form;
mod keys;

use crate::native::{Check, Gate, Upstream, check, start};
use serde_json::{Value, json};
use testkit::client::{HOST, Request};
use testkit::gate::{KEY, Setup};
use testkit::links::{before_sig, signed};
use testkit::token::{b64, fresh, hmac, now, sk};

/// A key that takes signed URLs, and nothing else unless these members say so.
fn with_links(setup: Setup, more: &Value) -> Setup {
    let mut members = json!({"schemes": ["url"]});
    let more = more.as_object().unwrap().clone();
    members.as_object_mut().unwrap().extend(more);
    setup.site(members)
}

/// The secret of this gate's default key.
fn secret(gate: &Gate) -> String {
    sk(&gate.signing_secret, KEY, 1)
}

/// A good link to this target.
fn link(gate: &Gate, target: &str) -> String {
    until(gate, target, now() + 300)
}

fn until(gate: &Gate, target: &str, exp: u64) -> String {
    signed(&secret(gate), HOST, &before_sig(target, KEY, exp))
}

/// Another byte of the same kind, so that what holds it keeps its form wherever it can.
pub(crate) fn changed(byte: u8) -> u8 {
    match byte {
        b'9' => b'8',
        b'z' => b'y',
        b'Z' => b'Y',
        b'0'..=b'8' | b'a'..=b'y' | b'A'..=b'Y' => byte + 1,
        other => other ^ 1,
    }
}

/// Every link that differs from this one in one byte is refused and reaches nothing. (The first byte is left out: a
/// target that does not begin with `/` is none.)
#[track_caller]
pub(crate) fn assert_no_byte_can_change(table: &mut Check, link: &str) {
    table.passes("as it was made", &Request::get(link));
    for index in 1..link.len() {
        let mut bytes = link.as_bytes().to_vec();
        bytes[index] = changed(bytes[index]);
        let other = String::from_utf8(bytes).unwrap();
        let before = table.upstream.seen().len();
        let answer = Request::get(&other).send(&table.gate);
        table.that((400..500).contains(&answer.status), || {
            format!("byte {index}, {other}: {answer}")
        });
        let reached = table.upstream.seen().len() != before;
        table.that(!reached, || format!("byte {index}, {other}: reached the upstream"));
    }
}

#[test]
fn what_belongs_to_the_link_is_removed_and_the_rest_arrives_as_sent() {
    let mut table = check(|setup| with_links(setup, &json!({})));
    for target in [
        "/x",
        "/",
        "/x?a=1",
        "/x?b=2&a=1&b=1&c=&d",
        "/a%7eb;c/d.e?x=%2f&y=a+b&z=/?:@",
        "/x?keys=1&sigs=2&e=3",
    ] {
        for method in ["GET", "HEAD"] {
            let what = format!("{method} {target}");
            table.passes(&what, &Request::new(method, &link(&table.gate, target)));
            let seen = table.upstream.last();
            table.that(seen.target == target && seen.method == method, || {
                format!("{what} arrived as {} {}", seen.method, seen.target)
            });
        }
    }
    let bearer = format!("Bearer {}", table.gate.token);
    let sent = table.upstream.last().header("authorization");
    table.that(sent.as_deref() == Some(&bearer), || format!("the upstream's credential: {sent:?}"));
}

#[test]
fn one_signature_is_good_for_get_and_head_alone() {
    let mut table = check(|setup| with_links(setup, &json!({})));
    let link = link(&table.gate, "/x?a=1");
    table.passes("GET", &Request::get(&link));
    table.passes("HEAD", &Request::new("HEAD", &link));
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let request = Request::new(method, &link);
        table.refused(method, &request, 403, "method-denied");
        let what = format!("{method} with a body");
        table.refused(&what, &request.body("x"), 403, "method-denied");
    }
}

#[test]
fn the_mac_is_the_keys_own_over_authority_path_and_query() {
    let mut table = check(|setup| with_links(setup, &json!({})).key(json!({"id": "pk_two"})));
    let (root, own) = (table.gate.signing_secret.clone(), secret(&table.gate));
    let text = before_sig("/x?a=1", KEY, now() + 300);
    let by = |message: &str, secret: &str| {
        let mac = hmac(secret.as_bytes(), message.as_bytes());
        Request::get(&format!("{text}&sig={}", b64(mac)))
    };
    let message = format!("writegate-url-v1\n{HOST}\n{text}");
    table.passes("as the contract says", &by(&message, &own));
    for (what, secret) in [
        ("another version", sk(&root, KEY, 2)),
        ("another key's secret", sk(&root, "pk_two", 1)),
        ("another root", sk(&fresh(), KEY, 1)),
        ("without the prefix", own[3..].to_owned()),
        ("the root itself", root),
        ("the id", KEY.to_owned()),
        ("nothing", String::new()),
    ] {
        table.refused(what, &by(&message, &secret), 401, "signature-invalid");
    }
    for (what, message) in [
        ("without the first line", format!("{HOST}\n{text}")),
        ("without the authority", format!("writegate-url-v1\n{text}")),
        ("with the scheme", message.replace(HOST, &format!("http://{HOST}"))),
        ("with a method", format!("writegate-url-v1\nGET\n{HOST}\n{text}")),
        ("with sig's name", format!("{message}&sig=")),
        ("with a last newline", format!("{message}\n")),
        ("of another version", message.replace("v1", "v2")),
        ("the path alone", text.split('?').next().unwrap().to_owned()),
    ] {
        let answer = table.refused(what, &by(&message, &own), 401, "signature-invalid");
        // Only a signature's own base is told: for a link there is nothing that a caller could not see.
        table.that(answer.json().get("signature_base").is_none(), || format!("{what}: {answer}"));
    }
}

#[test]
fn the_authority_is_in_lower_case_and_without_its_default_port() {
    let mut table = check(|setup| with_links(setup, &json!({})));
    let secret = secret(&table.gate);
    let text = before_sig("/x", KEY, now() + 300);
    for (authority, host, passes) in [
        (HOST, HOST, true),
        (HOST, "GATE.Example", true),
        (HOST, "gate.example:80", true),
        ("gate.example:8080", "gate.example:8080", true),
        ("gate.example:8080", "Gate.Example:8080", true),
        ("127.0.0.1:8080", "127.0.0.1:8080", true),
        ("[::1]:8080", "[::1]:8080", true),
        (HOST, "gate.example:8080", false),
        ("gate.example:8080", HOST, false),
        (HOST, "gate.example:443", false),
        (HOST, "other.example", false),
        (HOST, "gate.example.evil.example", false),
        ("GATE.Example", "GATE.Example", false),
        ("gate.example:80", "gate.example:80", false),
    ] {
        let what = format!("signed for {authority}, sent to {host}");
        let request = Request::get(&signed(&secret, authority, &text)).header("Host", host);
        if passes {
            table.passes(&what, &request);
        } else {
            table.refused(&what, &request, 401, "signature-invalid");
        }
    }
}

#[test]
fn the_former_root_is_still_accepted() {
    let former = fresh();
    let mut table = check(|setup| {
        with_links(setup, &json!({})).env("SIGNING_SECRET_PREVIOUS", former.as_str())
    });
    let text = before_sig("/x", KEY, now() + 300);
    let with = |root: &str| Request::get(&signed(&sk(root, KEY, 1), HOST, &text));
    table.passes("the root", &with(&table.gate.signing_secret));
    table.passes("the former root", &with(&former));
    table.refused("another root", &with(&fresh()), 401, "signature-invalid");
    let mut without = check(|setup| with_links(setup, &json!({})));
    without.refused("no former root", &with(&former), 401, "signature-invalid");
}

#[test]
fn a_link_ends_at_its_exp_whatever_the_skew() {
    let mut table = check(|setup| with_links(setup, &json!({})).env("CLOCK_SKEW", 300));
    let at = |exp: u64| Request::get(&until(&table.gate, "/x", exp));
    let time = now();
    let (over, good) = (
        [time, time - 1, time - 250, 1].map(at),
        [time + 300, time + 86_400, time + 604_800].map(at),
    );
    for (nth, request) in over.iter().enumerate() {
        table.refused(&format!("over, {nth}"), request, 401, "url-expired");
    }
    for (nth, request) in good.iter().enumerate() {
        table.passes(&format!("good, {nth}"), request);
    }
}

#[test]
fn a_link_is_good_for_url_ttl_at_most_whatever_the_skew() {
    for (members, longest) in [
        (json!({}), 604_800),
        (json!({"url_ttl": 600}), 600),
        (json!({"url_ttl": 2_000_000}), 2_000_000),
    ] {
        let mut table = check(|setup| with_links(setup, &members).env("CLOCK_SKEW", 300));
        let at = |exp: u64| Request::get(&until(&table.gate, "/x", exp));
        let time = now();
        let (good, near, far) = (at(time + longest), at(time + longest + 250), at(999_999_999_999));
        table.passes("as long as allowed", &good);
        table.refused("longer, within the skew", &near, 400, "bad-credential");
        table.refused("as long as can be written", &far, 400, "bad-credential");
    }
}

#[test]
fn no_byte_of_a_link_can_change() {
    let mut table = check(|setup| with_links(setup, &json!({})));
    let link = link(&table.gate, "/a/b?x=1&y=%7e");
    assert_no_byte_can_change(&mut table, &link);
}

#[test]
fn the_log_names_the_scheme_and_never_a_value_of_the_query() {
    let upstream = Upstream::start();
    let gate = start(&upstream, |setup| with_links(setup, &json!({})));
    let marker = fresh();
    let good = link(&gate, &format!("/x?a={marker}"));
    let mac = good.rsplit_once("sig=").unwrap().1.to_owned();
    let passed = Request::get(&good).send(&gate).passed().request_id();
    let forged = good.replace("/x", "/y");
    let refused = Request::get(&forged).send(&gate);
    let refused = refused.refused(401, "signature-invalid").request_id();
    let line = gate.logs.audit(&passed);
    assert_eq!(
        (&line["scheme"], &line["verified"], &line["key"]),
        (&json!("url"), &json!(true), &json!(KEY))
    );
    assert_eq!(line["query_keys"][0], "a");
    assert_eq!(gate.logs.audit(&refused)["verified"], false);
    for line in gate.stop() {
        assert!(!line.text.contains(&marker) && !line.text.contains(&mac), "{line:?}");
    }
}
