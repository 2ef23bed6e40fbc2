//! The growth of the cost of a request with what it brings and with what is configured, as a Markdown table.
//!
//! Nothing may grow faster than its input: the last figure of a row is compared with the straight line through the
//! first and the one before the last.

use serde_json::{Value, json};
use testkit::workerd::Config;

use super::Result;
use super::goals::Report;
use super::load::{self, Request};
use super::rounds::{Samples, Subject};
use super::secrets::{Secrets, TARGET};
use super::statistics::Estimate;
use super::stores::Stores;
use super::subjects::Bench;

/// The most that the last figure may be of the straight line: the processor's caches have edges.
const MOST_OF_LINE: f64 = 1.1;
/// Keys that are in use at once, of however many there are.
const KEYS_IN_USE: usize = 1_000;
const KEYS: [usize; 3] = [1, 1_000, 100_000];
const ROUTES: [usize; 3] = [1, 20, 100];
const COMPONENTS: [usize; 3] = [4, 16, 64];
const HIT: &str = "cached hit";
const MISS: &str = "cached miss";

/// Prints the table.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let stores = Stores::start()?;
    let gate = |name: &str, routes: Vec<Value>| bench.gate(name, &bench.gate, routes);
    let mut config = Config::new()
        .external("kv", stores.kv)
        .external("cache", stores.cache)
        .listening(gate("keys", vec![json!({})])?.kv("KEY_REGISTRY", "kv"))
        .listening(gate("cached", vec![json!({"cache": {"ttl": 3600}})])?.cache("cache"));
    for count in ROUTES {
        let others = (1..count).map(|number| json!({"path": format!("/others-{number}/*")}));
        let last = json!({"unsigned_body": true});
        config = config.listening(gate(&count.to_string(), others.chain([last]).collect())?);
    }
    let session = bench.secrets.sessions()?.swap_remove(0);
    let session = session.as_str();
    let authorized = [("Authorization", session)];
    let one_route = ROUTES[0].to_string();
    let one_route = one_route.as_str();

    println!(
        "\n| what grows | cost, where the first is 1 | the last, of a straight line |\n|---|---|---|"
    );
    let mut table = Table { bench, config, report };
    table.row("request headers", &[5, 20, 100], |name, size| {
        always(name, one_route, with_headers(session, size))
    })?;
    table.row("bytes of a body", &[0, 1_024, 1_048_576, 10_485_760], |name, size| {
        let request = load::write(&authorized, &vec![b' '; size]);
        always(name, one_route, request).thinned(1 + size / 262_144)
    })?;
    let keys = table.row("keys in KV", &KEYS, |name, size| {
        let used = size.min(KEYS_IN_USE);
        Subject::new(name, "keys", 200, move |number| {
            let key = format!("pk_{}", number % used * (size / used));
            let session = bench.secrets.session_of(&key)?;
            Ok(load::get(640, &[("Authorization", &session)]))
        })
    })?;
    table.row("routes", &ROUTES, |name, size| {
        always(name, &size.to_string(), load::post(&authorized))
    })?;
    table.row("covered components", &COMPONENTS, |name, size| {
        Subject::new(name, one_route, 201, move |number| covering(&bench.secrets, size, number))
    })?;
    // Every miss is of another picture.
    let cached = [(HIT, 0), (MISS, 1)].map(|(name, step)| {
        Subject::new(name, "cached", 200, move |number| {
            Ok(load::get(640 + step * number, &authorized))
        })
    });
    let hit = table.measure("cache", &cached)?.ratio(HIT, MISS);
    println!("\nA cached hit costs {hit} of a miss.");
    let keys = keys.ratio(&KEYS[2].to_string(), &KEYS[0].to_string());
    report.judge("100,000 keys / 1 key", keys, 1.1);
    report.judge("cached hit / cached miss", hit, 1.0);
    Ok(())
}

/// The table, a row for each input.
struct Table<'a> {
    bench: &'a Bench<'a>,
    /// The process that runs all subjects.
    config: Config,
    report: &'a mut Report,
}

impl Table<'_> {
    /// Measures a subject for each size of the input, prints the row, and returns the figures. Each row is measured by
    /// itself, because the longer a key of the registry is not used, the more of its requests ask KV again.
    fn row<'s>(
        &mut self,
        input: &str,
        sizes: &[usize],
        subject: impl Fn(String, usize) -> Subject<'s>,
    ) -> Result<Samples> {
        let subjects = sizes.iter().map(|size| subject(size.to_string(), *size));
        let samples = self.measure(input, &subjects.collect::<Vec<_>>())?;
        let cost = |size: &usize| {
            let cost = samples.ratio(&size.to_string(), &sizes[0].to_string());
            format!("{}: {cost}", label(*size))
        };
        let costs: Vec<_> = sizes.iter().map(cost).collect();
        let of_line = of_line(&samples, sizes);
        println!("| {input} | {} | {of_line} |", costs.join("; "));
        self.report.judge(&format!("{input}, of a straight line"), of_line, MOST_OF_LINE);
        Ok(samples)
    }

    fn measure(&self, name: &str, subjects: &[Subject<'_>]) -> Result<Samples> {
        let samples = Samples::measure(self.bench, &self.config, subjects)?;
        samples.save(self.bench, &format!("growth, {name}"))?;
        Ok(samples)
    }
}

/// Returns the cost of the last size as a part of what the straight line through the first and the one before the
/// last says.
fn of_line(samples: &Samples, sizes: &[usize]) -> Estimate {
    let [first, .., before, last] = sizes else {
        return Estimate::exact(f64::NAN);
    };
    let longer = (last - first) as f64 / (before - first) as f64;
    let [first, before, last] = [first, before, last].map(usize::to_string);
    samples.estimate(|figure| {
        // No line falls: a size that costs less than a smaller one is noise.
        let rise = (figure(&before) - figure(&first)).max(0.0);
        figure(&last) / (figure(&first) + rise * longer)
    })
}

fn label(size: usize) -> String {
    match size {
        1_024 => "1 KiB".to_owned(),
        1_048_576.. => format!("{} MiB", size / 1_048_576),
        1_000.. => format!("{},{:03}", size / 1_000, size % 1_000),
        _ => size.to_string(),
    }
}

/// Returns a write by a session, the same each time.
fn always<'a>(name: String, worker: &str, request: Request) -> Subject<'a> {
    Subject::new(name, worker, 201, move |_| Ok(request.clone()))
}

/// Returns a write with so many headers, `Host` and `Content-Length` among them.
fn with_headers(session: &str, count: usize) -> Request {
    let names: Vec<_> = (5..count).map(|number| format!("X-Field-{number}")).collect();
    let known = [
        ("Authorization", session),
        ("Content-Type", "application/json"),
        ("Origin", "https://www.example.com"),
    ];
    let others = names.iter().map(|name| (name.as_str(), "a value of some length"));
    load::write(&known.into_iter().chain(others).collect::<Vec<_>>(), load::BODY.as_bytes())
}

/// Returns a signed write that covers so many components of always the same headers.
fn covering(secrets: &Secrets, count: usize, number: usize) -> Result<Request> {
    let names: Vec<_> =
        (TARGET.len()..COMPONENTS[2]).map(|number| format!("x-field-{number}")).collect();
    let fields: Vec<_> =
        names.iter().map(|name| (name.as_str(), "a value of some length")).collect();
    let (covered, others) = fields.split_at(count - TARGET.len());
    secrets.signed(number, covered, others)
}
