//! `writegate usage`: what each key of a gate has used, by day and outcome, for a program or a spreadsheet.

use std::io::{self, Write as _};
use std::sync::Mutex;
use std::thread;

use clap::Args;
use serde_json::Value;
use writegate::{Day, KeyId, Timestamp};

use crate::admin::{Gate, GateOptions};
use crate::error::{Context as _, Error, Result};
use crate::project::ProjectOptions;
use crate::settings;

/// The columns, in their order.
const COLUMNS: [&str; 9] = [
    "key",
    "day",
    "outcome",
    "code",
    "requests",
    "bytes_in",
    "bytes_out",
    "upstream_ms",
    "upstream_429",
];
/// Keys that are asked for at a time.
const AT_A_TIME: usize = 8;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    which: GateOptions,
    #[command(flatten)]
    project: ProjectOptions,
    /// Only this key; may be repeated [default: all of the configuration and of the registry]
    #[arg(long = "key", value_name = "ID", value_parser = settings::id)]
    keys: Vec<KeyId>,
    /// The first day, in UTC, such as 2026-11-01 [default: 30 days before the last]
    #[arg(long, value_name = "DAY", value_parser = day)]
    from: Option<String>,
    /// The last day [default: today]
    #[arg(long, value_name = "DAY", value_parser = day)]
    to: Option<String>,
    /// Comma-separated values with a line of names, instead of a JSON object a line
    #[arg(long)]
    csv: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let project = options.project.find()?;
    let gate = options.which.open(&project)?;
    let keys = match options.keys.as_slice() {
        [] => all_keys(&gate)?,
        keys => keys.iter().map(ToString::to_string).collect(),
    };
    let mut period = String::new();
    for (name, day) in [("from", &options.from), ("to", &options.to)] {
        if let Some(day) = day {
            period.push_str(&format!("&{name}={day}"));
        }
    }
    let mut out = io::stdout().lock();
    if options.csv {
        writeln!(out, "{}", COLUMNS.join(",")).context("printing")?;
    }
    for some in keys.chunks(AT_A_TIME * 8) {
        for row in usage(&gate, some, &period)? {
            let line = if options.csv { csv(&row) } else { row.to_string() };
            match writeln!(out, "{line}") {
                // `usage | head` has what it wanted.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                written => written.context("printing a row")?,
            }
        }
    }
    Ok(())
}

/// The ids of all keys that may have used something.
fn all_keys(gate: &Gate) -> Result<Vec<String>> {
    let status = gate.ask("GET", "_gate/status", None)?;
    let configured = status["keys"].as_array().into_iter().flatten();
    let callers = configured.filter(|key| key["admin"] != true);
    let mut ids: Vec<String> = callers.filter_map(id).collect();
    if status["bindings"]["KEY_REGISTRY"] == true {
        for page in gate.pages() {
            ids.extend(page?.iter().filter_map(id));
        }
    }
    Ok(ids)
}

fn id(record: &Value) -> Option<String> {
    record["id"].as_str().map(str::to_owned)
}

/// The rows of these keys, in their order.
fn usage(gate: &Gate, keys: &[String], period: &str) -> Result<Vec<Value>> {
    let left = Mutex::new(keys.iter().enumerate());
    let answers = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _worker in 0..AT_A_TIME.min(keys.len()) {
            scope.spawn(|| {
                loop {
                    let next = left.lock().ok().and_then(|mut left| left.next());
                    let Some((number, key)) = next else {
                        return;
                    };
                    let answer = gate.query("_gate/usage", &format!("key={key}{period}"));
                    if let Ok(mut answers) = answers.lock() {
                        answers.push((number, key, answer));
                    }
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap_or_default();
    answers.sort_by_key(|(number, ..)| *number);
    let mut rows = Vec::new();
    for (_number, key, answer) in answers {
        let mut answer = answer?;
        let Value::Array(own) = answer["rows"].take() else {
            return Err(Error::new("the gate's answer has no rows in it"));
        };
        rows.extend(own.into_iter().map(|mut row| {
            row["key"] = Value::from(key.as_str());
            row
        }));
    }
    Ok(rows)
}

/// A row as comma-separated values. None of them holds a comma or a quote: ids, days, names and numbers.
fn csv(row: &Value) -> String {
    let cells = COLUMNS.map(|column| match &row[column] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    cells.join(",")
}

/// A day as the gate takes it.
fn day(text: &str) -> std::result::Result<String, String> {
    let day = Timestamp::parse_rfc3339(text).map(|time| Day::of(time).to_string());
    day.filter(|day| day == text).ok_or_else(|| "expected a day such as 2026-11-22".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_has_a_cell_for_each_column() {
        let row = json!({"day": "2026-11-22", "outcome": "refused", "code": "rate-limited", "requests": 3, "key": "pk_a"});
        assert_eq!(csv(&row), "pk_a,2026-11-22,refused,rate-limited,3,,,,");
        assert_eq!(csv(&json!({"key": "a", "code": null, "requests": 0})), "a,,,,0,,,,");
    }

    #[test]
    fn a_day_is_a_day() {
        assert_eq!(day("2026-11-22").as_deref(), Ok("2026-11-22"));
        for wrong in ["2026-11-31", "2026-11-22T00:00:00Z", "today", "", "2026-11-22&key=x"] {
            assert!(day(wrong).is_err(), "{wrong}");
        }
    }
}
