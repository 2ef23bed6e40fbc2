//! A rotation that is killed: at each call that it makes to anybody, before the call has its effect and after, and then run
//! again. Or the call is not answered. At no moment is the gate without a token that works, and at the end there is one token, and it is in the gate.

use std::sync::Mutex;
use std::thread;

use crate::rotate_points::Moment;
use crate::rotate_stage::{Kind, Stage};

/// Threads that try cases. Most of their time they wait for processes.
const AT_ONCE: usize = 4;

type Case = (usize, String, Moment);

/// Returns the points of a run: each call, where there are several alike in a row the first and the last of them.
/// Where a call changes something, there are more moments.
fn cases(calls: &[String]) -> Vec<Case> {
    let alike = |a: Option<&String>, b: &String| a.is_some_and(|a| a == b);
    let mut cases = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        let inside =
            number > 0 && alike(calls.get(number - 1), call) && alike(calls.get(number + 1), call);
        let further_page = call.contains("page=") && !call.contains("page=1&");
        if inside || further_page {
            continue;
        }
        cases.push((number, call.clone(), Moment::Before));
        if !call.starts_with("GET ") {
            let more = [Moment::After, Moment::Lost];
            cases.extend(more.map(|moment| (number, call.clone(), moment)));
        }
    }
    cases
}

/// Tries each case in a thread that bears its name, which a failure tells.
fn try_all(cases: Vec<Case>, one: impl Fn(usize, Moment) + Sync) {
    let (one, left) = (&one, Mutex::new(cases));
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((number, call, moment)) = left.lock().unwrap().pop() else {
                        return;
                    };
                    let name = format!("{moment:?} call {number}, {call}");
                    let thread = thread::Builder::new().name(name.clone());
                    let run = thread.spawn_scoped(scope, move || one(number, moment));
                    if run.unwrap().join().is_err() {
                        failed.lock().unwrap().push(name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// No other run is under way, so nothing has to be left to one.
const ALONE: [&str; 2] = ["--lease", "0"];

/// Runs it until this moment. Whenever that is, it harms nobody, and the next run reports it.
fn interrupt(stage: &Stage, arguments: &[&str], number: usize, moment: Moment) {
    let done = stage.run(stage.command(arguments), Some((number, moment)));
    let expected = match moment {
        Moment::Before | Moment::After => None,
        Moment::Lost => Some(1),
    };
    assert_eq!(done.code, expected, "{}", done.err);
    stage.assert_unharmed();
}

fn first(stage: &Stage) -> Vec<&str> {
    [&["--old", stage.old.0.as_str()][..], &ALONE].concat()
}

#[test]
fn the_first_rotation_goes_on_from_wherever_it_was_killed() {
    let stage = Stage::new();
    let whole = stage.rotate(&first(&stage));
    whole.is(0, &["done"]);
    let cases = cases(&whole.calls);
    let changes = cases.iter().filter(|(.., moment)| matches!(moment, Moment::After));
    assert!(changes.count() >= 4, "make, name, put, revoke: {cases:#?}");
    try_all(cases, |number, moment| {
        let stage = Stage::new();
        interrupt(&stage, &first(&stage), number, moment);
        stage.rotate(&first(&stage)).is(0, &[]);
        stage.assert_rotated();
    });
}

#[test]
fn a_later_rotation_resumes_by_itself() {
    let ours = || Stage::of(Kind { ours: true, ..Kind::default() });
    let whole = ours().rotate(&ALONE);
    whole.is(0, &["done"]);
    let mut cases = cases(&whole.calls);
    cases.retain(|(_, call, _)| !call.starts_with("GET "));
    assert_eq!(cases.len(), 12, "make, name, put, revoke: {cases:#?}");
    try_all(cases, |number, moment| {
        let stage = ours();
        interrupt(&stage, &ALONE, number, moment);
        stage.rotate(&ALONE).is(0, &[]);
        stage.assert_rotated();
    });
}

#[test]
fn a_rotation_through_versions_goes_on_too() {
    let versioned = || {
        let stage = Stage::new();
        {
            let mut worker = stage.cloud.world.worker.lock().unwrap();
            let (_, secret) = worker.deployed();
            worker.upload(&secret, "not yet");
        }
        stage
    };
    let stage = versioned();
    let whole = stage.rotate(&first(&stage));
    whole.is(0, &["done"]);
    let mut cases = cases(&whole.calls);
    cases.retain(|(_, call, _)| call.starts_with("POST ") && call.contains("/workers/"));
    assert_eq!(cases.len(), 6, "upload, deploy: {cases:#?}");
    try_all(cases, |number, moment| {
        let stage = versioned();
        interrupt(&stage, &first(&stage), number, moment);
        stage.rotate(&first(&stage)).is(0, &["done"]);
        stage.assert_rotated();
    });
}
