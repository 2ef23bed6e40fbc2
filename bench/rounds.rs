//! Rounds: in each, every subject has a turn of the same number of requests, in random order, so that whatever else
//! the machine does meets all of them alike. Many short rounds tell more than a few long ones.

use std::cell::Cell;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::Result;
use super::cpu;
use super::load::{CONNECTIONS, Callers, Request};
use super::statistics::{Estimate, Random};
use super::subjects::Bench;

/// Requests on every new connection before the clock starts.
const SETTLE: usize = 4;

/// How much is measured.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Requests of a turn.
    pub(crate) requests: usize,
    /// Requests that each subject gets first, for the runtime's compilers to settle.
    pub(crate) warm_up: usize,
    /// Keys, where there are many.
    pub(crate) keys: usize,
    /// Decides the order of the turns.
    pub(crate) seed: u64,
}

/// One worker under one kind of request.
pub(crate) struct Subject<'a> {
    pub(crate) name: String,
    address: SocketAddr,
    status: u16,
    /// Makes the request of this number.
    request: Box<dyn Fn(usize) -> Result<Request> + 'a>,
    /// The number of the next request.
    next: Cell<usize>,
    /// One of so many requests of a turn is sent.
    thinned: usize,
}

impl<'a> Subject<'a> {
    /// A worker that listens on `port` and answers every one of these requests with `status`.
    pub(crate) fn new(
        name: impl Into<String>,
        port: u16,
        status: u16,
        request: impl Fn(usize) -> Result<Request> + 'a,
    ) -> Self {
        Self {
            name: name.into(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            status,
            request: Box::new(request),
            next: Cell::new(0),
            thinned: 1,
        }
    }

    /// Sends only one of so many requests, because each is large.
    pub(crate) fn thinned(mut self, to_one_of: usize) -> Self {
        self.thinned = to_one_of;
        self
    }

    /// Sends one request and returns the head of the answer.
    pub(crate) fn once(&self) -> Result<Vec<u8>> {
        let requests = self.take(1)?;
        Ok(Callers::connect(self.address, &requests, 1, self.status)?.send(1)?)
    }

    /// Sends `count` requests or a few more.
    pub(crate) fn warm_up(&self, count: usize) -> Result<()> {
        self.turn(0, count, || Ok(())).map(drop)
    }

    /// Returns the CPU time of `pid` for each of `count` requests, in microseconds.
    fn measure(&self, pid: u32, count: usize) -> Result<f64> {
        let before = Cell::default();
        let sent = self.turn(SETTLE, count, || {
            before.set(cpu::used(pid)?);
            Ok(())
        })?;
        let used = cpu::used(pid)?.saturating_sub(before.get());
        Ok(used.as_secs_f64() * 1e6 / sent as f64)
    }

    /// Sends `count` requests or a few more, after some that do not count, and returns how many.
    fn turn(&self, settle: usize, count: usize, begin: impl Fn() -> Result<()>) -> Result<usize> {
        let each = (count / self.thinned).div_ceil(CONNECTIONS).max(1);
        let settle = settle.min(each);
        let requests = self.take(CONNECTIONS * (settle + each))?;
        let mut callers = Callers::connect(self.address, &requests, CONNECTIONS, self.status)?;
        callers.send(settle).map_err(|error| self.failed(&error))?;
        begin()?;
        callers.send(each).map_err(|error| self.failed(&error))?;
        Ok(CONNECTIONS * each)
    }

    fn take(&self, count: usize) -> Result<Vec<Request>> {
        let first = self.next.replace(self.next.get() + count);
        (first..first + count).map(&self.request).collect()
    }

    fn failed(&self, error: &std::io::Error) -> String {
        format!("{}: {error}", self.name)
    }
}

/// The figures of every round.
pub(crate) struct Samples {
    names: Vec<String>,
    /// A row of each round, a column of each subject.
    rows: Vec<Vec<f64>>,
}

impl Samples {
    /// Measures the subjects, all of which the process `pid` runs.
    pub(crate) fn measure(plan: &Plan, pid: u32, subjects: &[Subject<'_>]) -> Result<Self> {
        for subject in subjects {
            eprintln!("warming up: {}", subject.name);
            subject.warm_up(plan.warm_up)?;
        }
        let names = subjects.iter().map(|one| one.name.clone()).collect();
        Self::collect(names, plan.rounds, plan.seed, |index| {
            subjects[index].measure(pid, plan.requests)
        })
    }

    /// Asks for the figure of every subject, by its index, in every round.
    pub(crate) fn collect(
        names: Vec<String>,
        rounds: usize,
        seed: u64,
        mut figure: impl FnMut(usize) -> Result<f64>,
    ) -> Result<Self> {
        let mut random = Random::new(seed);
        let mut order: Vec<_> = (0..names.len()).collect();
        let mut rows = Vec::new();
        for round in 1..=rounds {
            random.shuffle(&mut order);
            let mut row = vec![f64::NAN; names.len()];
            for index in &order {
                row[*index] = figure(*index)?;
            }
            rows.push(row);
            if round % 10 == 0 {
                eprintln!("round {round} of {rounds}");
            }
        }
        Ok(Self { names, rows })
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The figures of one subject, by round.
    pub(crate) fn of(&self, name: &str) -> Vec<f64> {
        let column = self.names.iter().position(|one| one == name);
        let value = |row: &Vec<f64>| column.map_or(f64::NAN, |column| row[column]);
        self.rows.iter().map(value).collect()
    }

    /// The ratio of two subjects.
    pub(crate) fn ratio(&self, above: &str, below: &str) -> Estimate {
        Estimate::of_ratio(&self.of(above), &self.of(below))
    }

    /// The median of every subject.
    pub(crate) fn medians(&self) -> impl Iterator<Item = (&str, Estimate)> {
        let names = self.names.iter();
        names.map(|name| (name.as_str(), Estimate::of(&self.of(name))))
    }

    /// Writes every row to a file, for whoever wants to work out something else, and returns the file.
    pub(crate) fn save(&self, bench: &Bench<'_>, name: &str) -> Result<PathBuf> {
        let mut text = format!("{}\n", self.names.join(","));
        for row in &self.rows {
            let cells: Vec<_> = row.iter().map(|value| format!("{value:.2}")).collect();
            text.push_str(&format!("{}\n", cells.join(",")));
        }
        let folder = bench.root.join("target/bench");
        fs::create_dir_all(&folder)?;
        let file = folder.join(name).with_extension("csv");
        fs::write(&file, text)?;
        Ok(file)
    }
}
