//! Rounds: in each, every subject has a turn of the same number of requests, in random order, so that whatever else
//! the machine does meets all of them alike. Many short rounds tell more than a few long ones.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;

use testkit::client::Response;
use testkit::random::Random;
use testkit::workerd::{Config, Workerd};

use super::load::{CONNECTIONS, Callers, Request};
use super::statistics::Estimate;
use super::subjects::Bench;
use super::{Result, cpu};

/// Requests on every new connection before the clock starts.
const SETTLE: usize = 4;

/// The amount that is measured.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Over how many processes they are spread, one after the other: where a process happens to put code and data
    /// in memory makes one worker some percent faster or slower for as long as the process lives.
    pub(crate) processes: usize,
    /// Requests of a turn.
    pub(crate) requests: usize,
    /// Requests that each subject gets first, for the runtime's compilers to settle.
    pub(crate) warm_up: usize,
    /// Decides the order of the turns.
    pub(crate) seed: u64,
}

/// One worker under one kind of request.
pub(crate) struct Subject<'a> {
    pub(crate) name: String,
    /// The socket that it listens on.
    worker: String,
    status: u16,
    /// Makes the request of this number.
    request: Box<dyn Fn(usize) -> Result<Request> + 'a>,
    /// The number of the next request.
    next: Cell<usize>,
    /// One of so many requests of a turn is sent.
    thinned: usize,
}

impl<'a> Subject<'a> {
    /// Returns a worker that answers every one of these requests with `status`.
    pub(crate) fn new(
        name: impl Into<String>,
        worker: impl Into<String>,
        status: u16,
        request: impl Fn(usize) -> Result<Request> + 'a,
    ) -> Self {
        Self {
            name: name.into(),
            worker: worker.into(),
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

    /// Sends one request and returns the answer.
    pub(crate) fn once(&self, workerd: &Workerd) -> Result<Response> {
        let requests = self.take(1)?;
        let port = workerd.port(&self.worker);
        let answer = Callers::connect(port, &requests, 1, self.status)?.send(1)?;
        answer.ok_or_else(|| self.failed(&std::io::Error::other("no request was sent")).into())
    }

    /// Sends `count` requests or a few more.
    pub(crate) fn warm_up(&self, workerd: &Workerd, count: usize) -> Result<()> {
        self.turn(workerd, 0, count, || Ok(())).map(drop)
    }

    /// Returns the CPU time of the process for each of `count` requests, in microseconds.
    fn measure(&self, workerd: &Workerd, count: usize) -> Result<f64> {
        let before = Cell::default();
        let sent = self.turn(workerd, SETTLE, count, || {
            before.set(cpu::used(workerd.pid())?);
            Ok(())
        })?;
        let used = cpu::used(workerd.pid())?.saturating_sub(before.get());
        Ok(used.as_secs_f64() * 1e6 / sent as f64)
    }

    /// Sends `count` requests or a few more, after some that do not count, and returns how many.
    fn turn(
        &self,
        workerd: &Workerd,
        settle: usize,
        count: usize,
        begin: impl Fn() -> Result<()>,
    ) -> Result<usize> {
        let each = (count / self.thinned).div_ceil(CONNECTIONS).max(1);
        let settle = settle.min(each);
        let requests = self.take(CONNECTIONS * (settle + each))?;
        let port = workerd.port(&self.worker);
        let mut callers = Callers::connect(port, &requests, CONNECTIONS, self.status)?;
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
    /// The number of consecutive rows that come from one process.
    of_process: usize,
}

impl Samples {
    /// Measures the subjects, all of which one process runs.
    pub(crate) fn measure(
        bench: &Bench<'_>,
        config: &Config,
        subjects: &[Subject<'_>],
    ) -> Result<Self> {
        let plan = &bench.plan;
        let names = subjects.iter().map(|one| one.name.clone()).collect();
        let mut samples = Self::new(names, plan.rounds.div_ceil(plan.processes));
        let mut random = Random::new(plan.seed);
        for process in 1..=plan.processes {
            eprintln!("process {process} of {}", plan.processes);
            let workerd = bench.start(config)?;
            for subject in subjects {
                subject.warm_up(&workerd, plan.warm_up)?;
            }
            for _ in 0..samples.of_process {
                samples
                    .round(&mut random, |index| subjects[index].measure(&workerd, plan.requests))?;
            }
        }
        Ok(samples)
    }

    /// Begins without a round, for these subjects.
    pub(crate) fn new(names: Vec<String>, of_process: usize) -> Self {
        Self { names, rows: Vec::new(), of_process }
    }

    /// Adds a round: asks for the figure of every subject, by its index, in random order.
    pub(crate) fn round(
        &mut self,
        random: &mut Random,
        mut figure: impl FnMut(usize) -> Result<f64>,
    ) -> Result<()> {
        let mut order: Vec<_> = (0..self.names.len()).collect();
        random.shuffle(&mut order);
        let mut row = vec![f64::NAN; order.len()];
        for index in order {
            row[index] = figure(index)?;
        }
        self.rows.push(row);
        Ok(())
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the ratio of two subjects.
    pub(crate) fn ratio(&self, above: &str, below: &str) -> Estimate {
        self.estimate(|figure| figure(above) / figure(below))
    }

    /// Estimates a value that is worked out from the figures of each round, which are asked for by subject.
    pub(crate) fn estimate(&self, value: impl Fn(&dyn Fn(&str) -> f64) -> f64) -> Estimate {
        let of_round = |row: &Vec<f64>| {
            value(&|name| {
                let column = self.names.iter().position(|one| one == name);
                column.map_or(f64::NAN, |column| row[column])
            })
        };
        let values: Vec<_> = self.rows.iter().map(of_round).collect();
        Estimate::of(&values, self.of_process)
    }

    /// Returns the median of every subject.
    pub(crate) fn medians(&self) -> impl Iterator<Item = (&str, Estimate)> {
        let names = self.names.iter();
        names.map(|name| (name.as_str(), self.estimate(|figure| figure(name))))
    }

    /// Writes every row to a file, so that other figures can be computed, and returns the file.
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
