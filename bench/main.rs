//! `cargo bench`: what a request costs at the gate, and what it would cost elsewhere.
//!
//! One workerd process runs a pass-through worker that checks nothing, a Hono worker that does the
//! gate's work, and the gate; each gets the same requests in turn, the gate also requests without a
//! credential. What counts is the CPU time of the workerd process: it is what Workers are billed for,
//! and unlike the time on the clock it does not depend on the upstream. The figures of one machine are
//! worth something only beside each other, hence the ratios.
//!
//! In scope: the CPU time of one request, the size of the Worker. Out of scope: throughput, latency.
//! Linux only (`/proc`).

mod cpu;
mod http;
mod keys;
mod load;
mod measure;
mod reads;
mod same;
mod size;
mod stores;
mod subjects;
mod upstream;
#[path = "../src/bin/writegate/workerd.rs"]
mod workerd;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;

use measure::{Subject, median};
use same::Work;
use subjects::Secrets;
use upstream::Upstream;

/// Measures the CPU time of a request at the gate, beside a pass-through worker and a Hono worker.
#[derive(Parser)]
struct Arguments {
    /// A rough answer within seconds: 3 rounds of 800 requests
    #[arg(long)]
    quick: bool,
    /// How many times each worker has its turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Requests of a turn
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    requests: u32,
    /// Connections, each with a session of its own
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    connections: u32,
    /// Only some of the figures
    #[arg(long, value_enum)]
    only: Option<Figures>,
    /// A Worker that is built already, instead of building it
    #[arg(long, value_name = "DIR")]
    gate: Option<PathBuf>,
    // What cargo itself passes.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Figures {
    /// Writes, beside a pass-through and Hono, and the size
    Writes,
    /// Cached reads
    Reads,
    /// Many keys
    Keys,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (rounds, requests) = match arguments.quick {
        true => (3, 800),
        false => (arguments.rounds, usize::try_from(arguments.requests)?),
    };
    let build = match &arguments.gate {
        Some(directory) => directory.clone(),
        None => built(root)?,
    };

    let connections = usize::try_from(arguments.connections)?;
    let secrets = Secrets::generate()?;
    let upstream = Upstream::start(secrets.authorization())?;
    let size = (rounds, requests);
    let wanted = |figures| arguments.only.is_none_or(|only| only == figures);
    if wanted(Figures::Writes) {
        writes(root, &build, &secrets, &upstream, size, connections)?;
    }
    if wanted(Figures::Reads) {
        reads::run(root, &build, &secrets, &upstream, size, connections)?;
    }
    if wanted(Figures::Keys) {
        keys::run(root, &build, &secrets, &upstream, size)?;
    }
    Ok(())
}

/// Writes, beside a pass-through and Hono, and the size.
fn writes(
    root: &Path,
    build: &Path,
    secrets: &Secrets,
    upstream: &Upstream,
    (rounds, requests): (u32, usize),
    connections: usize,
) -> Result<(), Box<dyn Error>> {
    let gate =
        |name, unsigned_body| subjects::gate(name, build, secrets, upstream.address, unsigned_body);
    let workerd = workerd::Config::new()
        .listening(subjects::pass_through(secrets, upstream.address))
        .listening(subjects::hono(root, secrets, upstream.address)?)
        .listening(gate("gate", false)?)
        .listening(gate("unsigned-body", true)?)
        .start(&workerd::binary(root))?;

    let sessions = secrets.sessions(connections)?;
    let with: Vec<_> = sessions
        .iter()
        .map(|one| load::post(&[("Authorization", &format!("Bearer {one}"))]))
        .collect();
    let without = vec![load::post(&[]); sessions.len()];
    let signed = |digest| secrets.signed(sessions.len(), digest);
    let subject = |name, worker, requests: &[Vec<u8>], status| Subject {
        name,
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, workerd.port(worker))),
        requests: requests.to_vec(),
        connections,
        status,
    };
    let [pass_through, hono, gate, refusal, head_signed, body_signed] = [
        subject("pass-through", "pass-through", &with, 201),
        subject("Hono", "hono", &with, 201),
        subject("gate", "gate", &with, 201),
        subject("refusal", "gate", &without, 401),
        subject("signed head", "unsigned-body", &signed(false)?, 201),
        subject("signed body", "gate", &signed(true)?, 201),
    ];

    let theirs = Work::of(&hono, upstream, workerd.logs())?;
    let ours = Work::of(&gate, upstream, workerd.logs())?;
    let differences = theirs.differences(&ours);
    if !differences.is_empty() {
        let list = differences.join("\n  ");
        return Err(format!("Hono and the gate did not do the same work:\n  {list}").into());
    }

    let mut subjects = [pass_through, hono, gate, refusal, head_signed, body_signed];
    for subject in &subjects {
        eprintln!("warming up: {} ({requests} requests)", subject.name);
        subject.warm_up(requests)?;
    }
    println!(
        "CPU time of the workerd process per request, in microseconds; {requests} requests a turn over \
         {} connections\n",
        sessions.len()
    );
    println!(
        "{:8}{}",
        "round",
        subjects
            .each_ref()
            .map(|one| format!("{:>14}", one.name))
            .concat()
    );
    let mut rows = Vec::new();
    for round in 1..=rounds {
        // A signature is good for five minutes, and all rounds together take longer.
        subjects[4].requests = signed(false)?;
        subjects[5].requests = signed(true)?;
        let mut row = [0.0; 6];
        for (cell, subject) in row.iter_mut().zip(&subjects) {
            *cell = subject.measure(workerd.pid(), requests)?;
        }
        println!("{round:<8}{}", cells(&row));
        rows.push(row);
    }
    println!(
        "{:8}{}\n",
        "median",
        cells(&[0, 1, 2, 3, 4, 5].map(|column| median(rows.iter().map(|row| row[column]))))
    );

    println!("{:24}{:>8}{:>8}", "median of the ratios", "is", "goal");
    for (name, above, below, goal) in [
        ("gate / Hono", 2, 1, 0.85),
        ("gate / pass-through", 2, 0, 1.20),
        ("refusal / pass-through", 3, 0, 0.50),
        // Four components; the body is not covered, so both stream it.
        ("signed head / gate", 4, 2, 1.15),
    ] {
        let ratio = median(rows.iter().map(|row| row[above] / row[below]));
        println!("{name:24}{ratio:8.2}{goal:8.2}  {}", met(ratio <= goal));
    }
    // Five components, and the body read and hashed before it is sent on.
    let ratio = median(rows.iter().map(|row| row[5] / row[2]));
    println!("{:24}{ratio:8.2}", "signed body / gate");
    let size = size::of(build)?;
    let sum = size.wasm + size.script;
    println!(
        "{:24}{:8.1}{:8}  {}  (kB gzipped: Wasm {:.1}, JavaScript {:.1})",
        "size",
        kilo(sum),
        150,
        met(sum <= 150_000),
        kilo(size.wasm),
        kilo(size.script)
    );
    Ok(())
}

/// The Worker, built by the command as for `wrangler`, with what that installs.
fn built(root: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let status = Command::new(env!("CARGO_BIN_EXE_writegate"))
        .arg("build")
        .current_dir(root)
        .status()?;
    match status.success() {
        true => Ok(root.join("build")),
        false => Err("the Worker could not be built".into()),
    }
}

fn cells(values: &[f64]) -> String {
    values.iter().map(|value| format!("{value:14.1}")).collect()
}

fn met(goal: bool) -> &'static str {
    if goal { "met" } else { "MISSED" }
}

fn kilo(bytes: u32) -> f64 {
    f64::from(bytes) / 1e3
}
