//! A rotation that is killed: at each call that it makes to anybody, before the call has its effect and after, and then run
//! again. Or the call is not answered. At no moment is the gate without a token that works, and at the end there is one token, and it is in the gate.

use std::collections::HashSet;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use crate::rotate_points::Moment;
use crate::rotate_stage::{Kind, Stage, deployed};

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

/// Interrupts the rotation of such a stage at each of these moments, which harms nobody, and runs it again, which ends
/// like this. Returns the moments.
fn goes_on(
    stage: impl Fn() -> Stage + Sync,
    arguments: impl Fn(&Stage) -> Vec<&str> + Sync,
    keep: impl Fn(&str) -> bool,
    end: &[&str],
) -> Vec<Case> {
    let first = stage();
    let whole = first.rotate(&arguments(&first));
    whole.is(0, &["done"]);
    let mut cases = cases(&whole.calls);
    cases.retain(|(_, call, _)| keep(call));
    try_all(cases.clone(), |number, moment| {
        let stage = stage();
        let done = stage.run(stage.command(&arguments(&stage)), Some((number, moment)));
        let code = matches!(moment, Moment::Lost).then_some(1);
        assert_eq!(done.code, code, "{}", done.err);
        stage.assert_unharmed();
        stage.rotate(&arguments(&stage)).is(0, end);
        stage.assert_rotated();
    });
    cases
}

fn first(stage: &Stage) -> Vec<&str> {
    [&["--old", stage.old.0.as_str()][..], &ALONE].concat()
}

#[test]
fn the_first_rotation_goes_on_from_wherever_it_was_killed() {
    let cases = goes_on(Stage::new, first, |_| true, &[]);
    let changes = cases.iter().filter(|(.., moment)| matches!(moment, Moment::After));
    assert!(changes.count() >= 4, "make, name, put, revoke: {cases:#?}");
}

/// Ctrl-C, an end of the system, and a closed terminal: each call gets one of them, and those that change something get all.
#[test]
fn a_signal_at_any_call_revokes_nothing_that_may_be_in_the_gate_and_says_how_to_go_on() {
    let signals = ["INT", "TERM", "HUP"];
    let whole = Stage::new();
    let calls = whole.rotate(&first(&whole)).calls;
    let mut begun = cases(&calls);
    begun.retain(|(.., moment)| matches!(moment, Moment::Before));
    // Of the questions that are alike, the first.
    let alike = |call: &str| call.get(..30).unwrap_or(call).to_owned();
    let mut asked = HashSet::new();
    begun.retain(|(_, call, _)| !call.starts_with("GET ") || asked.insert(alike(call)));
    let cases = begun.into_iter().enumerate().flat_map(|(turn, (number, call, _))| {
        let all = if call.starts_with("GET ") { &signals[turn % 3..][..1] } else { &signals };
        all.iter().map(move |name| (number, call.clone(), Moment::Signal(name)))
    });
    let is_made = |number| calls[..=number].iter().any(|call| call.starts_with("POST "));
    try_all(cases.collect(), |number, moment| {
        let stage = Stage::new();
        // Where the tests run with one of them ignored, as a script's do that starts them with `&`, the command would
        // ignore it, too.
        let command = stage.command(&first(&stage));
        let mut reset = Command::new("perl");
        reset.args(["-e", "$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP); exec @ARGV"]);
        reset.arg(command.get_program()).args(command.get_args());
        reset.current_dir(&stage.folder);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => reset.env(name, value),
                None => reset.env_remove(name),
            };
        }
        let done = stage.run(reset, Some((number, moment)));
        let next = match is_made(number) {
            true => &["interrupted; ", "run this again"][..],
            false => &["interrupted; nothing was "],
        };
        done.is(130, next);
        stage.assert_unharmed();
        stage.rotate(&first(&stage)).is(0, &[]);
        stage.assert_rotated();
    });
}

#[test]
fn a_later_rotation_resumes_by_itself() {
    let ours = || Stage::of(Kind { ours: true, ..Kind::default() });
    let cases = goes_on(ours, |_| ALONE.to_vec(), |call| !call.starts_with("GET "), &[]);
    assert_eq!(cases.len(), 12, "make, name, put, revoke: {cases:#?}");
}

#[test]
fn a_rotation_through_versions_goes_on_too() {
    let versioned = || {
        let stage = Stage::new();
        stage.leaves_waiting();
        stage
    };
    let is_ours = |call: &str| call.starts_with("POST ") && call.contains("/workers/");
    let cases = goes_on(versioned, first, is_ours, &["done"]);
    assert_eq!(cases.len(), 6, "upload, deploy: {cases:#?}");
}

/// The rows of "Interruptions" in docs/rotation.md: the token in the gate after an interruption, the tokens that live then,
/// and the steps of the next run.
#[test]
fn each_row_of_the_page_holds() {
    let (all, rest): (&[u32], &[u32]) = (&[1, 2, 3, 4, 5, 6, 7, 8], &[1, 2, 7, 8]);
    let whole = Stage::new();
    let calls = whole.rotate(&first(&whole)).calls;
    let put = "PUT /client/v4/accounts/";
    for (call, moment, is_new, old_lives, steps) in [
        ("POST /client/v4/user/tokens", Moment::After, false, true, all),
        ("PUT /client/v4/user/tokens", Moment::After, false, true, all),
        (put, Moment::Before, false, true, all),
        (put, Moment::After, true, true, rest),
        (put, Moment::Lost, true, true, rest),
        ("DELETE ", Moment::Before, true, true, rest),
        ("DELETE ", Moment::Lost, true, false, &[1, 2]),
    ] {
        let what = format!("{moment:?} {call}");
        let number = calls.iter().position(|one| one.starts_with(call)).unwrap();
        let stage = Stage::new();
        stage.run(stage.command(&first(&stage)), Some((number, moment)));
        assert_eq!(deployed(&stage)["token"] != stage.old.1.as_str(), is_new, "{what}");
        assert_eq!(stage.tokens().named("writegate ").len(), 1, "{what}");
        assert_eq!(stage.tokens().is_live(&stage.old.1), old_lives, "{what}");
        let next = stage.rotate(&first(&stage));
        assert_eq!((next.code, next.steps().as_slice()), (Some(0), steps), "{what}: {}", next.err);
        stage.assert_rotated();
    }
}
