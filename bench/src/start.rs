//! The cost of the first answer of a new process, and the size of the Worker.

use std::time::Duration;

use serde_json::json;
use testkit::random::Random;
use testkit::workerd::Config;

use super::goals::Report;
use super::rounds::{Samples, Subject};
use super::statistics::Estimate;
use super::subjects::Bench;
use super::{Result, cpu, finish, load, size};

/// Most processes of a subject: one costs as much as some hundred requests.
const MAX_PROCESSES: usize = 40;

/// The point from which the cost is counted. The cost of a process includes the runtime's own start, which is the
/// largest part and not the Worker's. The cost of a request does not, but the runtime has loaded the script before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Process,
    Request,
}

/// Prints the figures.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let mut configs = vec![
        ("Hono".to_owned(), Config::new().listening(bench.hono()?)),
        ("start floor".to_owned(), Config::new().listening(bench.floor_start()?)),
    ];
    for (old, build) in bench.builds() {
        let name = format!("{old}gate");
        let gate = bench.gate(&name, build, [json!({})])?;
        configs.push((name, Config::new().listening(gate)));
    }
    let starts = [From::Process, From::Request];
    let subjects: Vec<_> =
        starts.into_iter().flat_map(|from| configs.iter().map(move |one| (from, one))).collect();
    let names = subjects.iter().map(|(from, (name, _))| match from {
        From::Process => name.clone(),
        From::Request => format!("{name} request"),
    });
    let session = bench.secrets.sessions()?.swap_remove(0);
    let request = load::post(&[("Authorization", &session)]);
    let mut samples = Samples::new(names.collect(), 1);
    let mut random = Random::new(bench.plan.seed);
    for _ in 0..bench.plan.rounds.min(MAX_PROCESSES) {
        samples.round(&mut random, |index| {
            let (from, (name, config)) = &subjects[index];
            let workerd = bench.start(config)?;
            let before = match from {
                From::Process => Duration::ZERO,
                From::Request => cpu::used(workerd.pid())?,
            };
            Subject::new(name, name, 201, |_| Ok(request.clone())).once(&workerd)?;
            let used = cpu::used(workerd.pid())?.saturating_sub(before);
            Ok(used.as_secs_f64() * 1e6)
        })?;
    }
    let ratios = [
        ("gate", "Hono", Some(1.4)),
        ("start floor", "Hono", None),
        ("gate request", "Hono request", None),
        ("start floor request", "Hono request", None),
    ];
    finish(bench, report, &samples, &ratios)?;

    report.table("bytes gzipped");
    for (old, build) in bench.builds() {
        let [wasm, script] = size::of(build)?;
        let goal = old.is_empty().then_some(size::GOAL as f64);
        let name = format!("{old}Wasm {wasm}, JavaScript {script}");
        report.row(&name, Estimate::exact((wasm + script) as f64), goal);
    }
    Ok(())
}
