//! What a cached read costs beside a pass-through that has to ask the upstream for it.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use super::measure::{Subject, median};
use super::stores::Stores;
use super::subjects::{self, Secrets};
use super::upstream::Upstream;
use super::{cells, load, met, workerd};

/// Prints the figures.
pub(crate) fn run(
    root: &Path,
    build: &Path,
    secrets: &Secrets,
    upstream: &Upstream,
    (rounds, count): (u32, usize),
    connections: usize,
) -> Result<(), Box<dyn Error>> {
    let stores = Stores::start()?;
    let workerd = workerd::Config::new()
        .external("cache", stores.cache)
        .listening(subjects::pass_through(secrets, upstream.address))
        .listening(subjects::cached("gate", build, secrets, upstream.address)?.cache("cache"))
        .start(&workerd::binary(root))?;
    let sessions = secrets.sessions(connections)?;
    let with: Vec<_> = sessions
        .iter()
        .map(|one| load::get(&[("Authorization", &format!("Bearer {one}"))]))
        .collect();
    let subject = |name, worker| Subject {
        name,
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, workerd.port(worker))),
        requests: with.clone(),
        connections,
        status: 200,
    };
    let subjects = [
        subject("pass-through", "pass-through"),
        subject("cached hit", "gate"),
    ];
    for one in &subjects {
        one.warm_up(count)?;
    }
    println!("\nreads of 8 KB; CPU microseconds\n");
    println!("{:8}{:>14}{:>14}", "round", "pass-through", "cached hit");
    let mut rows = Vec::new();
    for round in 1..=rounds {
        let mut row = [0.0; 2];
        for (cell, one) in row.iter_mut().zip(&subjects) {
            *cell = one.measure(workerd.pid(), count)?;
        }
        println!("{round:<8}{}", cells(&row));
        rows.push(row);
    }
    let ratio = median(rows.iter().map(|[floor, hit]| hit / floor));
    println!(
        "\n{:24}{ratio:8.2}{:8.2}  {}",
        "cached hit / pass-through",
        0.9,
        met(ratio <= 0.9)
    );
    Ok(())
}
