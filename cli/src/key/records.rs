//! The records for `key import`, read as the gate reads them, so that the command sends nothing that the gate would refuse.

use std::collections::HashMap;

use serde_json::Value;
use writegate::registry::{self, MAX_RECORD_BYTES};
use writegate::{KeyId, json};

use crate::error::{Error, Result};
use crate::project::Document;
use crate::{input, utf16};

use super::fields;

/// A record, with its number in the file, from 1.
pub(super) struct Record {
    pub(super) number: usize,
    pub(super) id: KeyId,
    pub(super) json: Value,
}

/// Returns all records of a file, or of standard input for `-`.
pub(super) fn read(file: &str) -> Result<Vec<Record>> {
    parse(&utf16::unmarked(&input::bytes("FILE", file)?))
}

/// Returns a JSON array of records, or a record on each line.
fn parse(bytes: &[u8]) -> Result<Vec<Record>> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let values = match first {
        None => return Err(Error::usage("there is no record in it")),
        Some(b'[') => array(bytes)?,
        Some(_) => lines(bytes)?,
    };
    let mut seen = HashMap::new();
    let records = values.into_iter().zip(1..);
    records.map(|(json, number)| record(json, number, &mut seen)).collect()
}

fn array(bytes: &[u8]) -> Result<Vec<Value>> {
    match json::parse(bytes) {
        Some(Value::Array(records)) if records.is_empty() => {
            Err(Error::usage("there is no record in it"))
        }
        Some(Value::Array(records)) => Ok(records),
        Some(_) | None => {
            Err(Error::usage("it begins with [ and is not a JSON array, or has a member twice"))
        }
    }
}

fn lines(bytes: &[u8]) -> Result<Vec<Value>> {
    let lines = bytes.split(|byte| *byte == b'\n').zip(1..);
    let mut values = Vec::new();
    for (line, at) in lines.filter(|(line, _)| !line.trim_ascii().is_empty()) {
        let number = values.len() + 1;
        let value = json::parse(line).ok_or_else(|| {
            Error::usage(format!(
                "record {number} (line {at}): is not JSON on one line, or has a member twice; \
                 expected a JSON array, or one record per line"
            ))
        })?;
        values.push(value);
    }
    Ok(values)
}

fn record(json: Value, number: usize, seen: &mut HashMap<String, usize>) -> Result<Record> {
    let key = registry::check(&format!("record {number}"), json.clone())
        .map_err(|error| Error::usage(format!("{error}; nothing was sent")))?;
    if json.to_string().len() > MAX_RECORD_BYTES {
        return Err(Error::usage(format!(
            "record {number}: is longer than {MAX_RECORD_BYTES} bytes; nothing was sent"
        )));
    }
    if let Some(first) = seen.insert(key.id.to_string(), number) {
        return Err(Error::usage(format!(
            "record {number}.id: is in record {first} already; nothing was sent"
        )));
    }
    Ok(Record { number, id: key.id, json })
}

/// Refuses records that need a missing binding.
pub(super) fn refuse_unbound(records: &[Record], document: &Document) -> Result<()> {
    for Record { number, json, .. } in records {
        fields::refuse_unbound(json, document)
            .map_err(|fault| Error::usage(format!("record {number}.{fault}; nothing was sent")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<String> {
        let records = parse(text.as_bytes()).unwrap_or_default();
        records.iter().map(|record| format!("{} {}", record.number, record.id)).collect()
    }

    fn error(text: &str) -> String {
        let error = parse(text.as_bytes()).err().unwrap();
        assert_eq!(error.code, 2);
        error.message
    }

    #[test]
    fn an_array_and_lines_are_read_alike() {
        let expected = ["1 a", "2 b"];
        assert_eq!(ids(r#" [{"id":"a"}, {"id":"b"}]"#), expected);
        assert_eq!(ids("{\"id\":\"a\"}\n\n  {\"id\":\"b\"}\r\n"), expected);
    }

    #[test]
    fn a_bad_record_is_named_by_number_and_field() {
        let ahead = r#"{"id":"a"}"#;
        for (second, start) in [
            (r#"{"id":"b","path":["/x"]}"#, "record 2.path: "),
            (r#"{"id":"b","paths":[]}"#, "record 2.paths: "),
            (r#"{"id":"b","admin":true}"#, "record 2.admin: "),
            (r#"{"id":"a b"}"#, "record 2.id: "),
            (r#"{"id":"a"}"#, "record 2.id: is in record 1"),
        ] {
            let said = error(&format!("[{ahead},{second}]"));
            assert!(said.starts_with(start), "{second}: {said}");
            let said = error(&format!("{ahead}\n{second}\n"));
            assert!(said.starts_with(start), "{second}: {said}");
        }
        assert!(error(&format!("{ahead}\n\n{{")).starts_with("record 2 (line 3): "));
        assert!(error(r#"{"id":"a","id":"a"}"#).starts_with("record 1 (line 1): "));
        assert!(error("[").contains("not a JSON array"));
        let long = format!(r#"{{"id":"a","name":"{}"}}"#, "x".repeat(MAX_RECORD_BYTES));
        assert!(error(&long).starts_with("record 1: is longer"));
        for empty in ["", " \n", "[]"] {
            assert!(error(empty).contains("no record"), "{empty:?}");
        }
    }

    #[test]
    fn a_limiter_that_is_not_there_is_found_before_anything_is_sent() {
        let limiters = "[[ratelimits]]\nname = \"RATE_STANDARD\"\n";
        let judged = |records: &str, toml: &str| {
            let document = Document::parse("wrangler.toml", toml, None).unwrap();
            refuse_unbound(&parse(records.as_bytes()).unwrap(), &document).err()
        };
        let rated = r#"[{"id":"a"},{"id":"b","rate":"standard"}]"#;
        assert!(judged(rated, limiters).is_none());
        let error = judged(rated, "").unwrap();
        assert!(
            error.message.starts_with("record 2.rate: there is no binding RATE_STANDARD"),
            "{}",
            error.message
        );
        let minting = r#"[{"id":"a","mint":{},"methods":["POST"],"paths":["/x"],"allowed_origins":["https://a.example"]}]"#;
        let error = judged(minting, limiters).unwrap();
        assert!(
            error.message.starts_with("record 1.mint: there is no binding RATE_MINT"),
            "{}",
            error.message
        );
        assert!(judged(minting, &limiters.replace("STANDARD", "MINT")).is_none());
    }
}
