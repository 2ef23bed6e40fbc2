//! `writegate usage`: what each key of a gate has used, by day and outcome, for a program or a spreadsheet.

use clap::Args;
use serde_json::Value;
use writegate::{Day, KeyId, Timestamp};

use crate::admin::{self, Gate, GateOptions};
use crate::error::{Error, Result};
use crate::project::ProjectOptions;
use crate::settings;

/// The columns, in their order.
const COLUMNS: [&str; 9] = [
    "key", "day", "outcome", "code", "requests", "bytes_in", "bytes_out", "upstream_ms",
    "upstream_429",
];

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    which: GateOptions,
    #[command(flatten)]
    project: ProjectOptions,
    /// Only this key; may be repeated, or several with commas [default: all of the configuration and of the registry]
    #[arg(long = "key", value_name = "ID", value_delimiter = ',', value_parser = settings::id)]
    keys: Vec<KeyId>,
    /// The first day, in UTC, such as 2026-11-01 [default: 30 days before the last]
    #[arg(long, value_name = "DAY", value_parser = day)]
    from: Option<String>,
    /// The last day [default: today]
    #[arg(long, value_name = "DAY", value_parser = day)]
    to: Option<String>,
    /// Print comma-separated values with a header line, instead of one JSON object per line. An id that begins with -
    /// gets an apostrophe, because a spreadsheet would compute it
    #[arg(long)]
    csv: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    // Days in this form are in the order of their text.
    if let (Some(from), Some(to)) = (&options.from, &options.to)
        && from > to
    {
        return Err(Error::usage("--from: this day is after that of --to"));
    }
    let project = options.project.find()?;
    let gate = options.which.open(&project)?;
    let days = [("from", &options.from), ("to", &options.to)];
    let given = days.iter().filter_map(|(name, day)| Some(format!("{name}={}", day.as_ref()?)));
    let period = admin::joined(given);
    if options.csv {
        println!("{}", COLUMNS.join(","));
    }
    let pages: Box<dyn Iterator<Item = Result<Vec<Value>>>> = match options.keys.as_slice() {
        [] => Box::new(gate.pages_of("_gate/usage/keys", &period)),
        keys => {
            // A key that is named twice has used nothing twice.
            let each = keys.iter().enumerate().filter(|(at, key)| !keys[..*at].contains(key));
            Box::new(each.map(|(_, key)| Ok(vec![of_key(&gate, key, &period)?])))
        }
    };
    for page in pages {
        for row in page?.into_iter().map(rows).collect::<Result<Vec<_>>>()?.concat() {
            println!("{}", if options.csv { csv(&row) } else { row.to_string() });
        }
    }
    Ok(())
}

/// Returns the usage of one key, as in a page of all.
fn of_key(gate: &Gate, key: &KeyId, period: &str) -> Result<Value> {
    let mut usage =
        gate.query("_gate/usage", &admin::joined([period.to_owned(), format!("key={key}")]))?;
    usage["id"] = key.as_str().into();
    Ok(usage)
}

/// Returns the rows of a key, each with its id.
fn rows(mut usage: Value) -> Result<Vec<Value>> {
    let Value::Array(mut rows) = usage["rows"].take() else {
        return Err(Error::new(
            "the gate's answer has no list of usage: is the gate of this release?",
        ));
    };
    for row in &mut rows {
        row["key"] = usage["id"].clone();
    }
    Ok(rows)
}

/// Returns a row as comma-separated values.
fn csv(row: &Value) -> String {
    let cells = COLUMNS.map(|column| match &row[column] {
        Value::Null => String::new(),
        Value::String(text) => cell(text),
        other => other.to_string(),
    });
    cells.join(",")
}

/// Writes a text as a cell (RFC 4180). A spreadsheet computes what begins with one of these characters, unless it has an
/// apostrophe before it; of them, an id may begin with `-`.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['-', '=', '+', '@', '\t', '\r']) { "'" } else { "" };
    match text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{guard}{}\"", text.replace('"', "\"\"")),
        false => format!("{guard}{text}"),
    }
}

/// Returns a day as the gate takes it.
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
    fn a_spreadsheet_computes_no_cell() {
        for (text, written) in [
            ("-pk", "'-pk"),
            ("-1", "'-1"),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1,2", "\"'\r=1,2\""),
            ("pk-1", "pk-1"),
            ("a,\"b\"", "\"a,\"\"b\"\"\""),
        ] {
            assert_eq!(cell(text), written);
        }
        // A number is one.
        assert_eq!(csv(&json!({"key": "-a", "requests": -1})), "'-a,,,,-1,,,,");
    }

    #[test]
    fn a_day_is_a_day() {
        assert_eq!(day("2026-11-22").as_deref(), Ok("2026-11-22"));
        for wrong in ["2026-11-31", "2026-11-22T00:00:00Z", "today", "", "2026-11-22&key=x"] {
            assert!(day(wrong).is_err(), "{wrong}");
        }
    }
}
