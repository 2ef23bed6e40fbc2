//! Rotations that must not come to their end: what they leave is as good as before.

use std::sync::atomic::Ordering;

use serde_json::json;
use testkit::token::{fingerprint, fresh};

use crate::cloudflare::MANAGER;
use crate::rotate_front::Rollout;
use crate::rotate_stage::{Kind, Stage};

fn old(stage: &Stage) -> Vec<&str> {
    vec!["--old", &stage.old.0]
}

#[test]
fn a_token_that_the_api_refuses_is_never_put() {
    let unprobed = Kind { route: ("/cms/*", "/cms", None), ..Kind::default() };
    for (kind, more) in [
        (Kind::default(), &[][..]),
        // Cloudflare itself can always be asked.
        (unprobed, &["--unprobed"]),
    ] {
        let stage = Stage::of(kind);
        stage.tokens().stillborn = true;
        let done = stage.rotate(&[&old(&stage)[..], &["--patience", "1"], more].concat());
        done.is(1, &["does not work", "code 1000", "nothing was put", "revoked again"]);
        assert_eq!(done.steps(), [1, 2, 3, 4]);
        assert_eq!(done.called("PUT /client/v4/accounts/"), 0, "{:#?}", done.calls);
        let tries = done.called("GET /client/v4/user/tokens/verify");
        assert!(tries > 1, "it is tried again: {:#?}", done.calls);
        stage.assert_untouched();
    }
}

#[test]
fn nothing_is_revoked_while_the_gate_shows_the_old_token() {
    let stage = Stage::new();
    stage.front.set(Rollout::Stuck);
    let done = stage.rotate(&[&old(&stage)[..], &["--patience", "1"]].concat());
    done.is(1, &["did not show", "10 times running", "nothing was revoked", "versions deploy"]);
    assert_eq!(done.steps(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(done.called("DELETE"), 0);
    stage.assert_unharmed();
    // It was only slow. What was put is found, and the rest is done.
    stage.front.set(Rollout::Looks(Vec::new()));
    let again = stage.rotate(&[&old(&stage)[..], &["--lease", "0"]].concat());
    again.is(0, &["done"]);
    assert_eq!(again.steps(), [1, 2, 7, 8], "{}", again.err);
    stage.assert_rotated();
}

#[test]
fn nothing_is_revoked_when_the_gate_does_not_get_through_with_the_new_token() {
    let stage = Stage::new();
    stage.cloud.world.down.store(true, Ordering::Relaxed);
    let done = stage.rotate(&[&old(&stage)[..], &["--patience", "1"]].concat());
    done.is(1, &["/cms/me", "500", "nothing was revoked", "versions deploy"]);
    assert_eq!(done.steps(), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(done.called("DELETE"), 0);
    stage.assert_unharmed();
    stage.cloud.world.down.store(false, Ordering::Relaxed);
    let again = stage.first();
    again.is(0, &["done"]);
    stage.assert_rotated();
}

#[test]
fn a_key_that_does_not_get_through_is_named_before_anything_is_made() {
    let stage = Stage::new();
    let done = stage.rotate(&[&old(&stage)[..], &["--through", "pk_other"]].concat());
    done.is(2, &["401 key-unknown", "/cms/me", "pk_other", "--through"]);
    assert_eq!(done.steps(), [1]);
    stage.assert_untouched();
}

#[test]
fn an_old_token_that_nothing_identifies_has_to_be_vouched_for() {
    let stage = Stage::new();
    let mut command = stage.bare(&["token", "rotate", "--old", &stage.old.0]);
    command.args(["--interval", "2", "--patience", "1"]);
    let done = stage.run(command, None);
    done.is(2, &["--old-unchecked", "tokens/verify"]);
    stage.assert_untouched();
}

#[test]
fn an_old_token_that_the_one_in_place_did_not_replace_has_to_be_vouched_for_too() {
    let stage = Stage::of(Kind { ours: true, ..Kind::default() });
    let policies = stage.tokens().shown(&stage.old.1)["policies"].clone();
    for (name, issued_on) in [
        ("made by hand", "2999-01-01T00:00:00Z"),
        ("writegate staging.example.com WRITE_TOKEN 0123456789ab", "2026-01-01T00:00:00Z"),
    ] {
        let other = {
            let mut tokens = stage.tokens();
            let body = json!({"name": name, "policies": policies});
            let made = tokens.manage(false, "POST", "", "", &body).unwrap();
            tokens.change(made["value"].as_str().unwrap(), "issued_on", issued_on);
            made["id"].as_str().unwrap().to_owned()
        };
        let mut command = stage.bare(&["token", "rotate", "--old", &other]);
        command.args(["--interval", "2", "--patience", "1", "--grace", "0"]);
        stage.run(command, None).is(2, &["--old", "leave out --old", "--old-unchecked"]);
        assert!(stage.tokens().has(&other), "{name}");
        assert!(stage.tokens().is_live(&stage.old.1), "{name}");
    }
}

#[test]
fn a_token_that_another_secret_holds_too_is_not_replaced_under_it() {
    let stage = Stage::of(Kind { twin: true, ..Kind::default() });
    let done = stage.rotate(&[&old(&stage)[..], &["--secret", "WRITE_TOKEN"]].concat());
    done.is(2, &["TWIN_TOKEN", "token put --secret TWIN_TOKEN"]);
    stage.assert_untouched();
}

#[test]
fn a_token_in_place_that_does_not_work_is_not_called_well() {
    // What the gate has stored from before says nothing.
    for cached in [false, true] {
        let stage = Stage::of(Kind { ours: true, age: Some(1), cached, ..Kind::default() });
        stage.rotate(&[]).is(0, &["nothing to do"]);
        stage.cloud.world.down.store(true, Ordering::Relaxed);
        let done = stage.rotate(&["--patience", "1"]);
        done.is(1, &["500", "--now"]);
        assert_eq!(done.steps(), [1]);
        assert_eq!(done.called("POST") + done.called("DELETE"), 0);
        stage.assert_unharmed();
    }
}

#[test]
fn after_the_root_was_replaced_one_rotation_needs_the_id() {
    let stage = Stage::of(Kind { ours: true, ..Kind::default() });
    // As a rotation named it under the former root.
    let print = fingerprint(&fresh(), &stage.old.1);
    let name = format!("writegate 127.0.0.1:{} WRITE_TOKEN {print}", stage.front.port);
    stage.tokens().rename(&stage.old.1, &name);
    let done = stage.rotate(&[]);
    done.is(2, &["SIGNING_SECRET was replaced", "--old"]);
    assert_eq!(done.called("POST") + done.called("DELETE"), 0);
    stage.rotate(&old(&stage)).is(0, &[]);
    stage.assert_rotated();
    stage.rotate(&["--now"]).is(0, &[]);
    stage.assert_rotated();
}

#[test]
fn what_is_missing_is_said_before_anything_is_done() {
    let stage = Stage::new();
    let without = Stage::of(Kind { route: ("/cms/*", "/cms", None), ..Kind::default() });
    for (stage, arguments, words) in [
        (&stage, &[][..], &["not made by this command", "--old"][..]),
        (&stage, &["--old", &fresh()[..32]], &["no such token"]),
        (&stage, &["--secret", "OTHER_TOKEN"], &["--secret", "known: WRITE_TOKEN"]),
        (&stage, &["--env", "staging"], &["--env", "[env.NAME]"]),
        (&without, &["--old", &without.old.0], &["`probe`", "--unprobed"]),
        (&without, &["--hook", "echo x"], &["`probe`", "--unprobed"]),
    ] {
        let done = stage.rotate(arguments);
        done.is(2, words);
        assert!(!done.err.contains("3/8"), "{}", done.err);
        stage.assert_untouched();
    }
    for arguments in [
        &["--old", "1234"][..],
        &["--old", &stage.old.0, "--hook", "echo x"],
        &["--revoke-hook", "cat"],
        &["--interval", "0"],
        &["--lease", "60"],
        &["--account", "../x"],
    ] {
        let done = stage.rotate(arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {}", done.err);
        assert!(!done.err.contains("1/8"), "{arguments:?}: {}", done.err);
    }
    let mut command = stage.command(&old(&stage));
    command.env_remove("ROTATION_API_TOKEN").env_remove("CLOUDFLARE_API_TOKEN");
    stage.run(command, None).is(2, &["ROTATION_API_TOKEN", "--hook"]);
    // The token that would manage itself away.
    let mut command = stage.command(&old(&stage));
    command.env("ROTATION_API_TOKEN", &stage.old.1);
    stage.run(command, None).is(2, &["ROTATION_API_TOKEN", "of its own"]);
    stage.rotate(&["--old", MANAGER]).is(2, &["--old", "this command uses"]);
    // The one that wrangler works with: in the gate, also by what wrangler reads in `.env`, or by its id.
    let mut command = stage.command(&[]);
    command.env("CLOUDFLARE_API_TOKEN", &stage.old.1);
    stage.run(command, None).is(2, &["CLOUDFLARE_API_TOKEN", "of its own"]);
    stage.folder.file(".env", &format!("CLOUDFLARE_API_TOKEN={}\n", stage.old.1));
    let mut command = stage.command(&[]);
    command.env_remove("CLOUDFLARE_API_TOKEN");
    stage.run(command, None).is(2, &["CLOUDFLARE_API_TOKEN", "of its own"]);
    std::fs::remove_file(stage.folder.0.join(".env")).unwrap();
    let login = stage.tokens().by_hand(false, "wrangler's", 1);
    let mut command = stage.command(&["--old", &login.0]);
    command.env("CLOUDFLARE_API_TOKEN", &login.1);
    stage.run(command, None).is(2, &["--old", "CLOUDFLARE_API_TOKEN", "wrangler"]);
    let mut command = stage.command(&old(&stage));
    command.env("SIGNING_SECRET", fresh());
    stage.run(command, None).is(1, &["signature-invalid"]);
    stage.assert_untouched();

    let done = without.rotate(&["--old", &without.old.0, "--unprobed"]);
    done.is(0, &["done"]);
    without.assert_rotated();
}
