//! The cost of a write and of a refusal at the gate, beside other workers.

use serde_json::json;
use testkit::workerd::Config;

use super::goals::Report;
use super::rounds::{Samples, Subject};
use super::subjects::Bench;
use super::{Result, finish, load, same};

/// The rows of the table, and the most that each may be. A signed request covers the four components of its target;
/// one that covers its body too has it read and hashed before it is sent on.
const RATIOS: [(&str, &str, Option<f64>); 10] = [
    ("gate", "Hono", Some(0.90)),
    ("gate", "floor", Some(1.15)),
    ("gate", "pass-through", Some(1.45)),
    ("refusal", "pass-through", Some(0.55)),
    ("refusal", "refusal floor", Some(1.25)),
    ("bad MAC", "pass-through", None),
    ("signed", "gate", Some(1.15)),
    ("signed body", "gate", None),
    ("floor", "pass-through", None),
    ("refusal floor", "pass-through", None),
];

/// Prints the figures.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let mut config = Config::new()
        .listening(bench.pass_through())
        .listening(bench.hono()?)
        .listening(bench.floor_forward())
        .listening(bench.floor_refusal());
    for (old, build) in bench.builds() {
        // Without this every signature would have to cover the body.
        let route = json!({"unsigned_body": true});
        config = config.listening(bench.gate(&format!("{old}gate"), build, [route])?);
    }
    let sessions = bench.secrets.sessions()?;
    let posts = |changed: fn(&str) -> String| -> Vec<_> {
        let credentials = sessions.iter().map(|session| changed(session));
        credentials.map(|one| load::post(&[("Authorization", &one)])).collect()
    };
    let (good, bad) = (posts(str::to_owned), posts(with_a_bad_mac));
    let bare = load::post(&[]);
    let with = |requests: &'_ [load::Request], number: usize| {
        Ok(requests[number % requests.len()].clone())
    };
    let write = |name: &str| Subject::new(name, name, 201, |number| with(&good, number));

    let mut subjects = vec![
        write("pass-through"),
        write("Hono"),
        write("floor"),
        Subject::new("refusal floor", "refusal floor", 401, |_| Ok(bare.clone())),
    ];
    for (old, _) in bench.builds() {
        let name = |subject| format!("{old}{subject}");
        let gate = name("gate");
        subjects.extend([
            write(&name("gate")),
            Subject::new(name("refusal"), gate.as_str(), 401, |_| Ok(bare.clone())),
            Subject::new(name("bad MAC"), gate.as_str(), 401, |number| with(&bad, number)),
            Subject::new(name("signed"), gate.as_str(), 201, |number| {
                bench.secrets.signed(number, &[], &[])
            }),
            Subject::new(name("signed body"), gate.as_str(), 201, |number| {
                bench.secrets.signed_with_body(number)
            }),
        ]);
    }
    let [_, hono, floor, refusal_floor, gate, refusal, ..] = subjects.as_slice() else {
        return Err("too few subjects".into());
    };
    let workerd = bench.start(&config)?;
    for (one, other) in [(gate, hono), (gate, floor), (refusal, refusal_floor)] {
        same::check(one, other, &bench.upstream, &workerd)?;
    }

    drop(workerd);

    let samples = Samples::measure(bench, &config, &subjects)?;
    finish(bench, report, &samples, &RATIOS)
}

/// Changes the last character but one of a session, for the last has bits that mean nothing.
fn with_a_bad_mac(session: &str) -> String {
    let (start, end) = session.split_at(session.len().saturating_sub(2));
    let changed = if end.starts_with('A') { 'B' } else { 'A' };
    format!("{start}{changed}{}", end.get(1..).unwrap_or_default())
}
