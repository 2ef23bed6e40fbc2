//! `writegate key import`: many records at once, in batches that are written whole or not at all.

use std::collections::HashSet;
use std::io::{self, Write as _};

use clap::Args;
use serde_json::{Value, json};

use super::records::{self, Record};
use crate::admin::{Gate, GateOptions, KEYS};
use crate::error::{Context as _, Error, Result};
use crate::gate_error::{GateError, Problem};
use crate::invocation;
use crate::progress::{Count, Progress};
use crate::project::ProjectOptions;

/// Most records that a gate takes at once.
const MOST_RECORDS: usize = 100;
/// Most bytes of a batch, a little below the 1 MiB that a gate takes.
const MOST_BYTES: usize = 1_000_000;

#[derive(Args)]
pub(crate) struct Import {
    #[command(flatten)]
    which: GateOptions,
    #[command(flatten)]
    project: ProjectOptions,
    /// Skip records whose id the gate already has, revoked or not
    #[arg(long)]
    skip_existing: bool,
    /// A JSON array of records, or one record per line; - reads standard input
    #[arg(value_name = "FILE")]
    file: String,
}

impl Import {
    pub(super) fn run(&self) -> Result<()> {
        let records = records::read(&self.file)?;
        let project = self.project.find()?;
        records::refuse_unbound(&records, &project.document()?)?;
        let gate = self.which.open(&project)?;
        let total = records.len();
        let mut left = match self.skip_existing {
            true => without_existing(&gate, records)?,
            false => records,
        };
        let mut imported = 0;
        let progress = Progress::new();
        let count = progress.count("importing keys", left.len());
        while !left.is_empty() {
            let size = batch(&left);
            match post(&gate, &left[..size]) {
                Ok(keys) => {
                    imported += size;
                    print(&count, &keys, imported)?;
                    left.drain(..size);
                    count.more(size);
                }
                Err(GateError::Refused(problem)) if self.skip_existing && problem.exists() => {
                    // KV's list may be a minute behind, and the configuration's keys are not in it.
                    let place = problem.place().map(|(index, _)| index);
                    let Some(index) = place.filter(|index| *index < size) else {
                        return Err(stopped(GateError::Refused(problem), &left[..size], imported));
                    };
                    left.remove(index);
                }
                Err(error) => return Err(stopped(error, &left[..size], imported)),
            }
        }
        drop(count);
        let skipped = match total - imported {
            0 => String::new(),
            some => {
                let show = invocation::hint("key show ID --unknown-key");
                format!(", skipped {some} that exist ({show} prints a secret again)")
            }
        };
        progress.note(&format!("imported {}{skipped}", counted(imported)));
        Ok(())
    }
}

/// Returns the records whose id the registry does not have.
fn without_existing(gate: &Gate, mut records: Vec<Record>) -> Result<Vec<Record>> {
    let mut existing = HashSet::new();
    for page in gate.pages() {
        let ids = page?.into_iter().filter_map(|mut record| {
            let id = record["id"].take();
            id.as_str().map(str::to_owned)
        });
        existing.extend(ids);
    }
    records.retain(|record| !existing.contains(record.id.as_str()));
    Ok(records)
}

/// Returns the number of records of the next batch.
fn batch(records: &[Record]) -> usize {
    let mut bytes = 2;
    let sizes = records.iter().take(MOST_RECORDS).map(|record| {
        bytes += record.json.to_string().len() + 1;
        bytes
    });
    // At least one, because the gate says if it is too long.
    sizes.take_while(|bytes| *bytes <= MOST_BYTES).count().max(1)
}

/// Returns the keys of the gate's answer, with their secrets.
fn post(gate: &Gate, batch: &[Record]) -> std::result::Result<Vec<Value>, GateError> {
    let body = batch.iter().map(|record| record.json.clone()).collect();
    let mut answer = gate.ask("POST", KEYS, Some(&Value::Array(body)))?;
    match answer["keys"].take() {
        Value::Array(keys) => Ok(keys),
        _ => Err(GateError::Lost(
            "the gate's answer has no list of keys: is the gate of this \
            release?"
                .to_owned(),
        )),
    }
}

/// Prints one line per key at once, because later only a holder of the root secret can get a key's secret.
fn print(count: &Count, keys: &[Value], imported: usize) -> Result<()> {
    let lines: String =
        keys.iter().map(|key| format!("{}\n", json!({"id": key["id"], "sk": key["sk"]}))).collect();
    count.aside(|| {
        let mut out = io::stdout().lock();
        out.write_all(lines.as_bytes()).and_then(|()| out.flush()).context(format!(
            "{} imported, and the secrets of the last {} could not be printed ({} does; continue with --skip-existing)",
            counted(imported),
            keys.len(),
            invocation::hint("key show ID --unknown-key"),
        ))
    })
}

fn counted(keys: usize) -> String {
    match keys {
        1 => "1 key".to_owned(),
        keys => format!("{keys} keys"),
    }
}

/// Reports what was done and what was not, so that a person can continue.
fn stopped(error: GateError, batch: &[Record], imported: usize) -> Error {
    let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
        return error.into();
    };
    let these = match first.number == last.number {
        true => format!("record {}", first.number),
        false => format!("records {} to {}", first.number, last.number),
    };
    let before = match imported {
        0 => "nothing was imported".to_owned(),
        _ => format!(
            "{} {} imported, all before record {2}: continue from record {2}, or with --skip-existing",
            counted(imported),
            if imported == 1 { "was" } else { "were" },
            first.number
        ),
    };
    Error::new(match error {
        GateError::Refused(problem) => {
            let problem = placed(*problem, batch);
            format!("{these} not imported: {problem}; {before}")
        }
        GateError::NoAnswer(error) => format!("{these} not imported: {error}; {before}"),
        GateError::Lost(error) => format!(
            "{error}; {these} may have been imported or not, {imported} before them were: continue with --skip-existing"
        ),
        GateError::NotSent(error) => return error,
    })
}

/// Returns the place in the batch as the number in the file.
fn placed(problem: Problem, batch: &[Record]) -> Problem {
    let place = problem.place().and_then(|(index, rest)| {
        let record = batch.get(index)?;
        Some((record.number, rest.to_owned()))
    });
    match place {
        Some((number, rest)) => problem.about(number, &rest),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use writegate::KeyId;

    fn records(count: usize, bytes: usize) -> Vec<Record> {
        let one = |number: usize| Record {
            number,
            id: KeyId::parse(&format!("pk_{number}")).unwrap(),
            json: json!({"id": format!("pk_{number}"), "name": "x".repeat(bytes)}),
        };
        (1..=count).map(one).collect()
    }

    #[test]
    fn a_batch_is_what_a_gate_takes() {
        assert_eq!(batch(&records(250, 10)), 100);
        assert_eq!(batch(&records(7, 10)), 7);
        let long = records(100, 16_000);
        let size = batch(&long);
        let body: Vec<_> = long[..size].iter().map(|record| &record.json).collect();
        let sent = json!(body).to_string().len();
        assert!(size > 50 && sent <= MOST_BYTES, "{size}: {sent}");
        assert_eq!(batch(&records(2, 2_000_000)), 1);
    }

    #[test]
    fn a_refused_batch_is_named_by_the_file_s_own_numbers() {
        let all = records(150, 1);
        let document = json!({"code": "key-exists", "detail": "There is one.", "field": "[3].id", "id": "pk_104"});
        let refused = || GateError::Refused(Box::new(Problem::of(409, &document)));
        let said = stopped(refused(), &all[100..], 100).message;
        assert_eq!(
            said,
            "records 101 to 150 not imported: the gate said 409 key-exists: record 104.id (pk_104): There is one.; \
             100 keys were imported, all before record 101: continue from record 101, or with --skip-existing"
        );
        let said = stopped(refused(), &all[..1], 0).message;
        assert!(
            said.starts_with("record 1 not imported: ") && said.ends_with("nothing was imported")
        );
        let said = stopped(refused(), &all[1..], 1).message;
        assert!(said.contains("; 1 key was imported, all before record 2: "), "{said}");
        assert_eq!(counted(1), "1 key");
        let said = stopped(GateError::Lost("no answer".into()), &all[100..], 100).message;
        assert!(said.contains("may have been imported or not"), "{said}");
        let said = stopped(GateError::NoAnswer("nobody".into()), &all[100..], 100).message;
        assert!(said.contains("records 101 to 150 not imported: nobody; 100 keys were"), "{said}");
    }
}
