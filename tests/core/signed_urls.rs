//! Signed URLs (docs/wire-contract.md, section 3): what is signed, how long it is good, and what of it reaches the
//! upstream. Its form is in `signed_urls/form.rs`; the rules that it shares with WAF-token URLs are in `links.rs`.

mod form;

use crate::native::{Gate, check};
use serde_json::{Value, json};
use testkit::client::{HOST, Request};
use testkit::gate::{KEY, Setup};
use testkit::links::{before_sig, signed};
use testkit::token::{b64, fresh, hmac, now, sk};

/// Returns a key that takes signed URLs, and nothing else unless these members say so.
fn with_links(setup: Setup, more: &Value) -> Setup {
    let mut members = json!({"schemes": ["url"]});
    let more = more.as_object().unwrap().clone();
    members.as_object_mut().unwrap().extend(more);
    setup.site(members)
}

/// Returns the secret of this gate's default key.
fn secret(gate: &Gate) -> String {
    sk(&gate.signing_secret, KEY, 1)
}

/// Returns a good link to this target.
fn link(gate: &Gate, target: &str) -> String {
    until(gate, target, now() + 300)
}

fn until(gate: &Gate, target: &str, exp: u64) -> String {
    signed(&secret(gate), HOST, &before_sig(target, KEY, exp))
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
fn the_mac_is_the_keys_own_over_authority_path_and_query() {
    let raised = json!({"id": "pk_raised", "schemes": ["url"], "version": 2});
    let mut table =
        check(|setup| with_links(setup, &json!({})).key(json!({"id": "pk_two"})).key(raised));
    let (root, own) = (table.gate.signing_secret.clone(), secret(&table.gate));
    let text = before_sig("/x?a=1", KEY, now() + 300);
    let by = |message: &str, secret: &str| {
        let mac = hmac(secret.as_bytes(), message.as_bytes());
        Request::get(&format!("{text}&sig={}", b64(mac)))
    };
    let message = format!("writegate-url-v1\n{HOST}\n{text}");
    table.passes("as the contract says", &by(&message, &own));
    let raised = before_sig("/x", "pk_raised", now() + 300);
    let raised = |version| Request::get(&signed(&sk(&root, "pk_raised", version), HOST, &raised));
    table.passes("a raised version", &raised(2));
    table.refused("the version before", &raised(1), 401, "signature-invalid");
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
        ("only the path", text.split('?').next().unwrap().to_owned()),
    ] {
        let answer = table.refused(what, &by(&message, &own), 401, "signature-invalid");
        // Only a signature gets its base back: for a link there is nothing that a caller could not see.
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
        let forged = signed(&fresh(), HOST, &before_sig("/x", KEY, time + longest + 250));
        table.refused("MAC, then url_ttl", &Request::get(&forged), 401, "signature-invalid");
        let post = Request::post(&until(&table.gate, "/x", time + longest + 250));
        table.refused("url_ttl, then method", &post, 400, "bad-credential");
    }
}
