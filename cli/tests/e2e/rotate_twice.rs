//! Two rotations of one token at once: neither revokes what the other puts.

use std::sync::atomic::Ordering;

use crate::rotate_points::Points;
use serde_json::Value;
use testkit::token::fingerprint;

use crate::rotate_run::{Done, Running};
use crate::rotate_stage::{Kind, Stage};

/// Starts a run that has made its token, and waits on its way to put it until something is sent.
fn slow(stage: &Stage, lease: &str) -> (Running, std::sync::mpsc::Sender<()>) {
    let points: &Points = &stage.cloud.world.points;
    let command = stage.command(&["--old", &stage.old.0, "--lease", lease]);
    points.hold("PUT /client/v4/accounts/", || stage.start(command, None))
}

/// Returns the fingerprints of the tokens of ours, in the order of their making.
fn prints(stage: &Stage) -> Vec<String> {
    let tokens = stage.tokens();
    let ours = tokens.named("writegate ");
    let print = |(_, value): &(String, String)| fingerprint(&stage.signing_secret, value);
    ours.iter().map(print).collect()
}

#[test]
fn a_token_that_another_run_may_be_about_to_put_is_not_revoked() {
    let stage = Stage::new();
    let (slow, go_on) = slow(&stage, "0");
    // However wrong the clock of this machine, or Cloudflare's, may be.
    let (_, value) = stage.tokens().named("writegate ").remove(0);
    stage.tokens().change(&value, "issued_on", "2020-01-01T00:00:00Z");
    let quick = stage.start(stage.command(&["--old", &stage.old.0, "--lease", "3600"]), None);
    quick.until_printed("another run may be about to put one of them");
    assert_eq!(prints(&stage).len(), 2, "both live");
    go_on.send(()).unwrap();
    // The last who puts has the last word.
    slow.end(&stage).is(0, &["done"]);
    quick.kill();
    assert_eq!(quick.end(&stage).code, None);
    stage.assert_rotated();
}

#[test]
fn a_run_whose_token_was_replaced_revokes_nothing() {
    let stage = Stage::new();
    let (slow, go_on) = slow(&stage, "0");
    let points = &stage.cloud.world.points;
    let command = stage.command(&["--old", &stage.old.0, "--lease", "0", "--patience", "2"]);
    let (quick, put_on) = points.hold("PUT /client/v4/accounts/", || stage.start(command, None));
    // The quick one has seen its token in the gate ten times and tries it. Before it looks for the last time, the slow one
    // puts its own.
    let (_, try_on) = points.hold("GET gate:/cms/me", || put_on.send(()).unwrap());
    let (_, look_on) = points.hold("GET gate:/_gate/status", || try_on.send(()).unwrap());
    go_on.send(()).unwrap();
    slow.end(&stage).is(0, &["done"]);
    look_on.send(()).unwrap();
    let quick = quick.end(&stage);
    quick.is(1, &["another rotation", "nothing was revoked"]);
    stage.assert_rotated();
}

#[test]
fn where_somebody_revokes_the_new_token_the_old_one_stays() {
    let stage = Stage::new();
    let points = &stage.cloud.world.points;
    let command = stage.command(&["--old", &stage.old.0]);
    let (run, put_on) = points.hold("PUT /client/v4/accounts/", || stage.start(command, None));
    let (_, try_on) = points.hold("GET gate:/cms/me", || put_on.send(()).unwrap());
    let (_, list_on) =
        points.hold("GET /client/v4/user/tokens?page=1", || try_on.send(()).unwrap());
    {
        let mut tokens = stage.tokens();
        let (_, new) = tokens.named("writegate ").remove(0);
        let id = format!("/{}", tokens.shown(&new)["id"].as_str().unwrap());
        tokens.manage(false, "DELETE", &id, "", &Value::Null).unwrap();
    }
    list_on.send(()).unwrap();
    run.end(&stage).is(1, &["somebody has revoked", "nothing else"]);
    let tokens = stage.tokens();
    assert!(tokens.is_live(&stage.old.1), "there is a way back");
}

/// Lets a rotation come to its last look at the gate, then does this, and returns the end.
fn changed_while_waiting(stage: &Stage, change: impl FnOnce(&str)) -> Done {
    let points = &stage.cloud.world.points;
    let command = stage.command(&["--unprobed", "--old", &stage.old.0, "--patience", "1"]);
    let (run, put_on) = points.hold("PUT /client/v4/accounts/", || stage.start(command, None));
    let (_, list_on) =
        points.hold("GET /client/v4/user/tokens?page=1", || put_on.send(()).unwrap());
    let (_, look_on) = points.hold("GET gate:/_gate/status", || list_on.send(()).unwrap());
    let (_, new) = stage.tokens().named("writegate ").remove(0);
    change(&new);
    look_on.send(()).unwrap();
    run.end(stage)
}

#[test]
fn what_happens_to_the_new_token_during_the_grace_keeps_the_old_one_alive() {
    // Revoked.
    let stage = Stage::new();
    let done = changed_while_waiting(&stage, |new| {
        let mut tokens = stage.tokens();
        let id = format!("/{}", tokens.shown(new)["id"].as_str().unwrap());
        tokens.manage(false, "DELETE", &id, "", &Value::Null).unwrap();
    });
    done.is(1, &["nothing"]);
    assert_eq!(done.called("DELETE"), 0, "{}", done.err);
    assert!(stage.tokens().is_live(&stage.old.1), "there is a way back");

    // It works no more, by what the gate's way to the API says.
    let stage = Stage::new();
    let done = changed_while_waiting(&stage, |_| {
        stage.cloud.world.down.store(true, Ordering::Relaxed);
    });
    done.is(1, &["500", "nothing was revoked", "--now"]);
    assert_eq!(done.called("DELETE"), 0, "{}", done.err);

    // Disabled, where no probe shows it.
    let stage = Stage::of(Kind { route: ("/cms/*", "/cms", None), ..Kind::default() });
    let done = changed_while_waiting(&stage, |new| {
        stage.tokens().change(new, "status", "disabled");
    });
    done.is(1, &["disabled", "nothing else was revoked"]);
    assert_eq!(done.called("DELETE"), 0, "{}", done.err);
}
