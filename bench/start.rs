//! What the first answer of a new process costs, and how large the Worker is.

use serde_json::json;

use super::goals::Report;
use super::rounds::{Samples, Subject};
use super::statistics::Estimate;
use super::subjects::Bench;
use super::workerd::{Config, Worker};
use super::{Result, cpu, finish, load, size};

/// Prints the figures.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let mut workers: Vec<(String, Box<dyn Fn() -> Result<Worker> + '_>)> =
        vec![("Hono".to_owned(), Box::new(|| bench.hono()))];
    for (old, build) in bench.builds() {
        let name = format!("{old}gate");
        workers.push((
            name.clone(),
            Box::new(move || Ok(bench.gate(&name, build, [json!({})])?)),
        ));
    }
    let session = bench.secrets.sessions()?.swap_remove(0);
    let request = load::post(&[("Authorization", &session)]);
    let names = workers.iter().map(|(name, _)| name.clone()).collect();
    let samples = Samples::collect(names, bench.plan.rounds, bench.plan.seed, |index| {
        let (name, worker) = &workers[index];
        let begin = std::time::Instant::now();
        let workerd = bench.start(Config::new().listening(worker()?))?;
        let listening = std::time::Instant::now();
        let before = cpu::used(workerd.pid())?;
        let first = Subject::new(name.as_str(), workerd.port(name), 201, |_| {
            Ok(request.clone())
        });
        first.once()?;
        let after = cpu::used(workerd.pid())?;
        eprintln!(
            "{name}: listening {:?} cpu {:?}; first {:?} cpu {:?}",
            listening - begin,
            before,
            listening.elapsed(),
            after - before
        );
        Ok((after - before).as_secs_f64() * 1e6)
    })?;
    finish(
        bench,
        report,
        "start",
        &samples,
        &[("gate", "Hono", Some(1.4))],
    )?;

    report.table("bytes gzipped");
    for (old, build) in bench.builds() {
        let [wasm, script] = size::of(build)?;
        let goal = old.is_empty().then_some(size::GOAL as f64);
        let name = format!("{old}Worker: {wasm} + {script}");
        report.row(&name, Estimate::exact((wasm + script) as f64), goal);
    }
    Ok(())
}
