//! `cargo bench`: what a request costs at the gate, and what it would cost elsewhere.
//!
//! The CPU time of the workerd process counts: it is what Workers are billed for, and unlike the time on the
//! clock it does not depend on the upstream. The figures of one machine mean something only beside each other, so
//! all workers of a comparison run in one process, take turns in random order, and the result is a ratio with its
//! interval. A goal is missed only when the whole interval is above it; then the exit code is 1.
//!
//! In scope: CPU time, the first answer, size, memory. Out of scope: throughput, latency. Linux only (`/proc`).

mod cpu;
mod goals;
mod growth;
mod keys;
mod load;
mod reads;
mod rounds;
mod same;
mod secrets;
mod size;
mod start;
mod statistics;
mod stores;
mod subjects;
#[cfg(test)]
mod tests;
mod upstream;
mod writes;

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Parser, ValueEnum};
use testkit::process::{build, root};

use goals::Report;
use rounds::{Plan, Samples};
use secrets::Secrets;
use subjects::Bench;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Most rounds or requests of a turn.
const MOST: u64 = 1_000_000;

/// Measures the CPU time of a request at the gate, beside other workers.
#[derive(Parser)]
struct Arguments {
    /// A rough answer within a minute: few rounds, and neither `keys` nor `growth`
    #[arg(long, conflicts_with_all = ["rounds", "requests"])]
    quick: bool,
    /// The number of turns of each subject
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=MOST))]
    rounds: u64,
    /// Requests of a turn
    #[arg(long, default_value_t = 180, value_parser = clap::value_parser!(u64).range(1..=MOST))]
    requests: u64,
    /// Decides the order of the turns; a random one unless given
    #[arg(long)]
    seed: Option<u64>,
    /// Only this part
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// A folder with the built Worker, from the checkout's root, instead of building it
    #[arg(long, value_name = "DIR")]
    gate: Option<PathBuf>,
    /// A folder with another build of the Worker, to compare this one with
    #[arg(long, value_name = "DIR")]
    baseline: Option<PathBuf>,
    // Cargo itself passes it.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Writes and refusals, beside a pass-through, Hono and the floors
    Writes,
    /// Cached reads
    Reads,
    /// The first answer of a new process, and the size
    Start,
    /// Reads of KV and memory with many keys
    Keys,
    /// The growth of cost with headers, body, keys, routes and components, as Markdown
    Growth,
}

impl Part {
    fn run(self, bench: &Bench<'_>, report: &mut Report) -> Result<()> {
        match self {
            Self::Writes => writes::run(bench, report),
            Self::Reads => reads::run(bench, report),
            Self::Start => start::run(bench, report),
            Self::Keys => keys::run(bench, report),
            Self::Growth => growth::run(bench, report),
        }
    }
}

/// Measures as the arguments of the process say.
pub fn main() -> ExitCode {
    let missed = match run(&Arguments::parse()) {
        Ok(report) => report.missed().to_vec(),
        Err(error) => vec![error.to_string()],
    };
    for line in &missed {
        eprintln!("bench: {line}");
    }
    match missed.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn run(arguments: &Arguments) -> Result<Report> {
    let root = root();
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
    };
    let [rounds, requests, processes, warm_up] = match arguments.quick {
        true => [15, 120, 3, 3_000],
        false => {
            [usize::try_from(arguments.rounds)?, usize::try_from(arguments.requests)?, 5, 3_000]
        }
    };
    let secrets = Secrets::generate()?;
    let bench = Bench {
        root,
        gate: match &arguments.gate {
            // Cargo runs this in the package's own folder.
            Some(folder) => root.join(folder),
            None => {
                build(&[])?;
                root.join("build")
            }
        },
        baseline: arguments.baseline.as_ref().map(|folder| root.join(folder)),
        upstream: upstream::start(secrets.authorization())?,
        secrets,
        plan: Plan { rounds, processes, requests, warm_up, seed },
    };
    println!("{rounds} rounds of {requests} requests, over {processes} processes; --seed {seed}");
    let mut report = Report::default();
    for part in Part::value_variants() {
        let wanted = match arguments.only {
            Some(only) => only == *part,
            // These take minutes.
            None => !(arguments.quick && matches!(part, Part::Keys | Part::Growth)),
        };
        if wanted {
            let before = load_average()?;
            if let Some(value) = part.to_possible_value() {
                report.begin(value.get_name());
            }
            part.run(&bench, &mut report)?;
            println!("load average: {before} before, {} after", load_average()?);
        }
    }
    Ok(report)
}

/// Prints the medians of a comparison and these ratios, and those to the baseline; keeps the raw rows.
fn finish(
    bench: &Bench<'_>,
    report: &mut Report,
    samples: &Samples,
    ratios: &[(&str, &str, Option<f64>)],
) -> Result<()> {
    report.table("CPU microseconds");
    for (name, figure) in samples.medians() {
        report.row(name, figure, None);
    }
    report.table("ratios");
    for (above, below, goal) in ratios {
        report.row(&format!("{above} / {below}"), samples.ratio(above, below), *goal);
    }
    for name in samples.names() {
        let old = format!("old {name}");
        if samples.names().contains(&old) {
            report.row(&format!("{name} / {old}"), samples.ratio(name, &old), None);
        }
    }
    let file = samples.save(bench, report.part())?;
    println!("every round: {}", file.display());
    Ok(())
}

/// Returns the load of the machine in the last minute.
fn load_average() -> Result<String> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}
