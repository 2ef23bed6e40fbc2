//! A rotation from its first step to its last, and what it finds to do when it is run again.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{io, thread};

use serde_json::{Value, json};
use testkit::token::{date, fingerprint, now};

use crate::cloudflare::MANAGER;
use crate::rotate_front::Rollout;
use crate::rotate_stage::{Kind, Stage, VERIFY, deployed};

#[test]
fn a_token_made_by_hand_is_replaced_by_one_that_may_do_the_same() {
    let stage = Stage::new();
    stage.hard();
    let before = stage.tokens().shown(&stage.old.1);
    let done = stage.first();
    done.is(0, &["done", "WRITE_TOKEN"]);
    assert_eq!(done.steps(), [1, 2, 3, 4, 5, 6, 7, 8], "{}", done.err);
    assert_eq!(done.out, "");
    stage.assert_rotated();
    // Twice nine and a wrong one, then ten; ten before and ten at the end.
    assert!(done.called("GET gate:/_gate/status") >= 10 + 21 + 10, "{:#?}", done.calls);

    let secret = deployed(&stage);
    let token = secret["token"].as_str().unwrap();
    let after = stage.tokens().shown(token);
    assert_eq!(after["condition"], before["condition"]);
    let (old, new) = (&before["policies"][0], &after["policies"][0]);
    for member in ["effect", "resources"] {
        assert_eq!(old[member], new[member]);
    }
    for member in ["id", "meta"] {
        assert_eq!(old["permission_groups"][0][member], new["permission_groups"][0][member]);
    }
    // 80 days old, 30 days left: the new one lives for 110.
    let end = after["expires_on"].as_str().unwrap();
    let days = [110, 111].map(|days| date(now() + days * 86_400));
    assert!(days.iter().any(|day| end.starts_with(day.as_str())), "{end}");
    assert!(secret["expires_at"].as_str().unwrap().starts_with(&end[..19]), "{secret}");
    assert!(
        [date(now()), date(now() - 86_400)]
            .contains(&secret["issued_at"].as_str().unwrap().to_owned())
    );

    let again = stage.first();
    again.is(0, &["2/8", "nothing to do"]);
    // What is well was seen to work.
    assert_eq!(again.called("GET gate:/cms/me"), 1);
    stage.assert_rotated();
    // Somebody else's token is not revoked for the asking.
    let (other, _) = stage.tokens().by_hand(false, "another", 3);
    stage.rotate(&["--old", &other]).is(2, &["--old", "another's"]);
    assert!(stage.tokens().has(&other));
    let now = stage.rotate(&["--now", "--lease", "0"]);
    now.is(0, &["done"]);
    stage.assert_rotated();
    assert_ne!(deployed(&stage)["token"], secret["token"]);
}

#[test]
fn json_says_what_was_done_and_nothing_else() {
    let stage = Stage::new();
    let print = |token: &str| fingerprint(&stage.signing_secret, token);
    let before = print(&stage.old.1);

    let done = stage.rotate(&["--json", "--old", &stage.old.0]);
    done.is(0, &["done"]);
    assert_eq!(done.steps(), [1, 2, 3, 4, 5, 6, 7, 8], "{}", done.err);
    let now = print(deployed(&stage)["token"].as_str().unwrap());
    let mut first = done.json();
    let id = first["made"]["id"].take();
    assert!(id.as_str().is_some_and(|id| id.len() == 32), "{id}");
    let expected = json!({
        "configuration": "wrangler.toml", "environment": null, "gate": stage.gate(), "secret": "WRITE_TOKEN",
        "outcome": "rotated", "error": null, "before": before, "now": now,
        "made": {"fingerprint": now, "id": null},
        "put": {"way": "secret", "store": null, "version": null, "done": true,
                "previous_versions": first["put"]["previous_versions"]},
        "revoked": [stage.old.0], "revoked_by_hook": false, "warnings": [], "left": [],
    });
    assert_eq!(first, expected);
    assert_eq!(first["put"]["previous_versions"].as_array().map(Vec::len), Some(1), "{first}");

    let done = stage.rotate(&["--json"]);
    done.is(0, &["nothing to do"]);
    let again = done.json();
    assert_eq!(
        (&again["outcome"], &again["before"], &again["now"], &again["made"], &again["put"]),
        (&json!("unchanged"), &json!(now), &json!(now), &Value::Null, &Value::Null)
    );

    // A version that waits goes out: its id, and a warning.
    stage.leaves_waiting();
    let done = stage.rotate(&["--json", "--now", "--lease", "0"]);
    done.is(0, &["done"]);
    let third = done.json();
    assert_eq!((&third["put"]["way"], &third["revoked"]), (&json!("versions"), &json!([id])));
    assert_eq!(third["put"]["version"].as_str().map(str::len), Some(36), "{third}");
    assert!(third["warnings"][0].as_str().unwrap().contains("goes out with it"), "{third}");

    // What was wrongly asked did nothing.
    let done = stage.rotate(&["--json", "--old", MANAGER]);
    assert_eq!((done.code, &done.json()["ok"]), (Some(2), &json!(false)));
}

#[test]
fn a_gate_that_answers_slowly_may_show_its_token_after_the_patience() {
    let stage = Stage::new();
    let command = stage.command(&["--old", &stage.old.0, "--patience", "1"]);
    let points = &stage.cloud.world.points;
    let (run, go_on) = points.hold("GET gate:/_gate/status", || stage.start(command, None));
    thread::sleep(Duration::from_secs(1));
    go_on.send(()).unwrap();
    run.end(&stage).is(0, &["done"]);
    stage.assert_rotated();
}

#[test]
fn json_says_how_far_a_failed_run_came() {
    let stuck = Stage::new();
    stuck.front.set(Rollout::Stuck);
    let before = fingerprint(&stuck.signing_secret, &stuck.old.1);
    let done = stuck.rotate(&["--json", "--old", &stuck.old.0, "--patience", "1"]);
    done.is(1, &["did not show"]);
    let report = done.json();
    assert_eq!((&report["outcome"], &report["before"]), (&json!("failed"), &json!(before)));
    assert_eq!((&report["now"], &report["put"]["done"]), (&Value::Null, &json!(true)));
    assert_eq!(report["revoked"], json!([]));
    let left = report["left"].to_string();
    assert!(left.contains("run this again") && left.contains("versions deploy"), "{report}");
    assert!(done.err.contains(report["error"].as_str().unwrap()), "{report}");

    let stillborn = Stage::new();
    stillborn.tokens().stillborn = true;
    let done = stillborn.rotate(&["--json", "--old", &stillborn.old.0, "--patience", "1"]);
    done.is(1, &["revoked again"]);
    let report = done.json();
    assert_eq!((&report["revoked"][0], &report["put"]), (&report["made"]["id"], &Value::Null));
    assert_eq!((&report["now"], &report["left"]), (&report["before"], &json!([])));
}

#[test]
fn an_account_s_token_is_replaced_too() {
    let stage = Stage::of(Kind { account: true, age: None, ..Kind::default() });
    let done = stage.first();
    done.is(0, &["done"]);
    stage.assert_rotated();
    assert_eq!(done.called("GET /client/v4/user/"), 0, "{:#?}", done.calls);
}

#[test]
fn where_the_api_says_which_token_the_gate_has_it_must_be_that_one() {
    let stage = Stage::of(Kind { route: VERIFY, ..Kind::default() });
    let (other, _) = stage.tokens().by_hand(false, "another", 3);
    let wrong = stage.rotate(&["--old", &other]);
    wrong.is(2, &["--old", &stage.old.0]);
    stage.assert_untouched();
    stage.first().is(0, &["done"]);
    stage.assert_rotated();
    assert!(stage.tokens().has(&other));
}

#[test]
fn a_newest_version_that_is_not_deployed_goes_out_only_if_it_may() {
    let stage = Stage::new();
    let (waiting, split) = (Stage::new(), Stage::new());
    for stage in [&stage, &waiting, &split] {
        stage.leaves_waiting();
    }
    split.worker().split();

    let refused = stage.rotate(&["--old", &stage.old.0, "--deployed-only"]);
    refused.is(1, &["not yet", "--deployed-only"]);
    stage.assert_untouched();
    for stage in [&waiting, &split] {
        let done = stage.first();
        done.is(0, &["done"]);
        let reported = ["\"not yet\"", "goes out with it"];
        assert!(reported.iter().all(|word| done.err.contains(word)), "{}", done.err);
        assert_eq!(done.called("PUT "), 1, "only the name: {:#?}", done.calls);
        stage.assert_rotated();
        let worker = stage.worker();
        assert_eq!(worker.newest(), worker.deployed());
    }
}

#[test]
fn the_ages_are_shown_and_what_needs_attention_is_an_exit_code() {
    let stage = Stage::new();
    let age = |arguments: &[&str]| {
        let mut command = stage.bare(&["token", "age"]);
        command.args(arguments);
        stage.run(command, None)
    };
    let print = fingerprint(&stage.signing_secret, &stage.old.1);
    let done = age(&[]);
    done.is(1, &["WRITE_TOKEN is due"]);
    for word in ["WRITE_TOKEN  due", "of 90 days", &print, "rotate the token"] {
        assert!(done.out.contains(word), "{word} in {}", done.out);
    }
    stage.first().is(0, &["done"]);
    let done = age(&["--json"]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    let reported = done.json();
    assert_eq!((&reported["state"], &reported["age_days"]), (&json!("ok"), &json!(0)));
}

#[test]
fn a_closed_or_full_output_hides_no_failure() {
    let stage = Stage::new();
    stage.tokens().stillborn = true;
    let command = || -> Command {
        let mut command = stage.command(&["--json", "--old", &stage.old.0, "--patience", "1"]);
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let full = File::options().write(true).open("/dev/full").unwrap();
    for out in [Stdio::from(writer), Stdio::from(full)] {
        let done = command().stdout(out).output().unwrap();
        let err = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{err}");
        assert!(err.lines().last().unwrap().contains("does not work"), "{err}");
    }
    stage.assert_untouched();
}
