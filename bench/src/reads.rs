//! The cost of a cached read, beside a pass-through that has to ask the upstream for it.

use serde_json::json;
use testkit::workerd::Config;

use super::goals::Report;
use super::load;
use super::rounds::{Samples, Subject};
use super::stores::Stores;
use super::subjects::Bench;
use super::{Result, finish};

/// Prints the figures.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let stores = Stores::start()?;
    let mut config = Config::new().external("cache", stores.cache).listening(bench.pass_through());
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
    let mut subjects = vec![read("pass-through")];
    subjects.extend(bench.builds().map(|(old, _)| read(&format!("{old}cached hit"))));
    let samples = Samples::measure(bench, &config, &subjects)?;
    let goal = ("cached hit", "pass-through", Some(0.75));
    finish(bench, report, &samples, &[goal])
}
