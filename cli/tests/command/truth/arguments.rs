//! Arguments in the forms that people try: positions, lists and durations.

use serde_json::{Value, json};

use super::{KEYS, URL, claims};
use crate::checkout::{Checkout, Done, random_secret, rows, writegate};

#[test]
fn a_value_in_the_wrong_form_names_the_right_one() {
    let (secret, long) = (random_secret(), "x".repeat(201));
    for (line, words) in rows(&format!(
        "
        session mint pk_site          → did you mean --key <ID>?
        url sign {URL} pk_site        → did you mean --key <ID>?
        request sign GET {URL} pk_site → did you mean --key <ID>?
        key new pk_site               → did you mean --id <ID>
        usage --gate=http://127.0.0.1:1 pk_site   → --key <ID>
        console --gate=http://127.0.0.1:1 pk_site → did you mean --as <ID>?
        purge --gate=http://127.0.0.1:1 {URL}     → did you mean --url <URL>?
        purge --gate=http://127.0.0.1:1 /posts    → did you mean --route <PATH>?
        token age https://gate.example → did you mean --gate <URL>?
        key new https://a.example     → did you mean --origin <ORIGIN>
        key new GET                   → did you mean --method <METHOD>?
        key new /posts                → did you mean --path <PATH>?
        check rotation                → did you mean --only <CHECK>?
        session mint --key pk_site --exp 1 → --exp is not an option here (see
        token rotate --gate=http://127.0.0.1:1 --old 5 → --old <ID>: expected an id of Cloudflare's: 32
        token rotate --gate=http://127.0.0.1:1 --patience 0 → --patience <SECONDS>: expected 1 to 3600 seconds
        key show pk_site --version 0  → --version <N>: expected a number from 1 to 4294967295
        key show pk_site --version a  → --version <N>: expected a whole number
        key new --name {long}         → --name <TEXT>: expected some words on one line, of at most 200
        key update pk_site --name ''  → --name
        init my-gate --key-name {long} → --key-name <TEXT>: expected some words
        key new --quota 5             → --quota <FIELDS>: expected FIELD=VALUE … docs/configuration.md
        purge --gate=http://127.0.0.1:1 --route x → --route <PATH>: expected the path of a route
        explain -- /posts             → expected a whole one, such as https://
        explain {URL} --json          → --json: curl expects a value … options go before the request
        explain {URL} --gate=x        → curl has no such option … options go before the request
        explain -- = New-Object x     → a command of PowerShell
        key list {secret}             → an argument too many (
        init my-gate {secret}         → an argument too many; a secret goes through standard input (
        key show pk_site pk_site      → an argument too many (
        token put {secret}            → an argument too many; a secret goes through standard input (
        route add '/cms/*'            → --path <PATH>
        session mint --key pk_site GET → did you mean --method <METHOD>?
        session mint --key pk_site /posts → did you mean --path <PATH>?
        key show --key pk_site        → --key is not an option here; <ID> without an option is
        key show --id pk_site         → <ID> without an option is
        key update --key pk_site      → <ID> without an option is
        key disable --key pk_site     → <ID> without an option is
        key revoke --gate=http://127.0.0.1:1 --id pk_site → <ID> without an option is
        session mint --id pk_site     → --id is not an option here; --key <ID> is
        key new --key pk_site         → --id <ID>
        url sign --key pk_site --url {URL} → --url is not an option here; <URL> without
        request sign --key pk_site --method GET → <METHOD> without an option is
        session mint --methd GET      → --methd is not an option here; --method is
        "
    )) {
        let done = Done::of(&mut writegate(line));
        done.failed(2, &words);
        assert!(
            ![secret.as_str(), "pk_site"].iter().any(|word| done.err.contains(word)),
            "{}",
            done.err
        );
    }
}

#[test]
fn lists_may_have_commas_and_paths_may_not() {
    let checkout = Checkout::keyed(KEYS);
    for (list, field, expected) in [
        ("--method=GET,POST", "methods", json!(["GET", "POST"])),
        ("'--method=GET, POST'", "methods", json!(["GET", "POST"])),
        ("--methods=GET,POST", "methods", json!(["GET", "POST"])),
        (
            "--origin 'https://a.io, https://b.io'",
            "allowed_origins",
            json!(["https://a.io", "https://b.io"]),
        ),
        ("--ip '10.0.0.0/8, 192.0.2.1'", "allowed_ips", json!(["10.0.0.0/8", "192.0.2.1"])),
        ("'--schemes=session, url'", "schemes", json!(["session", "url"])),
        // Without a / behind it, a comma is part of a path.
        ("--path=/a,b", "paths", json!(["/a,b"])),
    ] {
        assert_eq!(checkout.json(&format!("key new --json {list}"))[field], expected, "{list}");
    }
    let session = checkout.prints("session mint --key pk_site --method 'GET, POST'");
    assert_eq!(claims(&session)["methods"], json!(["GET", "POST"]));
    let only = checkout.run("check --json --only preview-urls,schedule");
    assert_eq!(only.out.lines().count(), 2, "{}", only.out);
    checkout.refuses(
        2,
        "
        key update pk_site --write → --write is not an option
        key new --path /a,/b → --path … each path has a --path of its own
        key update pk_site --path /a,/b → --path … each path has a --path of its own
        session mint --key pk_site --path /a,/b → --path … each path has a --path of its own
        init --local --upstream=https://c.example --method=GET --force --path /a,/b → each path has a --path of its own
        ",
    );
    checkout.run("key update pk_site --method=GET,PUT --ip=192.0.2.1").succeeded();
    checkout.run("key update pk_site --clear=methods,allowed_ips").succeeded();
    assert!(!checkout.text("wrangler.toml").contains("methods"));
}

#[test]
fn durations_may_have_units() {
    let checkout = Checkout::keyed(KEYS);
    let mint = "session mint --key pk_site --ttl";
    for (ttl, seconds) in [("5m", 300), ("1h", 3_600), ("90", 90), ("30s", 30), ("30m15s", 1_815)] {
        let claims = claims(&checkout.prints(&format!("{mint} {ttl}")));
        let lasts = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
        assert_eq!(lasts, seconds, "{ttl}");
    }
    for wrong in ["'5 m'", "5x", "-5", "-5m", "0", "0m", "2h", "999999h", "5M", "1h30m"] {
        checkout.refuses(2, &format!("{mint}={wrong}"));
    }
    checkout.refuses(2, &format!("{mint} -5 → a number below 0"));
    checkout.refuses(2, &format!("{mint} -1.5 → a number below 0"));
    let new =
        "key new --json --mint=ttl=5m,bind=true --method=POST --path=/x --origin=https://a.io";
    let record: Value = checkout.json(new);
    assert_eq!(record["mint"], json!({"ttl": 300, "bind": true}));
}

/// A hint that begins with `writegate` fails for a person who runs the command by npx or by cargo.
#[test]
fn a_command_in_a_hint_is_as_its_reader_types_it() {
    let mut folders = vec![crate::checkout::root().join("cli/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let text = std::fs::read_to_string(&entry).unwrap_or_default();
            let messages = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let literal = messages
                .into_iter()
                .find(|line| line.contains("`writegate ") || line.contains("Next: writegate"));
            assert_eq!(literal, None, "{}: use invocation::hint", entry.display());
        }
    }
    let checkout = Checkout::keyed(KEYS);
    for (command, prefix) in [("npx writegate", "npx writegate"), ("other", "writegate")] {
        let mut new = checkout.command("key new --method POST");
        let done = Done::of(new.env("WRITEGATE_COMMAND", command).env_remove("CARGO"));
        assert!(done.err.contains(&format!("; `{prefix} key show pk_")), "{}", done.err);
    }
    let refused =
        "usage --gate http://127.0.0.1:1 --as pk_site → Connection refused … check --gate";
    checkout.refuses(1, refused);
    checkout.refuses(2, "key update pk_sites --name a → the nearest id is pk_site … --gate URL");
}
