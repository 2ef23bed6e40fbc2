//! `request sign`, `url sign` and `session mint --bind`. That the gate takes what they make is shown by
//! `tests/e2e/signing_command.rs`.

use crate::checkout::{Checkout, Done, random_secret, words};

const KEYS: &str = "[[vars.KEYS]]\nid = \"pk_site\"\nschemes = [\"session\", \"signature\"]\nurl_ttl = 600\n\
    [[vars.KEYS]]\nid = \"pk_nonce\"\nschemes = [\"signature\"]\nnonce = \"required\"\n";
const URL: &str = "https://gate.example/posts?x=1";

/// Returns the headers that `curl` would be given by `request sign`.
fn signed(checkout: &Checkout, line: &str) -> Vec<(String, String)> {
    let printed = checkout.prints(&format!("request sign {line} {URL}"));
    assert_eq!(printed.lines().count(), 1);
    let words = words(&printed);
    let pairs = words.chunks(2).map(|pair| {
        assert_eq!(pair[0], "-H");
        pair[1].split_once(": ").unwrap()
    });
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn only_headers_are_printed_on_one_line() {
    let checkout = Checkout::keyed(KEYS);
    let names = |headers: &[(String, String)]| -> Vec<String> {
        headers.iter().map(|(name, _)| name.clone()).collect()
    };
    let get = signed(&checkout, "--key pk_site GET");
    assert_eq!(names(&get), ["Signature-Input", "Signature"]);
    let more = r#"--key pk_site --body "it's {}" -H 'X-One: 1' --expires 60 POST"#;
    let post = signed(&checkout, more);
    assert_eq!(names(&post), ["Content-Digest", "Signature-Input", "Signature"]);
    let input = &post[1].1;
    assert!(input.starts_with(
        r#"sig1=("@method" "@authority" "@path" "@query" "content-digest" "x-one");created="#
    ));
    assert!(input.contains(";expires=") && !input.contains("nonce"), "{input}");
}

#[test]
fn the_body_may_come_from_a_file() {
    let checkout = Checkout::keyed(KEYS);
    let file = checkout.file("body", "{\"a\":1}\n");
    let digest =
        |body: &str| signed(&checkout, &format!("--key pk_site --body '{body}' POST"))[0].1.clone();
    assert_eq!(digest(&format!("@{file}")), digest("{\"a\":1}\n"));
    assert_ne!(digest(&format!("@{file}")), digest("{\"a\":1}"));
}

#[test]
fn a_nonce_is_there_where_the_key_asks_and_fresh() {
    let checkout = Checkout::keyed(KEYS);
    let nonce = |line: &str| {
        let input = signed(&checkout, line)[0].1.clone();
        input.split_once(";nonce=").map(|(_, nonce)| nonce.to_owned())
    };
    let first = nonce("--key pk_nonce GET").unwrap();
    assert_ne!(Some(first), nonce("--key pk_nonce GET"));
    assert_eq!(nonce("--key pk_site GET"), None);
    assert!(nonce("--key pk_site --nonce GET").is_some());
}

#[test]
fn a_bound_session_comes_with_its_key_and_signs() {
    let checkout = Checkout::keyed(KEYS);
    let minted = checkout.json("session mint --key pk_site --ttl 60 --bind");
    assert_eq!((&minted["token_type"], &minted["expires_in"]), (&"Bearer".into(), &60.into()));
    assert!(minted["session_key"].as_str().unwrap().starts_with("ss_"));
    let token = minted["token"].as_str().unwrap();
    let headers = signed(&checkout, &format!("--session {token} POST"));
    assert_eq!(headers[0], ("Authorization".to_owned(), format!("Bearer {token}")));
    assert!(headers[1].1.contains("\"authorization\"") && headers[1].1.contains("keyid=\"s_"));

    let plain = checkout.prints("session mint --key pk_site");
    checkout.refuses(
        2,
        &format!(
            "
            request sign --session {plain} POST {URL} → not bound … --bind
            request sign --session {token} --key pk_nonce POST {URL} → another key
            "
        ),
    );
}

#[test]
fn a_link_ends_when_it_should() {
    let checkout = Checkout::keyed(KEYS);
    let printed = checkout.run("url sign --key pk_site https://gate.example/a?b");
    assert!(printed.err.contains("lack \"url\""), "{}", printed.err);
    let link = printed.succeeded();
    assert!(link.starts_with("https://gate.example/a?b&key=pk_site&exp="), "{link}");
    let too_long = format!("url sign --key pk_site --ttl 601 {URL} → --ttl 601 … 600 … url_ttl");
    checkout.refuses(2, &too_long);
}

#[test]
fn a_waf_link_needs_its_secret() {
    let checkout = Checkout::keyed(KEYS);
    let waf = "url sign --key pk_site --waf https://gate.example/a";
    checkout.refuses(1, &format!("{waf} → WAF_SECRET … .dev.vars"));
    let sign =
        |line: &str, secret: &str| Done::of(checkout.command(line).env("WAF_SECRET", secret));
    sign(waf, &random_secret()[..31]).failed(1, &["WAF_SECRET is 31 bytes long"]);
    let link = sign(waf, &random_secret()).succeeded();
    assert!(link.starts_with("https://gate.example/a?key=pk_site&verify="), "{link}");
    let link = sign(&format!("{waf} --unnamed"), &random_secret()).succeeded();
    assert!(link.starts_with("https://gate.example/a?verify="), "{link}");
}

#[test]
fn wrong_arguments_and_what_no_gate_would_take_are_usage_errors() {
    Checkout::keyed(KEYS).refuses(
        2,
        &format!(
            "
            request sign GET {URL}
            request sign --key pk_site get {URL}
            request sign --key pk_site GET /posts
            request sign --key pk_site GET https://gate.example/#top
            request sign --key pk_site -H 'X One: 1' GET {URL}
            request sign --key pk_site -H X-One GET {URL}
            request sign --key pk_site -H 'X: 1' -H 'x: 2' GET {URL}
            request sign --key pk_site -H 'X: é' GET {URL}
            request sign --key pk_site --expires 301 GET {URL}
            request sign --session nonsense GET {URL}
            url sign --key pk_site https://gate.example/?sig=1
            url sign --key pk_site --unnamed https://gate.example/
            request sign --key pk_site POST ftp://gate.example/x             → https:// or http://
            request sign --key pk_site POST 'https://gate.example/a b'       → a space or a control character
            request sign --key pk_site POST https://gate.example/a//b        → an empty segment
            request sign --key pk_site POST https://gate.example/a/%2E%2e/b  → a dot segment
            request sign --key pk_site GET --body x {URL}                    → --body … a GET with a body
            request sign --key pk_site POST --body @nowhere {URL}            → --body: reading the file
            "
        ),
    );
    let two = format!("request sign --key pk_site POST -H 'X-A: 1\nX-B: 2' {URL}");
    Checkout::keyed(KEYS).run(&two).failed(2, &["--header", "is one line"]);
}

#[test]
fn signing_with_a_key_that_is_refused_warns() {
    let checkout = Checkout::keyed(
        "[[vars.KEYS]]\nid = \"pk_old\"\nrevoked = true\nschemes = [\"session\", \"signature\", \"url\"]\n\
         [[vars.KEYS]]\nid = \"pk_over\"\nexpires = \"2020-01-01\"\nschemes = [\"waf-url\"]\n",
    );
    let over = ["expires in wrangler.toml has passed", "schemes in wrangler.toml lack"];
    for (key, reported) in [("pk_old", &["revoked in wrangler.toml"][..]), ("pk_over", &over)] {
        for line in ["session mint", &format!("request sign GET {URL}"), &format!("url sign {URL}")]
        {
            let done = checkout.run(&format!("{line} --key {key}"));
            assert!(reported.iter().all(|words| done.err.contains(words)), "{line}: {}", done.err);
            done.succeeded();
        }
    }
}
