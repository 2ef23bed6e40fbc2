//! What a request costs when there are many keys in KV: the same requests with 1, 1,000 and 100,000
//! keys, and what the isolate takes of memory.

use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use super::measure::{Subject, median};
use super::stores::Stores;
use super::subjects::{self, Secrets};
use super::upstream::Upstream;
use super::{load, met, workerd};

/// Keys that are in use at once, of however many there are.
const IN_USE: usize = 1_000;
/// How many there are.
const SIZES: [usize; 3] = [1, 1_000, 100_000];
const CONNECTIONS: usize = 8;

/// Prints the figures.
pub(crate) fn run(
    root: &Path,
    build: &Path,
    secrets: &Secrets,
    upstream: &Upstream,
    (rounds, count): (u32, usize),
) -> Result<(), Box<dyn Error>> {
    let stores = Stores::start()?;
    let gate =
        subjects::registered("gate", build, secrets, upstream.address)?.kv("KEY_REGISTRY", "kv");
    let workerd = workerd::Config::new()
        .external("kv", stores.kv)
        .listening(gate)
        .start(&workerd::binary(root))?;
    let subject = |requests| Subject {
        name: "gate",
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, workerd.port("gate"))),
        requests,
        connections: CONNECTIONS,
        status: 200,
    };
    // Keys in use lie far apart among those there are.
    let of = |keys: usize, used: usize| -> Result<Subject, Box<dyn Error>> {
        let requests = (0..used).map(|number| {
            let session = secrets.session_of(&format!("pk_{}", number * (keys / used)))?;
            Ok(load::get(&[(
                "Authorization",
                &format!("Bearer {session}"),
            )]))
        });
        Ok(subject(requests.collect::<Result<_, Box<dyn Error>>>()?))
    };
    let bare = of(1, 1)?;
    bare.warm_up(count)?;
    let before = resident(workerd.pid())?;
    let mut by_size = Vec::new();
    for keys in SIZES {
        let one = of(keys, keys.min(IN_USE))?;
        one.warm_up(count.max(2 * IN_USE))?;
        by_size.push(one);
    }
    stores.take_reads();
    println!("\nkeys in KV, of which at most {IN_USE} are in use; CPU microseconds of a read\n");
    let names = SIZES.map(|keys| format!("{keys:>14}"));
    println!("{:8}{}", "round", names.concat());
    let mut rows = Vec::new();
    for round in 1..=rounds {
        let mut row = [0.0; SIZES.len()];
        for (cell, one) in row.iter_mut().zip(&by_size) {
            *cell = one.measure(workerd.pid(), count)?;
        }
        println!("{round:<8}{}", super::cells(&row));
        rows.push(row);
    }
    let [first, .., last] =
        [0, 1, 2].map(|column| median(rows.iter().map(|row: &[f64; 3]| row[column])));
    let requests = u64::from(rounds) * SIZES.len() as u64 * count as u64;
    let reads = stores.take_reads() as f64 / requests as f64;
    println!(
        "{:8}{}\n",
        "ratio",
        format_args!("{:14}{:14}{:14.2}", "", "", last / first)
    );
    report("100,000 keys / 1 key", last / first, 1.10);
    report("KV reads per request", reads, 0.02);
    // Every key there is, once: the most that an isolate ever remembers.
    let all = of(100_000, 100_000)?;
    all.warm_up(100_000)?;
    let grown = resident(workerd.pid())?.saturating_sub(before);
    report("MB more after 100,000 keys", grown as f64 / 1e6, 32.0);
    Ok(())
}

fn report(name: &str, value: f64, goal: f64) {
    println!("{name:28}{value:8.4}{goal:8.2}  {}", met(value <= goal));
}

/// Resident memory of a process in bytes: more than the isolate's own.
fn resident(pid: u32) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: u64 = line
        .and_then(|line| line.trim().strip_suffix("kB"))
        .ok_or("no VmRSS")?
        .trim()
        .parse()?;
    Ok(kilobytes * 1_024)
}
