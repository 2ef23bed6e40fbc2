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
use super::{cells, load, met, workerd};

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
    let start = || -> Result<workerd::Workerd, Box<dyn Error>> {
        let gate = subjects::registered("gate", build, secrets, upstream.address)?;
        let config = workerd::Config::new().external("kv", stores.kv);
        let config = config.listening(gate.kv("KEY_REGISTRY", "kv"));
        Ok(config.start(&workerd::binary(root))?)
    };
    let workerd = start()?;
    let mut by_size = Vec::new();
    for keys in SIZES {
        let requests = requests(secrets, keys, keys.min(IN_USE))?;
        let one = subject("gate", &workerd, requests);
        one.warm_up(count.max(2 * IN_USE))?;
        by_size.push(one);
    }
    stores.take_reads();
    println!("\nkeys in KV, of which at most {IN_USE} are in use; CPU microseconds of a read\n");
    println!(
        "{:8}{}",
        "round",
        SIZES.map(|keys| format!("{keys:>14}")).concat()
    );
    let mut rows = Vec::new();
    for round in 1..=rounds {
        let mut row = [0.0; SIZES.len()];
        for (cell, one) in row.iter_mut().zip(&by_size) {
            *cell = one.measure(workerd.pid(), count)?;
        }
        println!("{round:<8}{}", cells(&row));
        rows.push(row);
    }
    println!();
    let ratio = median(rows.iter().map(|[one, _, many]| many / one));
    report("100,000 keys / 1 key", ratio, 1.10);
    let sent = f64::from(rounds) * SIZES.len() as f64 * count as f64;
    report(
        "KV reads per request",
        stores.take_reads() as f64 / sent,
        0.02,
    );
    drop(workerd);

    // Every key there is, once: the most that an isolate ever remembers. workerd itself grows by such a
    // load, so a pass-through under the same tells what is the gate's own.
    let all = requests(secrets, 100_000, 100_000)?;
    let floor = workerd::Config::new()
        .listening(subjects::pass_through(secrets, upstream.address))
        .start(&workerd::binary(root))?;
    subject("pass-through", &floor, all.clone()).warm_up(all.len())?;
    let gate = start()?;
    subject("gate", &gate, all.clone()).warm_up(all.len())?;
    let [own, floor] = [resident(gate.pid())?, resident(floor.pid())?];
    println!("resident after 100,000 keys: {own:.0} MB, of a pass-through {floor:.0} MB");
    report("MB more than that", (own - floor).max(0.0), 32.0);
    Ok(())
}

/// Reads by `used` of so many keys, which lie far apart among them; each connection has some.
fn requests(secrets: &Secrets, keys: usize, used: usize) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let numbers = (0..used.max(CONNECTIONS)).map(|number| number % used * (keys / used));
    numbers
        .map(|number| {
            let session = secrets.session_of(&format!("pk_{number}"))?;
            Ok(load::get(&[(
                "Authorization",
                &format!("Bearer {session}"),
            )]))
        })
        .collect()
}

fn subject(name: &'static str, workerd: &workerd::Workerd, requests: Vec<Vec<u8>>) -> Subject {
    Subject {
        name,
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, workerd.port(name))),
        requests,
        connections: CONNECTIONS,
        status: 200,
    }
}

fn report(name: &str, value: f64, goal: f64) {
    println!("{name:24}{value:8.4}{goal:8.2}  {}", met(value <= goal));
}

/// Resident memory of a process in MB.
fn resident(pid: u32) -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    let kilobytes: f64 = kilobytes.ok_or("no VmRSS")?.trim().parse()?;
    Ok(kilobytes * 1_024.0 / 1e6)
}
