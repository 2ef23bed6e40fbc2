//! WAF-token URLs (docs/wire-contract.md, section 3): the links that Cloudflare's `is_timed_hmac_valid_v0` accepts.
//! These tests hold the signed text, the lifetime, and the parameters that the upstream gets. `waf_urls/form.rs` has the form,
//! `waf_urls/keys.rs` the key that the route names, and `links.rs` the rules that signed URLs share.

mod form;
mod keys;

use serde_json::{Value, json};
use testkit::client::Request;
use testkit::gate::{KEY, Setup};
use testkit::links::{
    encoded_waf_link as encoded_link, waf_link as link, waf_mac as mac, with_verify,
};
use testkit::token::{b64, fresh, hmac, now, sk};

use crate::native::{Check, check};

/// Returns a gate with `WAF_SECRET`, and the secret.
fn waf(set_up: impl FnOnce(Setup) -> Setup) -> (Check, String) {
    let secret = fresh();
    let with_secret = |setup: Setup| set_up(setup.env("WAF_SECRET", secret.as_str()));
    (check(with_secret), secret)
}

/// Returns a key that takes WAF links, and nothing else unless these members say so.
fn with_links(setup: Setup, more: &Value) -> Setup {
    let mut members = json!({"schemes": ["waf-url"]});
    let more = more.as_object().unwrap().clone();
    members.as_object_mut().unwrap().extend(more);
    setup.site(members)
}

#[test]
fn what_belongs_to_the_link_is_removed_and_the_rest_arrives_as_sent() {
    let (mut table, secret) = waf(|setup| with_links(setup, &json!({})));
    for (sent, arrives) in [
        ("/x?key=pk_site", "/x"),
        ("/?key=pk_site", "/"),
        ("/x?a=1&key=pk_site", "/x?a=1"),
        ("/x?key=pk_site&a=1", "/x?a=1"),
        ("/x?b=2&key=pk_site&a=1&b=1&c=&d", "/x?b=2&a=1&b=1&c=&d"),
        ("/a%7eb;c?x=%2f&y=a+b&key=pk_site&exp=1", "/a%7eb;c?x=%2f&y=a+b&exp=1"),
    ] {
        for method in ["GET", "HEAD"] {
            for make in [link, encoded_link] {
                let target = make(&secret, sent, now());
                let what = format!("{method} {target}");
                table.passes(&what, &Request::new(method, &target));
                let seen = table.upstream.last();
                table.that(seen.target == arrives && seen.method == method, || {
                    format!("{what} arrived as {} {}", seen.method, seen.target)
                });
            }
        }
    }
}

#[test]
fn the_mac_is_over_the_text_before_verify_and_the_digits() {
    let (mut table, secret) = waf(|setup| with_links(setup, &json!({})));
    let (text, issued) = ("/x?key=pk_site&n=12", now().to_string());
    let own = sk(&table.gate.signing_secret, KEY, 1);
    let signing_secret = table.gate.signing_secret.clone();
    let by = |secret: &str, message: &str| {
        let mac = b64(hmac(secret.as_bytes(), message.as_bytes()));
        Request::get(&with_verify(text, &format!("{issued}-{mac}")))
    };
    table.passes("as it should be", &by(&secret, &format!("{text}{issued}")));
    for (what, secret) in
        [("another secret", &fresh()), ("the key's secret", &own), ("the root", &signing_secret)]
    {
        let request = by(secret, &format!("{text}{issued}"));
        table.refused(what, &request, 401, "signature-invalid");
    }
    for (what, message) in [
        ("only the text", text.to_owned()),
        ("with the separator", format!("{text}&{issued}")),
        ("with verify's name", format!("{text}&verify={issued}")),
        ("with a host", format!("gate.example{text}{issued}")),
        ("without the query", format!("/x{issued}")),
        ("another time", format!("{text}{}", now() - 60)),
    ] {
        let answer = table.refused(what, &by(&secret, &message), 401, "signature-invalid");
        table.that(answer.json().get("signature_base").is_none(), || format!("{what}: {answer}"));
    }
    // Text and time are side by side in the MAC: a digit must not move from one to the other.
    let good = link(&secret, text, now());
    let value = good.rsplit_once("verify=").unwrap().1;
    let longer = format!("/x?key=pk_site&n=1&verify=2{value}");
    table.refused("a digit moved", &Request::get(&longer), 400, "bad-credential");
    let shorter = format!("/x?key=pk_site&n=12{}&verify={}", &value[..1], &value[1..]);
    table.refused("a digit moved back", &Request::get(&shorter), 400, "bad-credential");
}

#[test]
fn a_link_is_good_for_url_ttl_from_its_time() {
    for (members, ttl) in [(json!({}), 604_800), (json!({"url_ttl": 600}), 600)] {
        let (mut table, secret) = waf(|setup| with_links(setup, &members).env("CLOCK_SKEW", 300));
        let time = now();
        let at = |issued: u64| Request::get(&link(&secret, "/x?key=pk_site", issued));
        table.passes("now", &at(time));
        table.passes("just not too old", &at(time - ttl + 250));
        table.passes("ahead by less than the skew", &at(time + 250));
        for (what, issued) in [
            ("over by nothing", time - ttl),
            ("over by less than the skew", time - ttl - 250),
            ("long over", 1_484_063_787),
            ("the beginning of ten digits", 1_000_000_000),
            ("ahead by more than the skew", time + 3_000),
            ("far ahead", 9_999_999_999),
        ] {
            table.refused(what, &at(issued), 401, "url-expired");
        }
    }
    let (mut table, secret) = waf(|setup| with_links(setup, &json!({})).env("CLOCK_SKEW", 0));
    let at = |issued: u64| Request::get(&link(&secret, "/x?key=pk_site", issued));
    table.passes("now, without a skew", &at(now()));
    table.refused("ahead", &at(now() + 250), 401, "url-expired");
}
