//! This isolate's memory of the key registry (docs/wire-contract.md, "Keys"): records from KV
//! `KEY_REGISTRY`, for 30 s and a bounded number. Reading KV is the platform's part.
//!
//! KV itself caches for 60 s, so a key that was revoked or changed stops within 90 s everywhere.

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use serde_json::Value;

use crate::base::json::{self, FieldError};
use crate::base::lru::Lru;
use crate::base::time::Timestamp;
use crate::keys::{DerivedKey, Key, KeyId, RootSecrets};

/// Longest time, in seconds, that a record is used without reading KV again.
pub const MAX_AGE: i64 = 30;
/// Longest time, in seconds, for a record that this isolate wrote: for 60 s, KV may still answer with a copy from before it.
const MAX_AGE_WRITTEN: i64 = MAX_AGE + 60;
/// Most records that are remembered: each takes some 2 KB, with the secrets that verify signatures.
const MAX_RECORDS: usize = 4_096;
/// Longest record in bytes. A few restrictions fill 2 KB, and KV itself would accept 25 MB.
pub const MAX_RECORD_BYTES: usize = 16 * 1024;
/// Most ids that are remembered as absent. They are kept apart, so that invented ids displace no key.
const MAX_ABSENT: usize = 1_024;

/// Prefix of the names of records in KV.
pub const PREFIX: &str = "key/";

/// Returns the name of a key record in KV.
pub fn name(id: &KeyId) -> String {
    format!("{PREFIX}{id}")
}

/// The state of an id in the registry or the configuration.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A record exists.
    Found(Rc<DerivedKey>),
    /// No record exists.
    Absent,
    /// A record exists and does not parse. That key is closed, and no other.
    Broken,
}

/// The records that were read lately.
#[derive(Debug)]
pub struct Registry {
    /// Number of writes of this isolate.
    writes: Cell<u64>,
    records: RefCell<Lru<CachedRecord>>,
    absent: RefCell<Lru<Timestamp>>,
}

#[derive(Debug)]
struct CachedRecord {
    text: String,
    /// `None` when the text does not parse.
    derived_key: Option<Rc<DerivedKey>>,
    read: Timestamp,
    /// It was written by this isolate, not read.
    is_written: bool,
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
    /// Returns the state of this id, if it was read within the last 30 s.
    pub fn recent(&self, id: &KeyId, now: Timestamp) -> Option<Entry> {
        let mut records = self.records.borrow_mut();
        if let Some(record) = records.get(id.as_str())
            && record.is_recent(now)
        {
            return Some(record.entry());
        }
        let mut absent = self.absent.borrow_mut();
        let read = absent.get(id.as_str());
        read.is_some_and(|read| read.is_recent(now, MAX_AGE)).then_some(Entry::Absent)
    }

    /// Begins a read of KV. [`Registry::learn_read`] takes the returned value.
    pub const fn begin_read(&self) -> ReadStart {
        ReadStart(self.writes.get())
    }

    /// Stores the result of a read of KV: the record, or `None`. If this isolate wrote meanwhile, the
    /// result may be from before that write, so it is not stored and the record that was written counts
    /// instead.
    pub fn learn_read(
        &self,
        ReadStart(writes): ReadStart,
        id: &KeyId,
        text: Option<String>,
        roots: &Rc<RootSecrets>,
        now: Timestamp,
    ) -> Entry {
        if self.writes.get() == writes {
            return self.learn(id, text, roots, now);
        }
        let written = self.records.borrow_mut().get(id.as_str()).map(|record| record.entry());
        written.unwrap_or_else(|| {
            text.map_or(Entry::Absent, |text| CachedRecord::new(id, text, roots, now).entry())
        })
    }

    /// Stores a record that this isolate wrote.
    pub fn learn_written(&self, id: &KeyId, text: String, roots: &Rc<RootSecrets>, now: Timestamp) {
        self.writes.set(self.writes.get().wrapping_add(1));
        let _ = self.learn(id, Some(text), roots, now);
        if let Some(record) = self.records.borrow_mut().get(id.as_str()) {
            record.is_written = true;
        }
    }

    /// Stores the state of KV. A record that did not change keeps the secrets that were derived for it.
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
        // A text that is too long is not a record, so it is not kept in memory.
        let text = match text.len() > MAX_RECORD_BYTES {
            true => String::new(),
            false => text,
        };
        self.absent.borrow_mut().remove(id.as_str());
        if let Some(record) = records.get(id.as_str()).filter(|record| record.text == text) {
            record.read = now;
            record.is_written = false;
            return record.entry();
        }
        let record = CachedRecord::new(id, text, roots, now);
        let entry = record.entry();
        records.put(id.as_str(), record);
        entry
    }
}

/// The beginning of a read of KV.
#[derive(Clone, Copy, Debug)]
pub struct ReadStart(u64);

impl CachedRecord {
    fn new(id: &KeyId, text: String, roots: &Rc<RootSecrets>, read: Timestamp) -> Self {
        let key = self::read(id, &text).ok();
        Self {
            derived_key: key.map(|key| Rc::new(DerivedKey::new(key, Rc::clone(roots)))),
            text,
            read,
            is_written: false,
        }
    }

    fn is_recent(&mut self, now: Timestamp) -> bool {
        if !self.is_written {
            return self.read.is_recent(now, MAX_AGE);
        }
        // The request may have waited since `now`, and KV may have an older copy than this.
        self.read = self.read.min(now);
        self.read.is_recent(now, MAX_AGE_WRITTEN)
    }

    fn entry(&self) -> Entry {
        self.derived_key
            .as_ref()
            .map_or(Entry::Broken, |derived_key| Entry::Found(Rc::clone(derived_key)))
    }
}

/// Parses the text of this id's record.
///
/// # Errors
/// For a text that is not a record, or is the record of another id.
pub fn read(id: &KeyId, text: &str) -> Result<Key, FieldError> {
    let hint = "is not JSON, names a member twice, or is longer than 16384 bytes";
    let record = Some(text.as_bytes()).filter(|text| text.len() <= MAX_RECORD_BYTES);
    let record = record.and_then(json::parse).ok_or_else(|| FieldError::new("record", hint))?;
    let key = check("", record)?;
    match key.id == *id {
        true => Ok(key),
        false => Err(FieldError::new("id", "differs from the id in the record's name in KV")),
    }
}

/// Parses a record for the registry: like one of the configuration, but never an admin's, because admin
/// keys are in the configuration only.
///
/// # Errors
/// As [`Key::parse`], and for an admin key.
pub fn check(path: &str, record: Value) -> Result<Key, FieldError> {
    let key = Key::parse(path, record)?;
    if key.admin {
        let field = match path {
            "" => "admin".to_owned(),
            _ => format!("{path}.admin"),
        };
        let hint = "is for keys of the configuration (KEYS) only";
        return Err(FieldError::new(field, hint));
    }
    Ok(key)
}

/// Returns the error for a record in the registry that does not parse.
pub fn broken(id: &KeyId) -> FieldError {
    let hint = "this record in KEY_REGISTRY does not parse, or is of another id or of an admin key; GET /_gate/keys/<id> names the field, PATCH it";
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
        let Some(Entry::Found(first)) = registry.recent(&a, NOW.plus_seconds(29)) else {
            panic!("forgotten too early");
        };
        assert_eq!(first.key().methods.allow(), "POST");
        let later = NOW.plus_seconds(30);
        assert!(registry.recent(&a, later).is_none());
        // Read again and the same: what was derived is kept.
        let Entry::Found(second) = registry.learn(&a, Some(text), &roots, later) else {
            panic!("unknown");
        };
        assert!(Rc::ptr_eq(&first, &second));
        let changed = Some(r#"{"id":"a","revoked":true}"#.to_owned());
        let Entry::Found(third) = registry.learn(&a, changed, &roots, later) else {
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
        assert!(matches!(registry.recent(&a, NOW), Some(Entry::Found(_))));
        registry.learn(&a, None, &roots, NOW);
        assert!(matches!(registry.recent(&a, NOW), Some(Entry::Absent)));
    }

    #[test]
    fn a_record_that_is_not_valid_closes_only_its_key() {
        let (registry, roots) = (Registry::default(), roots());
        for text in [
            "", "{", "[]", r#"{"id":"b"}"#, r#"{"id":"a","path":["/"]}"#,
            r#"{"id":"a","admin":true}"#,
        ] {
            let entry = registry.learn(&id("a"), Some(text.to_owned()), &roots, NOW);
            assert!(matches!(entry, Entry::Broken), "{text}");
        }
        let long = format!(r#"{{"id":"a","name":"{}"}}"#, "x".repeat(MAX_RECORD_BYTES));
        let entry = registry.learn(&id("a"), Some(long), &roots, NOW);
        assert!(matches!(entry, Entry::Broken), "too long");
        assert_eq!(broken(&id("a")).field, "key/a", "what the log names");
        registry.learn(&id("b"), Some(r#"{"id":"b"}"#.to_owned()), &roots, NOW);
        assert!(matches!(registry.recent(&id("a"), NOW), Some(Entry::Broken)));
        assert!(matches!(registry.recent(&id("b"), NOW), Some(Entry::Found(_))));
    }

    #[test]
    fn a_read_that_was_under_way_does_not_undo_a_write() {
        let (registry, roots, a) = (Registry::default(), roots(), id("a"));
        let revoked = r#"{"id":"a","revoked":true}"#.to_owned();
        let reading = registry.begin_read();
        registry.learn_written(&a, revoked, &roots, NOW);
        for late in [None, Some(r#"{"id":"a"}"#.to_owned())] {
            let Entry::Found(derived_key) = registry.learn_read(reading, &a, late, &roots, NOW)
            else {
                panic!("unknown");
            };
            assert!(derived_key.key().revoked);
        }
        // Of another key nothing is kept, but what was read counts for the request that read it.
        let b = Some(r#"{"id":"b"}"#.to_owned());
        let entry = registry.learn_read(reading, &id("b"), b, &roots, NOW);
        assert!(matches!(entry, Entry::Found(_)));
        assert!(registry.recent(&id("b"), NOW).is_none());
    }

    #[test]
    fn a_record_that_was_written_here_is_believed_until_kv_has_no_older_copy() {
        let (registry, roots, a) = (Registry::default(), roots(), id("a"));
        let (open, revoked) = (r#"{"id":"a"}"#, r#"{"id":"a","revoked":true}"#);
        registry.learn_written(&a, revoked.to_owned(), &roots, NOW);
        for seconds in [0, 30, 89] {
            let entry = registry.recent(&a, NOW.plus_seconds(seconds));
            assert!(matches!(entry, Some(Entry::Found(key)) if key.key().revoked), "{seconds} s");
        }
        let later = NOW.plus_seconds(90);
        assert!(registry.recent(&a, later).is_none());
        // From then on it is a record like any other.
        for text in [revoked, open] {
            registry.learn(&a, Some(text.to_owned()), &roots, later);
            assert!(registry.recent(&a, later.plus_seconds(29)).is_some());
            assert!(registry.recent(&a, later.plus_seconds(30)).is_none());
        }
    }

    #[test]
    fn a_request_from_before_a_write_does_not_undo_it() {
        let (registry, roots, a) = (Registry::default(), roots(), id("a"));
        let revoked = r#"{"id":"a","revoked":true}"#.to_owned();
        registry.learn_written(&a, revoked, &roots, NOW);
        // Such a request has waited for something else since, or the clock was set back.
        for seconds in [-1, -20, -3_600] {
            let entry = registry.recent(&a, NOW.plus_seconds(seconds));
            assert!(matches!(entry, Some(Entry::Found(key)) if key.key().revoked), "{seconds} s");
        }
        // The time for which it is believed does not grow.
        assert!(registry.recent(&a, NOW.plus_seconds(-3_600 + 90)).is_none());
    }

    #[test]
    fn ids_that_are_made_up_displace_no_key() {
        let (registry, roots) = (Registry::default(), roots());
        registry.learn(&id("a"), Some(r#"{"id":"a"}"#.to_owned()), &roots, NOW);
        for number in 0..10_000 {
            registry.learn(&id(&format!("x{number}")), None, &roots, NOW);
        }
        assert!(matches!(registry.recent(&id("a"), NOW), Some(Entry::Found(_))));
        assert!(registry.absent.borrow().len() <= MAX_ABSENT);
    }
}
