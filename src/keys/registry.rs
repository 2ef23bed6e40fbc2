//! What the isolate remembers of the key registry (contract sections 2 and 7): records of KV
//! `KEY_REGISTRY`, for 30 s and at most so many. Reading KV is the platform's.
//!
//! With KV's own 60 s, a key that was revoked or changed stops within 90 s everywhere.

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use serde_json::Value;

use crate::base::json::{self, FieldError};
use crate::base::lru::Lru;
use crate::base::time::Timestamp;
use crate::keys::{DerivedKey, RootSecrets};
use crate::keys::{Key, KeyId};

/// How long, in seconds, a record is believed without asking KV again.
pub const MAX_AGE: i64 = 30;
/// Most records that are kept: some 2 KB each with what verifies signatures.
const MAX_RECORDS: usize = 4_096;
/// Longest record in bytes; some restrictions fill 2 KB, and KV itself would hold 25 MB.
pub const MAX_RECORD_BYTES: usize = 16 * 1024;
/// Most ids that are remembered as not there: kept apart, so that whoever makes ids up displaces no key.
const MAX_ABSENT: usize = 1_024;

/// What the names of records begin with.
pub const PREFIX: &str = "key/";

/// The name of a key's record in KV.
#[must_use]
pub fn name(id: &KeyId) -> String {
    format!("{PREFIX}{id}")
}

/// What is known of an id.
#[derive(Clone, Debug)]
pub enum Entry {
    /// Its record.
    Known(Rc<DerivedKey>),
    /// There is none.
    Absent,
    /// There is one that does not parse: that key is closed, and no other.
    Broken,
}

/// The records that were read.
#[derive(Debug)]
pub struct Registry {
    /// Counts what this isolate wrote.
    writes: Cell<u64>,
    records: RefCell<Lru<CachedRecord>>,
    absent: RefCell<Lru<Timestamp>>,
}

#[derive(Debug)]
struct CachedRecord {
    text: String,
    /// `None` when it does not parse.
    known: Option<Rc<DerivedKey>>,
    read: Timestamp,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            writes: Cell::new(0),
            records: RefCell::new(Lru::new(MAX_RECORDS)),
            absent: RefCell::new(Lru::new(MAX_ABSENT)),
        }
    }
}

impl Registry {
    /// What was read of this id within the last 30 s.
    #[must_use]
    pub fn recent(&self, id: &KeyId, now: Timestamp) -> Option<Entry> {
        let is_recent = |read: Timestamp| now < read.plus_seconds(MAX_AGE) && read <= now;
        let mut records = self.records.borrow_mut();
        if let Some(record) = records.get(id.as_str()).filter(|found| is_recent(found.read)) {
            return Some(record.entry());
        }
        let mut absent = self.absent.borrow_mut();
        absent.get(id.as_str()).is_some_and(|read| is_recent(*read)).then_some(Entry::Absent)
    }

    /// KV is about to be read.
    #[must_use]
    pub const fn begin_reading(&self) -> Reading {
        Reading(self.writes.get())
    }

    /// KV was read: `text` is the record, `None` where there is none. Nothing is kept of what was read
    /// while this isolate wrote, for it may be of before; what is known of that write counts instead.
    pub fn learn_read(
        &self,
        Reading(writes): Reading,
        id: &KeyId,
        text: Option<String>,
        roots: &Rc<RootSecrets>,
        now: Timestamp,
    ) -> Entry {
        if self.writes.get() == writes {
            return self.learn(id, text, roots, now);
        }
        let known = self.records.borrow_mut().get(id.as_str()).map(|r| r.entry());
        known.unwrap_or_else(|| {
            text.map_or(Entry::Absent, |text| CachedRecord::new(id, text, roots, now).entry())
        })
    }

    /// This isolate wrote a record.
    pub fn learn_written(&self, id: &KeyId, text: String, roots: &Rc<RootSecrets>, now: Timestamp) {
        self.writes.set(self.writes.get().wrapping_add(1));
        self.learn(id, Some(text), roots, now);
    }

    /// What is in KV now. A record that did not change keeps what was derived for it.
    fn learn(
        &self,
        id: &KeyId,
        text: Option<String>,
        roots: &Rc<RootSecrets>,
        now: Timestamp,
    ) -> Entry {
        let mut records = self.records.borrow_mut();
        let Some(text) = text else {
            records.remove(id.as_str());
            self.absent.borrow_mut().put(id.as_str(), now);
            return Entry::Absent;
        };
        // No record at all, and nothing of it is kept.
        let text = match text.len() > MAX_RECORD_BYTES {
            true => String::new(),
            false => text,
        };
        self.absent.borrow_mut().remove(id.as_str());
        if let Some(record) = records.get(id.as_str()).filter(|record| record.text == text) {
            record.read = now;
            return record.entry();
        }
        let record = CachedRecord::new(id, text, roots, now);
        let entry = record.entry();
        records.put(id.as_str(), record);
        entry
    }
}

/// When KV began to be read.
#[derive(Clone, Copy, Debug)]
pub struct Reading(u64);

impl CachedRecord {
    fn new(id: &KeyId, text: String, roots: &Rc<RootSecrets>, read: Timestamp) -> Self {
        let key = self::read(id, &text).ok();
        Self { known: key.map(|key| Rc::new(DerivedKey::new(key, Rc::clone(roots)))), text, read }
    }

    fn entry(&self) -> Entry {
        self.known.as_ref().map_or(Entry::Broken, |known| Entry::Known(Rc::clone(known)))
    }
}

/// Reads the text of this id's record.
///
/// # Errors
/// For a text that is no record, or another's.
pub fn read(id: &KeyId, text: &str) -> Result<Key, FieldError> {
    let not_json = || FieldError::new("record", "is not JSON, or names a member twice");
    let key = check("", json::parse(text.as_bytes()).ok_or_else(not_json)?)?;
    match key.id == *id {
        true => Ok(key),
        false => Err(FieldError::new("id", "is another than the record's name says")),
    }
}

/// Reads a record that stands, or is to stand, in the registry: like one of the configuration, but never
/// an admin's, for those stand there alone.
///
/// # Errors
/// As [`Key::parse`], and for an admin's.
pub fn check(path: &str, record: Value) -> Result<Key, FieldError> {
    let key = Key::parse(path, record)?;
    if key.admin {
        let field = match path {
            "" => "admin".to_owned(),
            _ => format!("{path}.admin"),
        };
        let hint = "is for keys of the configuration (KEYS) alone";
        return Err(FieldError::new(field, hint));
    }
    Ok(key)
}

/// Returns the error of a record in the registry that does not parse.
#[must_use]
pub fn broken(id: &KeyId) -> FieldError {
    let hint = "this record in KEY_REGISTRY does not parse, is of another id or an admin's; put a good one";
    FieldError::new(name(id), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn roots() -> Rc<RootSecrets> {
        Rc::new(RootSecrets { current: Secret::new("x".repeat(32)), previous: None })
    }

    fn id(text: &str) -> KeyId {
        KeyId::parse(text).unwrap()
    }

    #[test]
    fn a_record_is_believed_for_thirty_seconds() {
        let (registry, roots, a) = (Registry::default(), roots(), id("a"));
        assert!(registry.recent(&a, NOW).is_none());
        let text = r#"{"id":"a","methods":["POST"]}"#.to_owned();
        registry.learn(&a, Some(text.clone()), &roots, NOW);
        let Some(Entry::Known(first)) = registry.recent(&a, NOW.plus_seconds(29)) else {
            panic!("forgotten too early");
        };
        assert_eq!(first.key().methods.allow(), "POST");
        let later = NOW.plus_seconds(30);
        assert!(registry.recent(&a, later).is_none());
        // Read again and the same: what was derived is kept.
        let Entry::Known(second) = registry.learn(&a, Some(text), &roots, later) else {
            panic!("unknown");
        };
        assert!(Rc::ptr_eq(&first, &second));
        let changed = Some(r#"{"id":"a","revoked":true}"#.to_owned());
        let Entry::Known(third) = registry.learn(&a, changed, &roots, later) else {
            panic!("unknown");
        };
        assert!(third.key().revoked);
    }

    #[test]
    fn what_is_not_there_is_remembered_too_and_found_when_it_comes() {
        let (registry, roots, a) = (Registry::default(), roots(), id("a"));
        registry.learn(&a, None, &roots, NOW);
        assert!(matches!(registry.recent(&a, NOW), Some(Entry::Absent)));
        assert!(registry.recent(&a, NOW.plus_seconds(30)).is_none());
        registry.learn(&a, Some(r#"{"id":"a"}"#.to_owned()), &roots, NOW);
        assert!(matches!(registry.recent(&a, NOW), Some(Entry::Known(_))));
        registry.learn(&a, None, &roots, NOW);
        assert!(matches!(registry.recent(&a, NOW), Some(Entry::Absent)));
    }

    #[test]
    fn a_record_that_is_none_closes_its_key_alone() {
        let (registry, roots) = (Registry::default(), roots());
        for text in [
            "",
            "{",
            "[]",
            r#"{"id":"b"}"#,
            r#"{"id":"a","path":["/"]}"#,
            r#"{"id":"a","admin":true}"#,
        ] {
            let entry = registry.learn(&id("a"), Some(text.to_owned()), &roots, NOW);
            assert!(matches!(entry, Entry::Broken), "{text}");
        }
        let long = format!(r#"{{"id":"a","name":"{}"}}"#, "x".repeat(MAX_RECORD_BYTES));
        let entry = registry.learn(&id("a"), Some(long), &roots, NOW);
        assert!(matches!(entry, Entry::Broken), "too long");
        registry.learn(&id("b"), Some(r#"{"id":"b"}"#.to_owned()), &roots, NOW);
        assert!(matches!(registry.recent(&id("a"), NOW), Some(Entry::Broken)));
        assert!(matches!(registry.recent(&id("b"), NOW), Some(Entry::Known(_))));
    }

    #[test]
    fn a_read_that_was_under_way_does_not_undo_a_write() {
        let (registry, roots, a) = (Registry::default(), roots(), id("a"));
        let revoked = r#"{"id":"a","revoked":true}"#.to_owned();
        let reading = registry.begin_reading();
        registry.learn_written(&a, revoked, &roots, NOW);
        for late in [None, Some(r#"{"id":"a"}"#.to_owned())] {
            let Entry::Known(known) = registry.learn_read(reading, &a, late, &roots, NOW) else {
                panic!("unknown");
            };
            assert!(known.key().revoked);
        }
        // Of another key nothing is kept, but what was read counts for the request that read it.
        let b = Some(r#"{"id":"b"}"#.to_owned());
        let entry = registry.learn_read(reading, &id("b"), b, &roots, NOW);
        assert!(matches!(entry, Entry::Known(_)));
        assert!(registry.recent(&id("b"), NOW).is_none());
    }

    #[test]
    fn ids_that_are_made_up_displace_no_key() {
        let (registry, roots) = (Registry::default(), roots());
        registry.learn(&id("a"), Some(r#"{"id":"a"}"#.to_owned()), &roots, NOW);
        for number in 0..10_000 {
            registry.learn(&id(&format!("x{number}")), None, &roots, NOW);
        }
        assert!(matches!(registry.recent(&id("a"), NOW), Some(Entry::Known(_))));
        assert!(registry.absent.borrow().len() <= MAX_ABSENT);
    }
}
