//! `key list`, `key revoke` and `key import` where there is no gate to ask, or nothing to ask it. What they do with one is
//! shown by `tests/e2e/admin_command.rs`.

use serde_json::json;
use testkit::upstream::{Reply, Upstream};

use crate::checkout::{Checkout, Done, rows};
use crate::truth::claims;

const ADMIN: &str =
    "[[vars.KEYS]]\nid = \"pk_site\"\n[[vars.KEYS]]\nid = \"pk_admin\"\nadmin = true\n";

#[test]
fn wrong_arguments_are_usage_errors() {
    Checkout::keyed(ADMIN).refuses(
        2,
        "
        key list --gate gate.example.com
        key list --as pk_admin
        key list --gate http://gate.example.com
        key list --gate https://gate.example.com/_gate
        key list --gate https://a@gate.example.com
        key list --gate https://gate.example.com --as 'a b'
        key revoke --gate https://gate.example.com
        key revoke --gate https://gate.example.com 'a b'
        key import --gate https://gate.example.com
        key import keys.json
        ",
    );
}

#[test]
fn the_admin_is_the_one_key_that_is_one() {
    let upstream = Upstream::start();
    let gate = upstream.url();
    let several = ADMIN.replace("id = \"pk_site\"", "id = \"pk_site\"\nadmin = true");
    for (wrangler, words) in [
        ("", "no key with admin = true … --as"),
        ("[[vars.KEYS]]\nid = \"pk_site\"\n", "no key with admin = true … key new --admin"),
        (&several, "several keys … --as"),
    ] {
        Checkout::keyed(wrangler).refuses(2, &format!("key list --gate {gate} → {words}"));
    }
    let row = format!("key list --gate {gate} → SIGNING_SECRET … .dev.vars");
    Checkout::new(ADMIN).refuses(1, &row);
    upstream.assert_untouched();
}

#[test]
fn nothing_is_sent_where_a_record_is_wrong() {
    let checkout = Checkout::keyed(ADMIN);
    let upstream = Upstream::start();
    let gate = upstream.url();
    for (text, words) in rows(
        r#"
        [{"id":"pk_a"},{"id":"pk_b","path":["/x"]}]   → record 2.path … unknown field
        {"id":"pk_a"}⏎{"id":"pk_b","paths":[]}⏎       → record 2.paths
        {"id":"pk_a"}⏎{"id":"pk_b","admin":true}⏎     → record 2.admin … configuration
        {"id":"pk_a"}⏎{"id":"pk_a"}⏎                  → record 2.id … record 1
        {"id":"pk_a"}⏎⏎{"id":                         → record 2 (line 3) … JSON
        [{"id":"pk_a"}                                → JSON array
        ⏎                                             → no record
        "#,
    ) {
        let text = text.replace('⏎', "\n");
        let file = checkout.file("keys", &text);
        checkout.run(&format!("key import --gate {gate} {file}")).failed(2, &words);
        // The same from standard input.
        let mut command = checkout.command(&format!("key import --gate {gate} -"));
        Done::fed(&mut command, &text).refused(2, &[]);
    }
    let missing = "FILE: reading the file: No such file";
    checkout.refuses(2, &format!("key import --gate {gate} no-such-file → {missing}"));
    upstream.assert_untouched();
}

#[test]
fn an_answer_of_something_else_is_one_line() {
    let checkout = Checkout::keyed(ADMIN);
    let elsewhere = Upstream::start();
    for answer in [
        Reply::ok("hi"),
        Reply::new(502).body("<html>"),
        // A client that follows it would send the session there.
        Reply::new(302).header("Location", &elsewhere.url()),
    ] {
        let gate = Upstream::queue(vec![answer]);
        let list = format!("key list --gate {} → is not from a gate … --gate", gate.url());
        checkout.refuses(1, &list);
        let asked = gate.only();
        assert_eq!((asked.method.as_str(), asked.target.as_str()), ("GET", "/_gate/keys"));
    }
    elsewhere.assert_untouched();
    // Another API's yes is not a revoked key.
    for line in ["key revoke pk_site", "key disable pk_site", "key new", "purge --route '/*'"] {
        let api = Upstream::queue(vec![Reply::ok("{\"ok\":true}")]);
        let row = format!("{line} --gate {} → 200 is not from a gate … --gate", api.url());
        checkout.refuses(1, &row);
    }

    let gate = "http://127.0.0.1:1";
    let file = checkout.file("keys", r#"{"id":"pk_a"}"#);
    checkout.refuses(
        1,
        &format!(
            "
            key list --gate {gate} → {gate}
            key revoke --gate {gate} pk_site → {gate}
            key import --gate {gate} {file} → record 1 not imported … nothing was imported
            "
        ),
    );
}

#[test]
fn the_session_is_good_for_its_one_request_only() {
    let checkout = Checkout::keyed(ADMIN);
    let gate = Upstream::queue(vec![Reply::ok("{\"keys\":[],\"cursor\":null}")]);
    assert_eq!(checkout.prints(&format!("key list --gate {}", gate.url())), "");
    let claims = claims(&gate.only().header("authorization").unwrap());
    assert_eq!(claims["paths"], json!(["/_gate/keys"]));
    assert_eq!(claims["methods"], json!(["GET"]));
    assert_eq!(claims["aud"], gate.url().as_str());
    let lasts = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert!(lasts <= 30, "{claims}");
}

#[test]
fn a_list_outlives_answers_that_fail_for_a_while() {
    let checkout = Checkout::keyed(ADMIN);
    let page = |id: &str, cursor: &str| {
        Reply::ok(
            &json!({"keys": [{"id": id, "rows": [{"day": id}]}], "cursor": cursor}).to_string(),
        )
    };
    let last = || Reply::ok("{\"keys\":[{\"id\":\"c\",\"rows\":[]}],\"cursor\":null}");
    let fault = || Reply::new(503).body("{\"code\":\"feature-unavailable\",\"detail\":\"No.\"}");
    for (line, lines) in [("key list", 3), ("usage", 2), ("usage --csv", 3)] {
        let cut = Reply::new(200).cut_short(100, b"{\"keys\":[");
        let limited = Reply::new(429).body("error code: 1015");
        let gate = Upstream::queue(vec![
            page("a", "1"),
            fault(),
            limited,
            page("b", "2"),
            Reply::hang_up(),
            cut,
            last(),
        ]);
        let shown = checkout.prints(&format!("{line} --gate {}", gate.url()));
        assert_eq!(shown.lines().count(), lines, "{shown}");
        let asked: Vec<String> = gate.seen().iter().map(|seen| seen.target.clone()).collect();
        let cursors: Vec<_> = asked.iter().map(|target| target.split_once("cursor=")).collect();
        let cursors: Vec<_> = cursors.iter().map(|cut| cut.map(|(_, cursor)| cursor)).collect();
        assert_eq!(
            cursors,
            [None, Some("1"), Some("1"), Some("1"), Some("2"), Some("2"), Some("2")]
        );
    }
    // What does not pass, and what is there from the start, is said at once.
    for (replies, words) in [
        (vec![fault()], "503 feature-unavailable"),
        (vec![Reply::new(429)], "429 … too many requests like this: wait"),
        (
            vec![page("a", "1"), Reply::new(401).body("{\"code\":\"key-revoked\"}")],
            "401 key-revoked",
        ),
        (vec![page("a", "1"), Reply::new(200)], "200 is not from a gate"),
    ] {
        let (count, gate) = (replies.len(), Upstream::queue(replies));
        let done = checkout.run(&format!("key list --gate {}", gate.url()));
        done.ended(1, &words.split(" … ").collect::<Vec<_>>());
        assert_eq!(gate.seen().len(), count, "{words}");
    }
}

/// Keys were made, and their secrets are on no screen.
#[test]
fn an_import_whose_reader_is_gone_says_how_far_it_came() {
    let checkout = Checkout::keyed(ADMIN);
    let file = checkout.file("keys", "{\"id\":\"pk_a\"}\n{\"id\":\"pk_b\"}\n");
    let gate = Upstream::queue(vec![
        Reply::new(201).body("{\"keys\":[{\"id\":\"pk_a\"},{\"id\":\"pk_b\"}]}"),
    ]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut import = checkout.command(&format!("key import --gate {} {file}", gate.url()));
    let done = Done::of(import.stdout(writer));
    done.failed(1, &["2 keys imported", "could not be printed", "key show ID --unknown-key"]);
}

/// Whatever was sent may have been done, and whatever was not was not.
#[test]
fn a_change_whose_answer_is_lost_may_have_been_made() {
    let checkout = Checkout::keyed(ADMIN);
    let file = checkout.file("keys", "{\"id\":\"pk_a\"}");
    let changes = [
        "key new", "key update pk_a --name b", "key disable pk_a", "key revoke pk_a",
        "purge --route '/*'",
    ];
    for answer in [
        Reply::hang_up,
        || Reply::new(200).cut_short(100, b"{\"id\":"),
        || Reply::new(502).body("<html>"),
        || Reply::new(524),
    ] {
        let run = |line: &str| {
            let gate = Upstream::queue(vec![answer()]);
            checkout.run(&format!("{line} --gate {}", gate.url()))
        };
        for line in changes {
            run(line).failed(1, &["may have been done all the same: look before"]);
        }
        run(&format!("key import {file}")).failed(1, &["record 1 may have been imported or not"]);
        let list = run("key list");
        assert!(!list.err.contains("may have been"), "{}", list.err);
    }
    for line in changes {
        let done = checkout.run(&format!("{line} --gate http://127.0.0.1:1"));
        assert!(done.code == Some(1) && !done.err.contains("may have been"), "{}", done.err);
    }
}

#[test]
fn a_key_that_is_named_twice_is_counted_once() {
    let checkout = Checkout::keyed(ADMIN);
    let rows = || Reply::ok("{\"rows\":[{\"requests\":3}]}");
    let gate = Upstream::queue(vec![rows(), rows(), rows()]);
    let line = format!("usage --csv --key a,b --key=a --gate {}", gate.url());
    let csv = checkout.prints(&line);
    assert_eq!(csv.lines().skip(1).collect::<Vec<_>>(), ["a,,,,3,,,,", "b,,,,3,,,,"]);
    assert_eq!(gate.seen().len(), 2);
}
