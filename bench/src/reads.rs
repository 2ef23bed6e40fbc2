//! The cost of a cached read, beside a pass-through that has to ask the upstream for it, and beside a
//! worker that makes the same platform calls and decides nothing.

use serde_json::json;
use testkit::workerd::Config;

use super::goals::Report;
use super::rounds::{Samples, Subject};
use super::stores::Stores;
use super::subjects::Bench;
use super::{Result, finish, load, same};

/// The rows of the table, and the most that each may be.
const RATIOS: [(&str, &str, Option<f64>); 3] = [
    ("cached hit", "pass-through", Some(0.75)),
    ("cached hit", "cached floor", None),
    ("cached floor", "pass-through", None),
];

/// Prints the figures.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let stores = Stores::start()?;
    let mut config = Config::new()
        .external("cache", stores.cache)
        .listening(bench.pass_through())
        .listening(bench.floor_cached());
    for (old, build) in bench.builds() {
        let route = json!({"cache": {"ttl": 3600}});
        let gate = bench.gate(&format!("{old}cached hit"), build, [route])?;
        config = config.listening(gate.cache("cache"));
    }
    let sessions = bench.secrets.sessions()?;
    let reads: Vec<_> =
        sessions.iter().map(|one| load::get(640, &[("Authorization", one)])).collect();
    let read = |name: &str| {
        Subject::new(name, name, 200, |number| Ok(reads[number % reads.len()].clone()))
    };
    let mut subjects = vec![read("pass-through"), read("cached floor")];
    subjects.extend(bench.builds().map(|(old, _)| read(&format!("{old}cached hit"))));
    let [_, floor, hit, ..] = subjects.as_slice() else {
        return Err("too few subjects".into());
    };
    let workerd = bench.start(&config)?;
    // The first read fills the cache, and the second the memory.
    for subject in [floor, hit] {
        let _warm = (subject.once(&workerd)?, subject.once(&workerd)?);
    }
    bench.upstream.take();
    same::check(hit, floor, &bench.upstream, &workerd)?;
    drop(workerd);
    let samples = Samples::measure(bench, &config, &subjects)?;
    finish(bench, report, &samples, &RATIOS)
}
