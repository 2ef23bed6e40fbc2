//! A real curl sends what the command signs, through a shell, as a person would: the gate takes it.

use std::process::Command;

use serde_json::{Value, json};
use testkit::check::Check;
use testkit::gate::KEY;
use testkit::program::{found, run};
use testkit::token::fresh;

/// Returns the command with the secrets of a running gate.
fn writegate(table: &Check, waf_secret: &str, arguments: &[&str]) -> String {
    let mut command = crate::writegate();
    command
        .args(arguments)
        .env("SIGNING_SECRET", &table.gate.signing_secret)
        .env("WAF_SECRET", waf_secret);
    run(&mut command, "")
}

/// Returns the status of a request with these arguments of curl, as a shell takes them apart.
fn curl(arguments: &str) -> String {
    let line = format!("curl -s -o /dev/null -w '%{{http_code}}' --noproxy '*' {arguments}");
    run(Command::new("sh").args(["-c", &line]), "")
}

/// Returns a gate, where there is a curl to call it.
fn start(waf_secret: &str) -> Option<Check> {
    let check = || {
        Check::of(|setup| {
            setup
                .env("WAF_SECRET", waf_secret)
                .replay()
                .route("/*", json!({}))
                .route("/waf/*", json!({"waf_key": KEY}))
                .site(json!({"schemes": ["session", "signature", "url", "waf-url"]}))
                .key(json!({"id": "pk_nonce", "schemes": ["signature"], "nonce": "required"}))
        })
    };
    found(&["curl"], "what the command signs").then(check)
}

#[test]
fn a_signed_request_passes_with_its_body_and_with_no_other() {
    let secret = fresh();
    let Some(table) = start(&secret) else {
        return;
    };
    let url = format!("http://127.0.0.1:{}/posts?draft=1", table.gate.port);
    let body = r#"{"it's":"\"quoted\""}"#;
    let sign = [
        "request", "sign", "--key", KEY, "-H", "Content-Type: text/x", "--body", body, "POST", &url,
    ];
    let headers = writegate(&table, &secret, &sign);
    let with = |body: &str, kind: &str| {
        let quoted = body.replace('\'', r"'\''");
        curl(&format!("{headers} -H 'Content-Type: {kind}' --data-raw '{quoted}' '{url}'"))
    };
    assert_eq!(with(body, "text/x"), "200");
    assert_eq!(table.upstream.only().body, body.as_bytes());
    assert_eq!(with("{}", "text/x"), "401");
    assert_eq!(with(body, "text/y"), "401");
}

#[test]
fn a_nonce_is_fresh_for_each_request() {
    let secret = fresh();
    let Some(table) = start(&secret) else {
        return;
    };
    let url = format!("http://127.0.0.1:{}/posts", table.gate.port);
    let sign = ["request", "sign", "--key", "pk_nonce", "--nonce", "GET", &url];
    let signed = || format!("{} '{url}'", writegate(&table, &secret, &sign));
    let first = signed();
    assert_eq!([curl(&first), curl(&first), curl(&signed())], ["200", "401", "200"]);
}

#[test]
fn a_bound_session_signs_with_its_own_key() {
    let secret = fresh();
    let Some(table) = start(&secret) else {
        return;
    };
    let url = format!("http://127.0.0.1:{}/posts", table.gate.port);
    let mint = ["session", "mint", "--key", KEY, "--bind", "--unknown-key"];
    let minted: Value = serde_json::from_str(&writegate(&table, &secret, &mint)).unwrap();
    let token = minted["token"].as_str().unwrap();
    let sign = ["request", "sign", "--session", token, "DELETE", &url];
    let headers = writegate(&table, &secret, &sign);
    assert_eq!(curl(&format!("-X DELETE {headers} '{url}'")), "200");
    let alone = format!("-X DELETE -H 'Authorization: Bearer {token}' '{url}'");
    assert_eq!(curl(&alone), "401");
}

#[test]
fn links_work_by_themselves() {
    let secret = fresh();
    let Some(table) = start(&secret) else {
        return;
    };
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", table.gate.port);
    let sign = |more: &[&str], path: &str| {
        let url = url(path);
        let arguments = [&["url", "sign", "--key", KEY], more, &[&url]].concat();
        writegate(&table, &secret, &arguments)
    };
    for link in [
        sign(&["--ttl", "60"], "/img/1.png"),
        sign(&[], "/img/1.png?w=100"),
        sign(&["--waf"], "/img/1.png?w=100"),
        sign(&["--waf", "--unnamed"], "/waf/1.png"),
    ] {
        assert_eq!(curl(&format!("'{link}'")), "200", "{link}");
        assert_eq!(curl(&format!("'{link}A'")), "400", "{link}");
        assert_eq!(curl(&format!("'{}'", link.replace("1.png", "2.png"))), "401", "{link}");
    }
    let targets: Vec<String> = table.upstream.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/img/1.png", "/img/1.png?w=100", "/img/1.png?w=100", "/1.png"]);
}
