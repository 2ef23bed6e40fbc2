//! A token on its way into a secret: one JSON object with its dates, so that value and age change together.

use serde_json::{Map, Value};
use writegate::{Secret, Timestamp, Token};

/// Longest Workers Secret, in bytes.
const MAX_BYTES: usize = 5 * 1024;

/// A token and its dates, in the form that the gate reads.
pub(super) struct Envelope {
    /// Only the token.
    pub(super) value: Secret,
    /// The content of the secret.
    pub(super) text: Secret,
}

/// The dates of a token, beside it.
#[derive(Clone, Copy, Default)]
pub(super) struct Dates {
    pub(super) issued_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
}

impl Envelope {
    /// Reads a raw token, or an envelope that somebody made already. A token without a date of issue is of today.
    ///
    /// The error says what is expected, and never quotes the text.
    pub(super) fn read(given: &Secret, said: Dates, now: Timestamp) -> Result<Self, String> {
        let token = Token::parse(given).map_err(|error| match error.field.as_str() {
            "" => format!("the token's envelope {}", error.hint),
            field => format!("{field} of the token's envelope: {}", error.hint),
        })?;
        let either = |name: &str, inside: Option<Timestamp>, beside: Option<Timestamp>| match (
            inside, beside,
        ) {
            (Some(_), Some(_)) => {
                Err(format!("{name} is in the envelope and on the command line; give it once"))
            }
            (inside, beside) => Ok(inside.or(beside)),
        };
        let dates = Dates {
            issued_at: either("issued_at", token.issued_at, said.issued_at)?,
            expires_at: either("expires_at", token.expires_at, said.expires_at)?,
        };
        Self::of(token.value, dates, now)
    }

    /// Returns the envelope of a token.
    pub(super) fn of(value: Secret, dates: Dates, now: Timestamp) -> Result<Self, String> {
        let text = value.expose_str().ok_or("the token is not text (UTF-8)")?;
        if text.is_empty() {
            return Err("the token is empty: give it on standard input".to_owned());
        }
        if text.contains(['\n', '\r']) {
            return Err("the token has several lines: give only the token".to_owned());
        }
        if text.chars().any(char::is_control) {
            return Err("the token has control characters in it".to_owned());
        }
        let issued = dates.issued_at.unwrap_or(now);
        // A clock may be ahead of this one by a time zone, not by more.
        if issued.days_since(now) >= 1 {
            return Err("issued_at is in the future".to_owned());
        }
        let mut members = Map::new();
        members.insert("token".to_owned(), text.into());
        members.insert("issued_at".to_owned(), day(issued).into());
        if let Some(expires) = dates.expires_at {
            if expires <= now {
                return Err(
                    "expires_at has passed, so the API no longer accepts this token".to_owned()
                );
            }
            if expires <= issued {
                return Err("expires_at is not after issued_at".to_owned());
            }
            members.insert("expires_at".to_owned(), expires.to_rfc3339().into());
        }
        let text = Secret::new(Value::Object(members).to_string());
        if text.len() > MAX_BYTES {
            return Err(format!(
                "the token is too long: a Workers Secret holds {MAX_BYTES} bytes, its dates among them"
            ));
        }
        Ok(Self { value, text })
    }
}

/// Returns the day without the time: the gate's clock may be a little behind, and a token of the future has no age.
fn day(time: Timestamp) -> String {
    let mut text = time.to_rfc3339();
    text.truncate("2026-11-22".len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, issued: Option<&str>, expires: Option<&str>) -> Result<String, String> {
        let time = |text: Option<&str>| text.map(|text| Timestamp::parse_rfc3339(text).unwrap());
        let dates = Dates { issued_at: time(issued), expires_at: time(expires) };
        let now = Timestamp::parse_rfc3339("2026-11-22T12:00:00Z").unwrap();
        let made = Envelope::read(&Secret::new(text), dates, now)?;
        Ok(made.text.expose_str().unwrap().to_owned())
    }

    #[test]
    fn a_raw_token_gets_the_day_it_was_put() {
        assert_eq!(read("tok", None, None).unwrap(), r#"{"issued_at":"2026-11-22","token":"tok"}"#);
        assert_eq!(
            read("tok", Some("2026-11-01"), Some("2027-01-01")).unwrap(),
            r#"{"expires_at":"2027-01-01T00:00:00.000Z","issued_at":"2026-11-01","token":"tok"}"#
        );
    }

    #[test]
    fn an_envelope_keeps_its_dates() {
        let given = "{\n \"token\": \"tok\", \"issued_at\": \"2026-10-01\"\n}\n";
        assert_eq!(read(given, None, None).unwrap(), r#"{"issued_at":"2026-10-01","token":"tok"}"#);
        assert!(read(given, Some("2026-10-02"), None).is_err());
    }

    #[test]
    fn what_no_gate_could_use_is_refused_and_not_quoted() {
        for (text, issued, expires) in [
            ("", None, None),
            (" \n", None, None),
            ("hunter2\nhunter2", None, None),
            ("hunter2\u{7}", None, None),
            (r#"{"token":"hunter2\nhunter2"}"#, None, None),
            (r#"{"token":""}"#, None, None),
            (r#"{"tokn":"hunter2"}"#, None, None),
            ("hunter2", Some("2026-11-24"), None),
            ("hunter2", None, Some("2026-11-22T11:59:59Z")),
            ("hunter2", Some("2026-11-23"), Some("2026-11-22T13:00:00Z")),
            (&"x".repeat(MAX_BYTES), None, None),
        ] {
            let refused = read(text, issued, expires).unwrap_err();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
