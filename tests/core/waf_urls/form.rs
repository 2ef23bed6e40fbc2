//! The form of a WAF-token URL: `verify` last and once, ten digits, and the two ways to write a MAC.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use testkit::client::Request;
use testkit::token::{b64, now};

use super::{encoded_link, link, mac, waf, with_links, with_verify};
use crate::native::Check;

const TEXT: &str = "/x?key=pk_site";

/// Does as `table.refused` with `bad-credential`, for targets.
fn malformed(table: &mut Check, target: &str) {
    table.refused(target, &Request::get(target), 400, "bad-credential");
}

/// Returns a text whose MAC holds what the two alphabets write differently, and that MAC.
fn telling(secret: &str, issued: &str) -> (String, Vec<u8>) {
    (0..)
        .map(|nth| format!("{TEXT}&n={nth}"))
        .find_map(|text| {
            let mac = mac(secret, &text, issued);
            let written = STANDARD.encode(&mac);
            (written.contains('+') && written.contains('/')).then_some((text, mac))
        })
        .unwrap()
}

#[test]
fn the_mac_is_base64url_or_standard_base64_percent_encoded_at_will() {
    let (mut table, secret) = waf(|setup| with_links(setup, &json!({})));
    let issued = now().to_string();
    let (text, mac) = telling(&secret, &issued);
    let (url, standard) = (b64(&mac), STANDARD.encode(&mac));
    let with = |mac: &str| with_verify(&text, &format!("{issued}-{mac}"));
    let every: String = standard.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for good in [
        url.clone(),
        standard.clone(),
        standard.replace('=', "%3D"),
        standard.replace('+', "%2B").replace('/', "%2F"),
        standard.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"),
        standard.replace('+', "%2b").replace('/', "%2f").replace('=', "%3d"),
        format!("%{:02x}{}", standard.as_bytes()[0], &standard[1..]),
        every.to_lowercase(),
        every,
    ] {
        let target = with(&good);
        table.passes(&target, &Request::get(&target));
    }
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let last = standard.as_bytes()[42];
    let place = alphabet.iter().position(|&byte| byte == last).unwrap();
    let unused_bits = char::from(alphabet[place + 1]);
    for wrong in [
        String::new(),
        url[..42].to_owned(),
        format!("{url}A"),
        format!("{url}="),
        format!("{url}%3D"),
        url.replace('-', "%2D"),
        standard[..43].to_owned(),
        standard.replace('=', ""),
        format!("{standard}="),
        format!("{standard}%3D"),
        url.replace('-', "+"),
        standard.replace('+', "-"),
        standard.replace('+', " ").replace(' ', "%20"),
        standard.replace('=', "%3"),
        standard.replace('=', "%"),
        standard.replace('=', "%ZZ"),
        standard.replace('=', "%253D"),
        format!("{}{unused_bits}=", &standard[..42]),
        format!("{}!=", &standard[..42]),
        format!("{standard}%00"),
        "A".repeat(8_000),
        "%41".repeat(2_000),
    ] {
        malformed(&mut table, &with(&wrong));
    }
    let other = Request::get(&with(&"A".repeat(43)));
    table.refused("another MAC", &other, 401, "signature-invalid");
}

#[test]
fn the_time_is_ten_digits_and_a_hyphen() {
    let (mut table, secret) = waf(|setup| with_links(setup, &json!({})));
    let with = |digits: &str, joint: &str| {
        let mac = b64(mac(&secret, TEXT, digits));
        with_verify(TEXT, &format!("{digits}{joint}{mac}"))
    };
    let time = now().to_string();
    table.passes("as it should be", &Request::get(&with(&time, "-")));
    for wrong in [
        String::new(),
        time[..9].to_owned(),
        format!("0{time}"),
        format!("{time}0"),
        format!("+{}", &time[..9]),
        format!("-{}", &time[..9]),
        format!("{}.5", &time[..8]),
        format!("{}%30", &time[..9]),
        format!("%20{}", &time[..9]),
        format!("{}a", &time[..9]),
        "9".repeat(30),
    ] {
        malformed(&mut table, &with(&wrong, "-"));
    }
    for joint in ["", "--", "_", ".", "%2D", "+", "-%20"] {
        malformed(&mut table, &with(&time, joint));
    }
    for value in ["", "-", "1", "1795392000", "1795392000-", &time] {
        malformed(&mut table, &with_verify(TEXT, value));
    }
}

#[test]
fn verify_occurs_once_and_last() {
    let (mut table, secret) = waf(|setup| with_links(setup, &json!({})));
    let right = link(&secret, TEXT, now());
    let verify = right.rsplit_once('&').unwrap().1.to_owned();
    table.passes("as it should be", &Request::get(&right));
    for after in ["&", "&a=1", "&a", "&verify", "&verify=", "&sig=a"] {
        malformed(&mut table, &format!("{right}{after}"));
    }
    malformed(&mut table, &format!("{right}&{verify}"));
    malformed(&mut table, &format!("/x?{verify}&key=pk_site"));
    malformed(&mut table, &format!("{TEXT}&verify"));
    for text in [
        format!("{TEXT}&verify=1"),
        format!("{TEXT}&verify"),
        format!("/x?verify=1&{}", &TEXT[3..]),
        format!("{TEXT}&sig=1"),
        format!("/x?sig&{}", &TEXT[3..]),
    ] {
        malformed(&mut table, &link(&secret, &text, now()));
    }
    // A second key is one too many after the end, too.
    let either = [(400, "ambiguous-credential"), (400, "bad-credential")];
    let after = Request::get(&format!("{right}&key=pk_site"));
    table.refused_as_any("a key behind", &after, &either);
    let twice = link(&secret, "/x?key=pk_site&key=pk_site", now());
    let twice = Request::get(&twice);
    table.refused("two keys", &twice, 400, "ambiguous-credential");
}

#[test]
fn another_name_is_another_parameter() {
    let (mut table, secret) = waf(|setup| with_links(setup, &json!({})));
    // With a key and no `verify` it is the bare public key, which this key does not take.
    for name in ["Verify", "VERIFY", "%76erify", "averify", "verify%20"] {
        for make in [link, encoded_link] {
            let target = make(&secret, TEXT, now()).replace("&verify=", &format!("&{name}="));
            let request = Request::get(&target);
            table.refused(&target, &request, 401, "scheme-not-allowed");
        }
    }
    for name in ["Key", "%6bey", "keys"] {
        let target = link(&secret, &format!("/x?{name}=pk_site"), now());
        let request = Request::get(&target);
        table.refused(&target, &request, 401, "credential-missing");
    }
}
