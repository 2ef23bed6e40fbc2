//! The cost of many keys: KV and memory.

use std::fs;
use std::time::{Duration, Instant};

use testkit::workerd::{Config, Workerd};

use super::goals::Report;
use super::rounds::Subject;
use super::statistics::Estimate;
use super::stores::Stores;
use super::subjects::Bench;
use super::{Result, load};

/// The number of keys. With fewer, the memory is mostly the runtime's own, and says nothing.
const ALL: usize = 100_000;
/// Keys that are in use at once.
const IN_USE: usize = 1_000;
/// The time for which the gate remembers a record.
const REMEMBERED: Duration = Duration::from_secs(30);

/// Prints the figures.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let stores = Stores::start()?;
    let start_gate = || {
        let gate = bench.gate("gate", &bench.gate, [serde_json::json!({})])?;
        let gate = gate.kv("KEY_REGISTRY", "kv");
        bench.start(&Config::new().external("kv", stores.kv).listening(gate))
    };
    let send = |workerd: &Workerd, name, keys: usize, count| {
        let subject = Subject::new(name, name, 200, |number| {
            let session = bench.secrets.session_of(&format!("pk_{}", number % keys))?;
            Ok(load::get(640, &[("Authorization", &session)]))
        });
        subject.warm_up(workerd, count)
    };

    report.table("figures");
    let begin = Instant::now();
    send(&start_gate()?, "gate", IN_USE, 20 * IN_USE)?;
    let times = 1 + begin.elapsed().as_secs() / REMEMBERED.as_secs();
    let reads = stores.take_reads() as f64 / (IN_USE as f64 * times as f64);
    report.row("KV reads per key and 30 s", Estimate::exact(reads), Some(1.0));

    // Every key, once: the most that an isolate ever remembers. workerd itself grows by such a load, so a
    // pass-through under the same tells what is the gate's own.
    let gate = start_gate()?;
    send(&gate, "gate", ALL, ALL)?;
    let floor = bench.start(&Config::new().listening(bench.pass_through()))?;
    send(&floor, "pass-through", ALL, ALL)?;
    let [gate, floor] = [resident(gate.pid())?, resident(floor.pid())?];
    report.row(&format!("MB after {ALL}, pass-through"), Estimate::exact(floor), None);
    report.row("MB more than that, gate", Estimate::exact((gate - floor).max(0.0)), Some(32.0));
    Ok(())
}

/// Returns the resident memory of a process in MB.
fn resident(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    let kilobytes: f64 = kilobytes.ok_or("no VmRSS")?.trim().parse()?;
    Ok(kilobytes * 1_024.0 / 1e6)
}
