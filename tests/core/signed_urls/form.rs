//! The form of a signed URL: every way to write it otherwise, each with the MAC that would belong to it, and beside them
//! what is no signed URL at all.

use serde_json::json;
use testkit::client::{HOST, Request};
use testkit::gate::KEY;
use testkit::token::now;

use super::{before_sig, link, secret, signed, with_links};
use crate::native::{Check, check};

/// Does as `table.refused` with `bad-credential`, for targets.
fn malformed(table: &mut Check, target: &str) {
    table.refused(target, &Request::get(target), 400, "bad-credential");
}

#[test]
fn the_three_come_in_order_adjacent_and_last() {
    let mut table = check(|setup| with_links(setup, &json!({})));
    let (secret, exp) = (secret(&table.gate), now() + 300);
    let sign = |text: &str| signed(&secret, HOST, text);
    let right = sign(&format!("/x?a=1&key={KEY}&exp={exp}"));
    table.passes("in order", &Request::get(&right));
    for text in [
        format!("/x?exp={exp}&key={KEY}"),
        format!("/x?key={KEY}&a=1&exp={exp}"),
        format!("/x?key={KEY}&exp={exp}&a=1"),
        format!("/x?key={KEY}&&exp={exp}"),
        format!("/x?key={KEY}&exp={exp}&"),
        format!("/x?key={KEY}"),
        format!("/x?key={KEY}&exp"),
        format!("/x?key={KEY}&Exp={exp}"),
        format!("/x?key={KEY}&%65xp={exp}"),
        format!("/x?key={KEY};exp={exp}"),
    ] {
        malformed(&mut table, &sign(&text));
    }
    for after in ["&", "&a=1", "&a", "&exp=1", "&sig", "&sig=", "?"] {
        malformed(&mut table, &format!("{right}{after}"));
    }
    // A second key is one too many after the end, too.
    let either = [(400, "ambiguous-credential"), (400, "bad-credential")];
    let after = Request::get(&format!("{right}&key"));
    table.refused_as_any("a key behind", &after, &either);
    let sig = right.rsplit_once('&').unwrap().1;
    malformed(&mut table, &format!("/x?{sig}&key={KEY}&exp={exp}"));
    malformed(&mut table, &format!("/x?key={KEY}&{sig}&exp={exp}"));
    malformed(&mut table, &format!("{right}&{sig}"));
}

#[test]
fn exp_is_at_most_twelve_digits_without_a_leading_zero() {
    let mut table = check(|setup| with_links(setup, &json!({})));
    let (secret, exp) = (secret(&table.gate), now() + 300);
    let with = |exp: &str| signed(&secret, HOST, &format!("/x?key={KEY}&exp={exp}"));
    table.passes("as it should be", &Request::get(&with(&exp.to_string())));
    for wrong in [
        String::new(),
        format!("0{exp}"),
        format!("+{exp}"),
        format!("-{exp}"),
        format!("{exp}.0"),
        format!("{exp}.5"),
        format!("{exp}%20"),
        format!("%20{exp}"),
        format!("{exp}e0"),
        format!("0x{exp:x}"),
        format!("%3{}{}", &exp.to_string()[..1], &exp.to_string()[1..]),
        format!("{exp},1"),
        "never".into(),
        "1".repeat(13),
        "18446744073709551615".into(),
        "18446744073709551616".into(),
        "9".repeat(400),
    ] {
        malformed(&mut table, &with(&wrong));
    }
    // Its form is checked before the MAC, how far it is ahead after it.
    let forged = |exp: &str| format!("/x?key={KEY}&exp={exp}&sig={}", "A".repeat(43));
    malformed(&mut table, &forged(&"1".repeat(13)));
    let twelve = Request::get(&forged(&"1".repeat(12)));
    table.refused("twelve digits", &twelve, 401, "signature-invalid");
}

#[test]
fn sig_is_forty_three_characters_of_canonical_base64url() {
    let mut table = check(|setup| with_links(setup, &json!({})));
    // A MAC that holds what the two alphabets write differently.
    let (right, sig) = (0..)
        .map(|nth| link(&table.gate, &format!("/x?n={nth}")))
        .find_map(|link| {
            let sig = link.rsplit_once("sig=").unwrap().1.to_owned();
            (sig.contains('-') && sig.contains('_')).then_some((link, sig))
        })
        .unwrap();
    let text = right.rsplit_once("sig=").unwrap().0.to_owned();
    table.passes("as it should be", &Request::get(&right));
    let last = sig.as_bytes()[42];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = alphabet.iter().position(|&byte| byte == last).unwrap();
    let unused_bits = char::from(alphabet[place + 1]);
    for wrong in [
        String::new(),
        sig[..42].to_owned(),
        format!("{sig}A"),
        format!("{sig}="),
        format!("{sig}%3D"),
        format!("{sig}%20"),
        format!("%20{sig}"),
        sig.replace('-', "+"),
        sig.replace('_', "/"),
        sig.replace('-', "%2D"),
        format!("{}=", sig.replace('-', "+").replace('_', "/")),
        format!("{}{unused_bits}", &sig[..42]),
        format!("{}!", &sig[..42]),
        format!("{}.", &sig[..42]),
        format!("={sig}"),
        "A".repeat(8_000),
    ] {
        malformed(&mut table, &format!("{text}sig={wrong}"));
    }
    let other = format!("{text}sig={}", "A".repeat(43));
    let other = Request::get(&other);
    table.refused("another MAC", &other, 401, "signature-invalid");
}

#[test]
fn the_key_is_named_once_by_its_id() {
    let mut table = check(|setup| {
        with_links(setup, &json!({})).key(json!({"id": "pk_two", "schemes": ["url"]}))
    });
    let (secret, exp) = (secret(&table.gate), now() + 300);
    let of = |text: &str| Request::get(&signed(&secret, HOST, &format!("{text}&exp={exp}")));
    table.passes("once", &of(&format!("/x?key={KEY}")));
    for text in [
        format!("/x?key={KEY}&key={KEY}"),
        format!("/x?key=pk_two&key={KEY}"),
        format!("/x?key={KEY}&a=1&key={KEY}"),
    ] {
        table.refused(&text, &of(&text), 400, "ambiguous-credential");
    }
    // A second `key` without an id is malformed as much as it is a second one.
    let either = [(400, "ambiguous-credential"), (400, "bad-credential")];
    for text in [format!("/x?key=&key={KEY}"), format!("/x?key&key={KEY}")] {
        table.refused_as_any(&text, &of(&text), &either);
    }
    let either = [(400, "bad-credential"), (401, "key-unknown")];
    for id in ["", "pk%5Fsite", "pk+site", "pk_site,pk_site"] {
        let what = format!("{id:?} as the id");
        table.refused_as_any(&what, &of(&format!("/x?key={id}")), &either);
    }
    let long = format!("/x?key={}", "p".repeat(129));
    table.refused_as_any("an id of 129 bytes", &of(&long), &either);
    table.refused("an unknown id", &of("/x?key=pk_none"), 401, "key-unknown");
    let both = signed(&secret, HOST, &before_sig("/x?verify=1", KEY, exp));
    malformed(&mut table, &both);
    let both = format!("{}&verify=1", link(&table.gate, "/x"));
    malformed(&mut table, &both);
}

#[test]
fn without_a_key_the_parameters_are_the_upstreams_own() {
    let mut table = check(|setup| {
        setup
            .site(json!({}))
            .key(json!({"id": "pk_read", "schemes": ["public-key"], "paths": ["/*"],
                        "allowed_ips": ["192.0.2.1"]}))
    });
    let token = table.gate.bearer();
    for target in [
        "/x?sig=a",
        "/x?sig=a&sig=b&exp=0&verify=c&verify",
        "/x?exp=1&sig=",
        "/x?verify=1795392000-A&a=1",
        "/x?Key=pk_site&exp=1&sig=A",
        "/x?%6bey=pk_site&exp=1&sig=A",
        "/x?a=key=pk_site&exp=1&sig=A",
        "/x?a;key=pk_site&exp=1&sig=A",
        "/x?a?key=pk_site&exp=1&sig=A",
    ] {
        let request = Request::get(target);
        table.refused(target, &request, 401, "credential-missing");
        table.passes(target, &request.bearer(&token));
        let seen = table.upstream.last().target;
        table.that(seen == target, || format!("{target} arrived as {seen}"));
    }
    // With a key and neither of the two, it is the bare public key, and `exp` is a parameter like any other.
    let bare = Request::get("/x?exp=1&key=pk_read&exp=2").header("CF-Connecting-IP", "192.0.2.1");
    table.passes("a bare key with exp", &bare);
    let seen = table.upstream.last().target;
    table.that(seen == "/x?exp=1&exp=2", || format!("arrived as {seen}"));
}

#[test]
fn beside_a_key_sig_and_verify_are_the_gates() {
    let mut table = check(|setup| {
        setup.key(json!({"id": "pk_read", "schemes": ["public-key", "url"], "paths": ["/*"],
                         "allowed_ips": ["192.0.2.1"]}))
    });
    let from = |target: &str| Request::get(target).header("CF-Connecting-IP", "192.0.2.1");
    table.passes("neither", &from("/x?key=pk_read&a=1"));
    for target in [
        "/x?key=pk_read&sig=a&b=1",
        "/x?sig=a&key=pk_read",
        "/x?sig=a&key=pk_read&sig=b",
        "/x?key=pk_read&sig=a&sig=b",
        "/x?key=pk_read&sig",
        "/x?key=pk_read&sig=",
        "/x?verify=a&key=pk_read",
        "/x?key=pk_read&verify=a&b=1",
        "/x?key=pk_read&verify=a&verify=b",
        "/x?key=pk_read&verify=a&sig=b",
        "/x?key=pk_read&sig=a&verify=b",
    ] {
        table.refused(target, &from(target), 400, "bad-credential");
    }
}

#[test]
fn under_the_gates_own_paths_key_is_a_plain_parameter() {
    let mut table = check(|setup| with_links(setup, &json!({})));
    for query in ["key=pk_site&exp=1&sig=A", "key=a&key=b&sig=c&verify=d&e=f"] {
        let answer = Request::get(&format!("/_gate/health?{query}")).send(&table.gate);
        table.that(answer.status == 200, || format!("{query}: {answer}"));
    }
}
