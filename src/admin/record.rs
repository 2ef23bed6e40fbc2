//! Key records on their way into the registry: checking a new one, and merging a change into an old one.

use serde_json::{Map, Value};

use crate::base::json::{self, FieldError};
use crate::base::json_writer;
use crate::keys::{self, Key, KeyId, registry};

/// A record that may be stored.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) key: Key,
    /// The record, with its defaults spelt out.
    pub(super) record: Value,
    pub(super) text: String,
}

/// Checks a record, found at `path` of the body, and spells out its version and schemes. So a reader
/// sees the effective values, and a record without schemes can only be a tombstone.
pub(super) fn prepare(path: &str, record: Value) -> Result<Prepared, FieldError> {
    let key = registry::check(path, record.clone())?;
    // KV may contain such ids from an older system.
    let bad_id = match key.id.as_str() {
        // Nobody could revoke them through this API.
        "." | ".." => Some("is a dot segment, which a path cannot have"),
        id => keys::begins_like_secret(id).then_some(keys::SECRET_ID_HINT),
    };
    if let Some(hint) = bad_id {
        let field = if path.is_empty() { "id".to_owned() } else { format!("{path}.id") };
        return Err(FieldError::new(field, hint));
    }
    let mut record = record;
    if let Value::Object(members) = &mut record {
        let schemes = || key.schemes.iter().map(|scheme| scheme.name()).collect();
        let _ = members.insert("version".to_owned(), key.version.into());
        let _ = members.entry("schemes").or_insert_with(schemes);
    }
    let text = json_writer::text(&record);
    if text.len() > registry::MAX_RECORD_BYTES {
        return Err(FieldError::new(
            if path.is_empty() { "body" } else { path },
            "is longer than 16384 bytes, the longest that a record may be",
        ));
    }
    Ok(Prepared { key, record, text })
}

/// Returns the tombstone of a deleted key, so that nobody else ever gets its id.
pub(super) fn tombstone(id: &KeyId, version: u32) -> Value {
    let (id, version) = (id.as_str().into(), version.into());
    json::object([("id", id), ("version", version), ("revoked", true.into())])
}

/// Returns true if a record is a tombstone.
pub(super) fn is_tombstone(record: &Value) -> bool {
    record.get("revoked") == Some(&Value::Bool(true)) && record.get("schemes").is_none()
}

/// Applies a JSON merge patch (RFC 7396 section 2): members replace members, null removes one.
pub(super) fn merge(target: Value, patch: Value) -> Value {
    let Value::Object(changes) = patch else {
        return patch;
    };
    let mut members = match target {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    };
    for (name, change) in changes {
        match (change, members.remove(&name)) {
            (Value::Null, _) => {}
            (change, old) => {
                let merged = merge(old.unwrap_or(Value::Null), change);
                let _ = members.insert(name, merged);
            }
        }
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_merge_patch_is_rfc_7396_s() {
        // Its appendix A.
        for (target, patch, expected) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a":"b"}), json!(["c"]), json!(["c"])),
            (json!({"a":"foo"}), json!(null), json!(null)),
            (json!({"a":"foo"}), json!("bar"), json!("bar")),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            assert_eq!(merge(target.clone(), patch.clone()), expected, "{target} {patch}");
        }
    }

    #[test]
    fn what_is_implied_is_spelt_out_and_no_live_record_is_a_tombstone() {
        let prepared = prepare("", json!({"id": "a", "revoked": true})).unwrap();
        assert_eq!(
            prepared.record,
            json!({"id": "a", "revoked": true, "version": 1, "schemes": ["session"]})
        );
        assert!(!is_tombstone(&prepared.record));
        assert!(is_tombstone(&tombstone(&prepared.key.id, 2)));
        assert!(!is_tombstone(&json!({"id": "a"})));
    }

    #[test]
    fn a_record_that_is_not_valid_is_named() {
        let error = |record| prepare("[2]", record).unwrap_err().field;
        assert_eq!(error(json!({"id": "a", "path": ["/x"]})), "[2].path");
        assert_eq!(error(json!({"id": "a", "admin": true})), "[2].admin");
        assert_eq!(error(json!({"id": "a", "name": "x".repeat(20_000)})), "[2]");
        assert_eq!(error(json!("a")), "[2]");
        assert_eq!(error(json!({"id": ".."})), "[2].id");
    }
}
