//! `key new`, `update`, `disable`, `enable` and `list` in the configuration. What they do at a gate is shown by
//! `cli/tests/e2e/admin_command.rs`.

use serde_json::{Value, json};
use writegate::Key;

use crate::checkout::Checkout;

const CONFIGURATION: &str = "# Mine\nname = \"gate\"\n\n[[ratelimits]]\nname = \"RATE_STANDARD\"\n\n\
    [[ratelimits]]\nname = \"RATE_MINT\"\n\n[[durable_objects.bindings]]\nname = \"REPLAY\"\n\n\
    [[durable_objects.bindings]]\nname = \"LEDGER\"\n\n[vars]\nUPSTREAM = \"https://a.example\" # the API\n\n\
    [[vars.KEYS]]\nid = \"pk_a\" # the first\nmethods = [\"POST\"]\n\n[triggers]\ncrons = []\n";

fn text(checkout: &Checkout) -> String {
    std::fs::read_to_string(checkout.0.join("wrangler.toml")).unwrap()
}

fn listed(checkout: &Checkout) -> Vec<Value> {
    let printed = checkout.run(&["key", "list"]).succeeded();
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every field of a record, and an argument for it.
const ALL: [&str; 28] = [
    "--name",
    "A \"quoted\" name",
    "--version",
    "2",
    "--expires",
    "2999-06-30",
    "--scheme",
    "session,signature",
    "--method",
    "POST",
    "--path",
    "/posts/*",
    "--origin",
    "https://www.example.com",
    "--ip",
    "203.0.113.0/24",
    "--match",
    "any",
    "--rate",
    "standard",
    "--quota",
    "requests=1000,bytes=5000000,per=month",
    "--nonce",
    "required",
    "--url-ttl",
    "600",
    "--mint",
    "ttl=60,bind=true",
];

fn whole(id: &str) -> Value {
    json!({
        "id": id, "name": "A \"quoted\" name", "version": 2, "expires": "2999-06-30",
        "schemes": ["session", "signature"], "methods": ["POST"], "paths": ["/posts/*"],
        "allowed_origins": ["https://www.example.com"], "allowed_ips": ["203.0.113.0/24"], "match": "any",
        "rate": "standard", "quota": {"requests": 1000, "bytes": 5_000_000, "per": "month"},
        "nonce": "required", "url_ttl": 600, "mint": {"ttl": 60, "bind": true},
    })
}

#[test]
fn a_new_key_has_every_field_of_a_record() {
    let checkout = Checkout::new(CONFIGURATION);
    let new = [["key", "new", "--id", "pk_b"].as_slice(), &ALL].concat();
    let printed = checkout.run(&new).succeeded();
    let printed: Value = toml::from_str(&printed).unwrap();
    assert_eq!(printed["vars"]["KEYS"], json!([whole("pk_b")]));
    assert_eq!(text(&checkout), CONFIGURATION);

    let written = checkout.run(&[new.as_slice(), &["--write"]].concat()).succeeded();
    assert_eq!(written, "pk_b\n");
    assert_eq!(listed(&checkout), [json!({"id": "pk_a", "methods": ["POST"]}), whole("pk_b")]);
    let rest = text(&checkout);
    assert!(rest.starts_with(CONFIGURATION.split("\n[triggers]").next().unwrap()), "{rest}");
    assert!(rest.ends_with("\n[triggers]\ncrons = []\n"), "{rest}");
    checkout.run(&[new.as_slice(), &["--write"]].concat()).failed(2, &["--id", "key update"]);

    let made = checkout.run(&["key", "new", "--write", "--method", "GET"]).succeeded();
    assert!(made.starts_with("pk_") && made.trim().len() == 25, "{made}");
    assert_eq!(listed(&checkout)[2], json!({"id": made.trim(), "methods": ["GET"]}));
}

#[test]
fn what_the_gate_would_refuse_is_not_written() {
    let checkout = Checkout::new(CONFIGURATION);
    for (arguments, words) in [
        (["new", "--write", "--quota", "requests"].as_slice(), ["--quota", "NAME=VALUE"]),
        (&["new", "--write", "--quota", "requests=x,per=day"], ["quota.requests", ""]),
        (&["new", "--write", "--mint", "ttl=60"], ["mint", "allowed_origins"]),
        (
            &["new", "--write", "--admin", "--scheme", "url"],
            ["--scheme (schemes): an admin key", ""],
        ),
        (&["update", "pk_a", "--method", "post"], ["--method (methods): expected", ""]),
        (&["update", "pk_a", "--clear", "id"], ["keeps its id", ""]),
        (&["update", "pk_a", "--clear", "path"], ["--clear", "expected one of name, version"]),
        (
            &["update", "pk_a", "--clear", "methods", "--method", "GET"],
            ["--clear: methods is given, too", ""],
        ),
        (&["update", "pk_a", "--version", "0"], ["--version", "from 1"]),
        (&["update", "pk_a", "--rate", "gold"], ["rate: there is no binding RATE_GOLD", "503"]),
        (&["update", "pk_a"], ["nothing is to be changed", "--clear"]),
        (&["update", "pk_a", "--env", "nope", "--method", "GET"], ["--env", "no [env.…]"]),
        (&["new", "--write", "--rate", "gold"], ["rate: there is no binding RATE_GOLD", "nothing"]),
        (&["new", "--write", "--expires", "2020-01-01"], ["--expires", "over already"]),
        (&["new", "--write", "--expires", "tomorrow"], ["--expires: expected", "RFC 3339"]),
        (&["new", "--write", "--quota", "requests=1,requests=2,per=day"], ["--quota", "twice"]),
        (
            &["new", "--write", "--quota", "requests=1,per=year"],
            ["--quota (quota.per): expected", "\"day\""],
        ),
        (&["new", "--write", "--url-ttl", "x"], ["--url-ttl", "expected a number of seconds"]),
        (&["new", "--write", "--version", "x"], ["--version", "expected a whole number"]),
        (
            &["new", "--write", "--methods", "GET,FETCH"],
            ["--method (methods): expected some of", ""],
        ),
        (&["new", "--write", "--allowed-ips", "1.2.3.4/33"], ["--ip (allowed_ips): expected", ""]),
        (&["new", "--id", "pk_a"], ["--id: there is such a key already", ""]),
        (&["update", "pk_none", "--method", "GET"], ["no such key", "--gate"]),
        (&["disable", "pk_none"], ["no such key", "--gate"]),
        (&["new", "--admin", "--gate", "https://gate.example.com"], ["--gate", ""]),
    ] {
        checkout.run(&[&["key"], arguments].concat()).failed(2, &words);
        assert_eq!(text(&checkout), CONFIGURATION, "{arguments:?}");
    }
}

#[test]
fn a_key_is_changed_disabled_and_enabled_in_its_place() {
    let checkout = Checkout::new(CONFIGURATION);
    checkout.run(&["key", "disable", "pk_a"]).succeeded();
    let key = Key::parse("KEYS[0]", listed(&checkout).remove(0)).unwrap();
    assert!(key.revoked);
    checkout.run(&["key", "enable", "pk_a"]).succeeded();
    assert_eq!(text(&checkout), CONFIGURATION);

    checkout.run(&["key", "update", "pk_a", "--path", "/x", "--clear", "methods"]).succeeded();
    assert_eq!(listed(&checkout), [json!({"id": "pk_a", "paths": ["/x"]})]);
    assert!(text(&checkout).contains("id = \"pk_a\" # the first\n"), "{}", text(&checkout));
    // A lower version would make the former secret good again.
    checkout.run(&["key", "update", "pk_a", "--version", "3"]).succeeded();
    let before = text(&checkout);
    for arguments in [["--version", "2"], ["--clear", "version"]] {
        let update = [&["key", "update", "pk_a"], &arguments[..]].concat();
        checkout.run(&update).failed(2, &["--version", "version 3"]);
    }
    let again = checkout.run(&["key", "update", "pk_a", "--version", "3"]);
    assert!(again.code == Some(0) && again.err.contains("is like that already"), "{}", again.err);
    assert_eq!(text(&checkout), before);
}

#[test]
fn keys_that_are_no_list_are_not_listed_as_none() {
    for keys in ["KEYS = {}", "KEYS = [1]", "KEYS = \"[{\""] {
        let checkout = Checkout::new(&format!("[vars]\n{keys}\n"));
        checkout.run(&["key", "list"]).failed(1, &["KEYS is no list of keys"]);
    }
}

#[test]
fn an_environment_s_keys_are_its_own() {
    let checkout = Checkout::new(&format!(
        "{CONFIGURATION}\n[env.staging.vars]\nUPSTREAM = \"https://b.example\"\n"
    ));
    checkout.run(&["key", "new", "--write", "--env", "staging", "--id", "pk_s"]).succeeded();
    assert_eq!(listed(&checkout).len(), 1);
    let staging = checkout.run(&["key", "list", "--env", "staging"]).succeeded();
    assert_eq!(staging, "{\"id\":\"pk_s\"}\n");
}

/// The gate takes the route that `route add` writes: the configuration's check says so.
#[test]
fn a_route_of_its_own_token_is_added() {
    let routes = "[vars]\n[[vars.KEYS]]\nid = \"pk_a\"\n\n[[vars.ROUTES]]\npath = \"/a/*\"\nupstream = \"https://a.example.org\"\n\n[triggers]\ncrons = []\n";
    let checkout = Checkout::new(routes);
    let add = [
        "route", "add", "--path", "/cms/*", "--upstream", "https://api.example.org/v1", "--secret",
        "CMS_TOKEN",
    ];
    let more = ["--auth", "header:X-AUTH-TOKEN", "--probe", "/me"];
    let block = checkout.run(&[add.as_slice(), &more, &["--print"]].concat()).succeeded();
    let expected = json!({
        "path": "/cms/*", "upstream": "https://api.example.org/v1", "probe": "/me",
        "upstream_auth": {"scheme": "header", "name": "X-AUTH-TOKEN", "secret": "CMS_TOKEN"},
    });
    let printed: Value = toml::from_str(&block).unwrap();
    assert_eq!(printed["vars"]["ROUTES"], json!([expected]));
    assert_eq!(text(&checkout), routes);
    checkout.run(&[add.as_slice(), &more].concat()).succeeded();
    let whole: Value = toml::from_str(&text(&checkout)).unwrap();
    assert_eq!(whole["vars"]["ROUTES"][1], expected);
    let row = checkout.run(&["check", "--json", "--only", "configuration"]);
    assert!(row.out.contains("2 route(s)"), "{}{}", row.out, row.err);

    let before = text(&checkout);
    let with = |flag: &str, value: &'static str| {
        let mut arguments = add.to_vec();
        let at = arguments.iter().position(|argument| *argument == flag).unwrap();
        arguments[at + 1] = value;
        arguments
    };
    checkout.run(&add).failed(2, &["--path", "already"]);
    checkout.run(&with("--path", "/cms")).failed(2, &["--path", "/cms/*"]);
    checkout.run(&with("--upstream", "http://a.example")).failed(2, &["--upstream", "https"]);
    checkout.run(&with("--secret", "cms")).failed(2, &["--secret", "CMS_TOKEN"]);
    checkout
        .run(&[add.as_slice(), &["--auth", "jwt"]].concat())
        .failed(2, &["--auth", "header:NAME"]);
    assert_eq!(text(&checkout), before);
    Checkout::new(CONFIGURATION).run(&add).failed(2, &["UPSTREAM", "[[vars.ROUTES]]"]);
}

#[test]
fn a_file_of_windows_keeps_its_mark_and_its_line_ends() {
    let text = "\u{feff}name = \"gate\"\r\n# mine\r\n[vars]\r\nA = \"\"\"\r\nb\"\"\"\r\n[[vars.KEYS]]\r\nid = \"pk_a\" # c\r\n";
    let route = ["route", "add", "--path=/c/*", "--upstream=https://c.example", "--secret=C"];
    for arguments in [
        &["key", "new", "--id", "pk_b", "--write"][..],
        &["key", "update", "pk_a", "--name", "x"],
        &["key", "disable", "pk_a"],
        &["migrate", "--write"],
        &route,
    ] {
        let checkout = Checkout::new(text);
        checkout.run(arguments).succeeded();
        let new = checkout.text("wrangler.toml");
        let kept = text.trim_end();
        assert!(new.starts_with(kept) && new.len() > text.len(), "{arguments:?}: {new:?}");
        assert_eq!(new.matches('\n').count(), new.matches("\r\n").count(), "{new:?}");
    }
}
