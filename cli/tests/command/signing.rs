//! `request sign`, `url sign` and `session mint --bind`. That the gate takes what they make is shown by
//! `tests/e2e/signing_command.rs`.

use serde_json::Value;

use crate::checkout::{Checkout, Done, random_secret};

const KEYS: &str = "[[vars.KEYS]]\nid = \"pk_site\"\nschemes = [\"session\", \"signature\"]\nurl_ttl = 600\n\
    [[vars.KEYS]]\nid = \"pk_nonce\"\nschemes = [\"signature\"]\nnonce = \"required\"\n";
const URL: &str = "https://gate.example/posts?x=1";

pub(crate) fn checkout() -> Checkout {
    let checkout = Checkout::new(KEYS);
    checkout.secret(&random_secret());
    checkout
}

/// Returns the headers that `curl` would be given.
pub(crate) fn headers(printed: &str) -> Vec<(String, String)> {
    let words = printed.trim().strip_prefix("-H '").unwrap();
    let words = words.strip_suffix('\'').unwrap().split("' -H '");
    let pairs = words.map(|header| header.split_once(": ").unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn only_headers_are_printed_on_one_line() {
    let checkout = checkout();
    let sign = ["request", "sign", "--key", "pk_site"];
    let get = checkout.run(&[&sign[..], &["GET", URL]].concat()).succeeded();
    let names = |printed: &str| -> Vec<String> {
        headers(printed).into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names(&get), ["Signature-Input", "Signature"]);
    assert_eq!(get.lines().count(), 1);

    let more = ["--body", "it's {}", "-H", "X-One: 1", "--expires", "60", "POST", URL];
    let post = checkout.run(&[&sign[..], &more].concat()).succeeded();
    assert_eq!(names(&post), ["Content-Digest", "Signature-Input", "Signature"]);
    let input = &headers(&post)[1].1;
    assert!(input.starts_with(
        r#"sig1=("@method" "@authority" "@path" "@query" "content-digest" "x-one");created="#
    ));
    assert!(input.contains(";expires=") && !input.contains("nonce"), "{input}");
}

#[test]
fn the_body_may_come_from_a_file() {
    let checkout = checkout();
    let file = checkout.file("body", "{\"a\":1}\n");
    let digest = |body: &str| {
        let arguments = ["request", "sign", "--key", "pk_site", "--body", body, "POST", URL];
        headers(&checkout.run(&arguments).succeeded())[0].1.clone()
    };
    assert_eq!(digest(&format!("@{file}")), digest("{\"a\":1}\n"));
    assert_ne!(digest(&format!("@{file}")), digest("{\"a\":1}"));
}

#[test]
fn a_nonce_is_there_where_the_key_asks_and_fresh() {
    let checkout = checkout();
    let nonce = |key: &str, more: &[&str]| {
        let arguments = [&["request", "sign", "--key", key], more, &["GET", URL]].concat();
        let input = headers(&checkout.run(&arguments).succeeded())[0].1.clone();
        input.split_once(";nonce=").map(|(_, nonce)| nonce.to_owned())
    };
    let first = nonce("pk_nonce", &[]).unwrap();
    assert_ne!(Some(first), nonce("pk_nonce", &[]));
    assert_eq!(nonce("pk_site", &[]), None);
    assert!(nonce("pk_site", &["--nonce"]).is_some());
}

#[test]
fn a_bound_session_comes_with_its_key_and_signs() {
    let checkout = checkout();
    let mint = ["session", "mint", "--key", "pk_site", "--ttl", "60", "--bind"];
    let minted: Value = serde_json::from_str(&checkout.run(&mint).succeeded()).unwrap();
    assert_eq!((&minted["token_type"], &minted["expires_in"]), (&"Bearer".into(), &60.into()));
    assert!(minted["session_key"].as_str().unwrap().starts_with("ss_"));
    let token = minted["token"].as_str().unwrap();

    let sign = ["request", "sign", "--session", token, "POST", URL];
    let headers = headers(&checkout.run(&sign).succeeded());
    assert_eq!(headers[0], ("Authorization".to_owned(), format!("Bearer {token}")));
    assert!(headers[1].1.contains("\"authorization\"") && headers[1].1.contains("keyid=\"s_"));

    let plain = ["session", "mint", "--key", "pk_site"];
    let plain = checkout.run(&plain).succeeded();
    let sign = ["request", "sign", "--session", plain.trim(), "POST", URL];
    checkout.run(&sign).failed(2, &["not bound", "--bind"]);
    let other = ["request", "sign", "--session", token, "--key", "pk_nonce", "POST", URL];
    checkout.run(&other).failed(2, &["another key"]);
}

#[test]
fn a_link_ends_when_it_should() {
    let checkout = checkout();
    let printed = checkout.run(&["url", "sign", "--key", "pk_site", "https://gate.example/a?b"]);
    assert!(printed.err.contains("lack \"url\""), "{}", printed.err);
    let link = printed.succeeded();
    assert!(link.starts_with("https://gate.example/a?b&key=pk_site&exp="), "{link}");
    let too_long = ["url", "sign", "--key", "pk_site", "--ttl", "601", "https://gate.example/a"];
    checkout.run(&too_long).failed(2, &["--ttl 601", "600", "url_ttl"]);
}

#[test]
fn a_waf_link_needs_its_secret() {
    let checkout = checkout();
    let waf = ["url", "sign", "--key", "pk_site", "--waf", "https://gate.example/a"];
    checkout.run(&waf).failed(1, &["WAF_SECRET", ".dev.vars"]);
    let mut short = checkout.command(&waf);
    short.env("WAF_SECRET", &random_secret()[..31]);
    Done::of(&mut short).failed(1, &["WAF_SECRET is 31 bytes long"]);
    let sign = |more: &[&str]| {
        let mut command = checkout.command(&[&waf[..], more].concat());
        Done::of(command.env("WAF_SECRET", random_secret())).succeeded()
    };
    assert!(sign(&[]).starts_with("https://gate.example/a?key=pk_site&verify="));
    assert!(sign(&["--unnamed"]).starts_with("https://gate.example/a?verify="));
}

#[test]
fn wrong_arguments_are_usage_errors() {
    let checkout = checkout();
    for arguments in [
        ["request", "sign", "GET", URL].as_slice(),
        &["request", "sign", "--key", "pk_site", "get", URL],
        &["request", "sign", "--key", "pk_site", "GET", "/posts"],
        &["request", "sign", "--key", "pk_site", "GET", "https://gate.example/a//b"],
        &["request", "sign", "--key", "pk_site", "GET", "https://gate.example/#top"],
        &["request", "sign", "--key", "pk_site", "-H", "X One: 1", "GET", URL],
        &["request", "sign", "--key", "pk_site", "-H", "X-One", "GET", URL],
        &["request", "sign", "--key", "pk_site", "-H", "X: 1", "-H", "x: 2", "GET", URL],
        &["request", "sign", "--key", "pk_site", "-H", "X: é", "GET", URL],
        &["request", "sign", "--key", "pk_site", "--expires", "301", "GET", URL],
        &["request", "sign", "--session", "nonsense", "GET", URL],
        &["url", "sign", "--key", "pk_site", "https://gate.example/?sig=1"],
        &["url", "sign", "--key", "pk_site", "--unnamed", "https://gate.example/"],
    ] {
        let done = checkout.run(arguments);
        assert_eq!((done.code, done.out.as_str()), (Some(2), ""), "{arguments:?}: {}", done.err);
    }
}

#[test]
fn what_no_gate_would_take_is_not_signed() {
    let checkout = checkout();
    let sign = ["request", "sign", "--key", "pk_site"];
    for (more, words) in [
        (["POST", "ftp://gate.example/x"].as_slice(), ["https:// or http://", ""]),
        (&["POST", "https://gate.example/a b"], ["a space or a control character", ""]),
        (&["POST", "https://gate.example/a//b"], ["an empty segment", ""]),
        (&["POST", "https://gate.example/a/%2E%2e/b"], ["a dot segment", ""]),
        (&["GET", "--body", "x", URL], ["--body", "a GET with a body"]),
        (&["POST", "--body", "@nowhere", URL], ["--body: reading the file", ""]),
        (&["POST", "-H", "X-A: 1\nX-B: 2", URL], ["--header", "is one line"]),
    ] {
        checkout.run(&[&sign[..], more].concat()).failed(2, &words);
    }
}

#[test]
fn signing_with_a_key_that_is_refused_warns() {
    let checkout = Checkout::new(
        "[[vars.KEYS]]\nid = \"pk_old\"\nrevoked = true\nschemes = [\"session\", \"signature\", \"url\"]\n\
         [[vars.KEYS]]\nid = \"pk_over\"\nexpires = \"2020-01-01\"\nschemes = [\"waf-url\"]\n",
    );
    checkout.secret(&random_secret());
    for (key, reported) in [
        ("pk_old", ["revoked in wrangler.toml"].as_slice()),
        ("pk_over", &["expires in wrangler.toml is over", "schemes in wrangler.toml lack"]),
    ] {
        for arguments in [
            ["session", "mint", "--key", key].as_slice(),
            &["request", "sign", "--key", key, "GET", URL],
            &["url", "sign", "--key", key, URL],
        ] {
            let done = checkout.run(arguments);
            assert_eq!(done.code, Some(0), "{}", done.err);
            assert!(
                reported.iter().all(|words| done.err.contains(words)),
                "{arguments:?}: {}",
                done.err
            );
        }
    }
}
