//! Strict JSON: [`parse`] refuses duplicate members, where `serde_json` would keep the last one, and
//! [`Fields`] reads an object so that every error names the field and says what would be right, and an
//! unknown member is an error.

use core::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// An error in the configuration: the path of the field, and a hint. It never holds the value, because
/// that may be a secret in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field, as the operator writes it: `ROUTES[1].upstream`.
    pub field: String,
    /// The error, and what would be right.
    pub hint: String,
}

impl FieldError {
    /// Creates an error at `field`.
    pub fn new(field: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { field: field.into(), hint: hint.into() }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.hint)
    }
}

impl core::error::Error for FieldError {}

/// Parses one JSON text (RFC 8259) in which no object names a member twice. Returns `None` for anything
/// else; the parser's own message is dropped because it could quote the text.
pub fn parse(text: &[u8]) -> Option<Value> {
    let Strict(value) = serde_json::from_slice(text).ok()?;
    Some(value)
}

/// Returns an object with these members. `json!` makes one too, but links serializers, some kilobytes of the Worker.
pub fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A [`Value`] whose objects had no duplicate members.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate members")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((Name(name), Strict(value))) = access.next_entry::<Name, Strict>()? {
            if map.insert(name, value).is_some() {
                return Err(A::Error::custom("duplicate member"));
            }
        }
        Ok(Value::Object(map))
    }
}

/// A member's name. It is not a `String` because the reader of `String` can report a value of any type,
/// which links the code that prints floats.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameVisitor).map(Self)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<String, E> {
        Ok(name.to_owned())
    }
}

/// An object that is read field by field. Each reader takes its member out; [`Fields::finish`] refuses
/// what is left. `null` is an error everywhere: it is neither the default nor a value.
pub struct Fields {
    path: String,
    members: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Fields {
    /// Begins to read `value`, found at `path` (empty for the top).
    ///
    /// # Errors
    /// When it is not an object.
    pub fn new(path: impl Into<String>, value: Value) -> Result<Self, FieldError> {
        let path = path.into();
        let Value::Object(members) = value else {
            let hint = format!("expected a table, found {}", kind(&value));
            return Err(FieldError::new(path, hint));
        };
        Ok(Self { path, members, known: Vec::new() })
    }

    /// Returns the path of a member, for an error that the reader of this object reports itself.
    pub fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Returns an error at a member; `hint` says what is wrong and what would be right.
    pub fn error(&self, name: &str, hint: &str) -> FieldError {
        FieldError::new(self.at(name), hint)
    }

    /// Returns true if the member is present and was not taken yet.
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Takes a member as it is; `None` when absent.
    ///
    /// # Errors
    /// When it is null.
    pub fn value(&mut self, name: &'static str) -> Result<Option<Value>, FieldError> {
        self.known.push(name);
        match self.members.remove(name) {
            Some(Value::Null) => {
                Err(self.error(name, "is null; leave the field out for its default"))
            }
            found => Ok(found),
        }
    }

    /// Takes a string that `read` must accept, `None` when absent; `hint` says what would be right.
    ///
    /// # Errors
    /// When it is not a string, or `read` does not accept it.
    pub fn parse<T>(
        &mut self,
        name: &'static str,
        hint: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, FieldError> {
        let Some(text) = self.string(name)? else {
            return Ok(None);
        };
        read(&text).map(Some).ok_or_else(|| self.error(name, hint))
    }

    /// Takes a string.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn string(&mut self, name: &'static str) -> Result<Option<String>, FieldError> {
        match self.value(name)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, "a string", &other)),
        }
    }

    /// Takes a string that must be there.
    ///
    /// # Errors
    /// When it is absent or of another type.
    pub fn required(&mut self, name: &'static str) -> Result<String, FieldError> {
        self.string(name)?.ok_or_else(|| self.error(name, "is required"))
    }

    /// Takes a boolean, `false` when absent.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn flag(&mut self, name: &'static str) -> Result<bool, FieldError> {
        match self.value(name)? {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(self.wrong(name, "true or false", &other)),
        }
    }

    /// Takes a whole number within `range`, `default` when absent.
    ///
    /// # Errors
    /// When it is of another type, has a fraction, or is outside.
    pub fn integer(
        &mut self,
        name: &'static str,
        range: core::ops::RangeInclusive<u64>,
        default: u64,
    ) -> Result<u64, FieldError> {
        let Some(value) = self.value(name)? else {
            return Ok(default);
        };
        value.as_u64().filter(|number| range.contains(number)).ok_or_else(|| {
            self.error(
                name,
                &format!("expected a whole number from {} to {}", range.start(), range.end()),
            )
        })
    }

    /// Takes a list of strings of which `read` must accept every one, `None` when absent; `hint` says what
    /// would be right. An empty list is an error because it would look like a restriction to nothing and
    /// act as no restriction.
    ///
    /// # Errors
    /// When it is empty, of another type, or `read` does not accept all of it.
    pub fn list<T>(
        &mut self,
        name: &'static str,
        hint: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<Vec<T>>, FieldError> {
        match self.list_or_empty(name, hint, read)? {
            Some(list) if list.is_empty() => Err(self.error(
                name,
                "is an empty list; leave the field out for no restriction, or name what is allowed",
            )),
            list => Ok(list),
        }
    }

    /// Takes such a list that may be empty.
    ///
    /// # Errors
    /// When it is of another type, or `read` does not accept all of it.
    pub fn list_or_empty<T>(
        &mut self,
        name: &'static str,
        hint: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<Vec<T>>, FieldError> {
        let Some(list) = self.strings(name)? else {
            return Ok(None);
        };
        let list: Option<_> = list.iter().map(|entry| entry.as_str().and_then(&read)).collect();
        list.map(Some).ok_or_else(|| self.error(name, hint))
    }

    fn strings(&mut self, name: &'static str) -> Result<Option<Vec<Value>>, FieldError> {
        match self.value(name)? {
            None => Ok(None),
            Some(Value::Array(list)) => match list.iter().find(|entry| !entry.is_string()) {
                None => Ok(Some(list)),
                Some(other) => Err(self.wrong(name, "a list of strings", other)),
            },
            Some(other) => Err(self.wrong(name, "a list of strings", &other)),
        }
    }

    /// Checks that every member was read.
    ///
    /// # Errors
    /// When a member is unknown; the error lists the known ones.
    pub fn finish(self) -> Result<(), FieldError> {
        match self.members.keys().next() {
            None => Ok(()),
            Some(unknown) => {
                let shown = crate::base::request::printable(unknown);
                Err(self.error(
                    &shown,
                    &format!("unknown field; known here: {}", self.known.join(", ")),
                ))
            }
        }
    }

    fn wrong(&self, name: &str, expected: &str, found: &Value) -> FieldError {
        self.error(name, &format!("expected {expected}, found {}", kind(found)))
    }
}

/// Returns the name of a value's type, for error messages.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_members_are_refused_at_any_depth() {
        assert!(parse(br#"{"a":1,"b":1}"#).is_some());
        assert!(parse(br#"{"a":1,"a":1}"#).is_none());
        assert!(parse(br#"[{"x":{"a":1,"\u0061":2}}]"#).is_none());
    }

    #[test]
    fn text_after_the_value_and_absurd_numbers_are_refused() {
        assert!(parse(b"{} {}").is_none());
        assert!(parse(b"1e400").is_none());
        assert!(parse(b"NaN").is_none());
        assert!(parse("[".repeat(100_000).as_bytes()).is_none());
    }

    #[test]
    fn errors_name_the_field_and_the_hint() {
        let value = serde_json::json!({"path": 3, "pth": "x"});
        let mut fields = Fields::new("ROUTES[0]", value).unwrap();
        assert_eq!(
            fields.required("path").unwrap_err().to_string(),
            "ROUTES[0].path: expected a string, found a number"
        );
        assert_eq!(
            fields.finish().unwrap_err().to_string(),
            "ROUTES[0].pth: unknown field; known here: path"
        );
    }

    #[test]
    fn null_and_empty_are_errors_not_defaults() {
        let value = serde_json::json!({"paths": [], "rate": null});
        let mut fields = Fields::new("KEYS[0]", value).unwrap();
        assert!(fields.list("paths", "", |_| Some(())).is_err());
        assert!(fields.string("rate").is_err());
    }
}
