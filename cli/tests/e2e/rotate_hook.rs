//! Tokens of another API: a command makes them, another revokes them.

use std::fs;

use serde_json::{Value, json};
use testkit::token::{date, fingerprint, fresh, now};

use crate::Folder;
use crate::rotate_front::Rollout;
use crate::rotate_stage::{Stage, deployed};

/// Returns a command that prints this, from a file outside of the checkout.
fn prints(folder: &Folder, text: &str) -> String {
    format!("cat '{}'", folder.file(&fresh(), text))
}

/// Returns a token that the API takes, made by nobody whom the command knows.
fn new_token(stage: &Stage) -> String {
    stage.tokens().by_hand(false, "by a hook", 0).1
}

#[test]
fn what_the_hook_prints_takes_the_place_and_the_other_revokes() {
    let (stage, folder) = (Stage::new(), Folder::new());
    stage.hard();
    let token = new_token(&stage);
    let end = date(now() + 90 * 86_400);
    let make = prints(&folder, &json!({"token": token, "expires_at": end}).to_string());
    let kept = folder.0.join("kept").display().to_string();
    let revoke = format!("test -z \"$SIGNING_SECRET$WRITE_TOKEN\" && cat > '{kept}'");
    let hooks = ["--hook", &make, "--revoke-hook", &revoke];
    let done = stage.rotate(&hooks);
    done.is(0, &["done", "revoked the others"]);
    assert_eq!(done.steps(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(fs::read_to_string(&kept).unwrap(), token);
    let secret = deployed(&stage);
    assert_eq!(secret["token"], token.as_str());
    assert!(secret["expires_at"].as_str().unwrap().starts_with(&end), "{secret}");
    assert_eq!(done.called("POST /client/v4/user/"), 0);
    stage.assert_unharmed();
    stage.rotate(&hooks).is(0, &["nothing to do"]);

    // Forced, and without a hook that revokes.
    let another = prints(&folder, &format!("{}\n", new_token(&stage)));
    let done = stage.rotate(&["--hook", &another, "--now", "--json"]);
    let print = fingerprint(&stage.signing_secret, &token);
    done.is(0, &["done", "revoke token", &print]);
    let shown = done.json();
    assert_eq!((&shown["outcome"], &shown["before"]), (&json!("rotated"), &json!(print)));
    assert_eq!(shown["made"]["id"], Value::Null);
    assert!(shown["left"][0].as_str().unwrap().contains(&print), "{shown}");
    stage.assert_unharmed();
}

#[test]
fn a_hook_that_gives_no_token_changes_nothing() {
    let (stage, folder) = (Stage::new(), Folder::new());
    let good = new_token(&stage);
    let old = stage.old.1.clone();
    for (hook, words) in [
        ("echo why >&2; exit 3".to_owned(), &["--hook failed", "3"][..]),
        (format!("{}; exit 1", prints(&folder, &good)), &["--hook failed"]),
        ("true".to_owned(), &["is empty"]),
        (prints(&folder, &format!("{good}\n{good}\n")), &["several lines"]),
        (prints(&folder, &format!("{{\"tokn\":\"{good}\"}}")), &["envelope"]),
        (prints(&folder, &"x".repeat(20_000)), &["too long"]),
        (prints(&folder, &old), &["which is in place"]),
        (prints(&folder, &fresh()), &["does not work", "401", "should be revoked"]),
    ] {
        let done = stage.rotate(&["--hook", &hook, "--patience", "1"]);
        done.is(1, words);
        assert!(!done.err.contains("5/8"), "{}", done.err);
        assert_eq!(done.err.contains("why\n"), hook.contains("why"), "its own words are passed on");
        stage.assert_untouched();
    }
}

#[test]
fn a_revoke_hook_that_fails_is_reported() {
    let (stage, folder) = (Stage::new(), Folder::new());
    let make = prints(&folder, &new_token(&stage));
    let done = stage.rotate(&["--hook", &make, "--revoke-hook", "exit 4", "--json"]);
    done.is(1, &["--revoke-hook failed", "4", "in place"]);
    let shown = done.json();
    assert_eq!(
        (&shown["outcome"], &shown["now"]),
        (&json!("failed"), &shown["made"]["fingerprint"])
    );
    assert_eq!(shown["revoked_by_hook"], json!(false));
    assert!(shown["left"][0].as_str().unwrap().contains("revoke token"), "{shown}");
    stage.assert_unharmed();
}

#[test]
fn a_hook_s_token_that_may_not_be_in_the_gate_is_named() {
    let (stage, folder) = (Stage::new(), Folder::new());
    stage.front.set(Rollout::Stuck);
    let token = new_token(&stage);
    let make = prints(&folder, &token);
    let done = stage.rotate(&["--hook", &make, "--patience", "1", "--json"]);
    let both = [&stage.old.1, &token].map(|token| fingerprint(&stage.signing_secret, token));
    let words = ["did not show", "does not show", "revoke", &both[0], &both[1]];
    done.is(1, &words);
    let left = done.json()["left"].to_string();
    assert!(both.iter().all(|print| left.contains(print)), "{left}");
    stage.assert_unharmed();
}
