//! The upstream token as its secret contains it: raw text, or one JSON object with its dates, so that
//! value and age change together.

use crate::base::json::{self, FieldError, Fields};
use crate::base::secret::{Fingerprint, Secret};
use crate::base::time::Timestamp;
use std::rc::Rc;

/// A token and its dates.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token.
    pub value: Secret,
    /// Issue date.
    pub issued_at: Option<Timestamp>,
    /// The date from which the upstream refuses it.
    pub expires_at: Option<Timestamp>,
}

impl Token {
    /// Parses a secret. One that begins with `{` is the JSON object. White space around a token is not
    /// part of it, because most ways of piping a token add some.
    ///
    /// # Errors
    /// When the object or a date does not parse. The error's field begins with a `.`.
    pub fn parse(secret: &Secret) -> Result<Self, FieldError> {
        let text = secret.expose().trim_ascii();
        if !text.starts_with(b"{") {
            return Ok(Self { value: Secret::new(text), issued_at: None, expires_at: None });
        }
        let value = json::parse(text).ok_or_else(|| {
            FieldError::new(
                "",
                "begins with { and is not the JSON object {\"token\":…,\"issued_at\":…,\"expires_at\":…}",
            )
        })?;
        let mut fields = Fields::new("", value)?;
        let token = Self {
            value: Secret::new(fields.required("token").map_err(dotted)?),
            issued_at: date(&mut fields, "issued_at").map_err(dotted)?,
            expires_at: date(&mut fields, "expires_at").map_err(dotted)?,
        };
        // The error does not name the unknown member, because that may be the token, in the wrong place.
        fields.finish().map_err(|_named| {
            FieldError::new("", "has an unknown field; known: token, issued_at, expires_at")
        })?;
        Ok(token)
    }
}

fn date(fields: &mut Fields, name: &'static str) -> Result<Option<Timestamp>, FieldError> {
    let hint = "expected an RFC 3339 date such as \"2026-11-22\"";
    fields.parse(name, hint, Timestamp::parse_rfc3339)
}

fn dotted(error: FieldError) -> FieldError {
    FieldError::new(format!(".{}", error.field), error.hint)
}

/// A token that is set, with its fingerprint.
#[derive(Debug)]
pub struct UpstreamToken {
    /// The secret's name.
    pub secret: String,
    /// The token and its dates.
    pub token: Token,
    /// Its fingerprint under the root secret.
    pub fingerprint: Fingerprint,
}

impl UpstreamToken {
    /// Parses the secret `name`; `issued_at` is the issue date of a raw token.
    ///
    /// # Errors
    /// When it is JSON and not a token object.
    pub fn read(
        name: &str,
        text: &Secret,
        issued_at: Option<Timestamp>,
        root: &Secret,
    ) -> Result<Self, FieldError> {
        let mut token = Token::parse(text).map_err(|error| FieldError {
            field: format!("{name}{}", error.field),
            hint: error.hint,
        })?;
        token.issued_at = token.issued_at.or(issued_at);
        Ok(Self {
            secret: name.to_owned(),
            fingerprint: Fingerprint::of(&token.value, root),
            token,
        })
    }
}

/// The source of a route's token.
#[derive(Debug)]
pub enum TokenSource {
    /// The secret is not set.
    Missing,
    /// A Workers Secret: it does not change while the isolate lives.
    Set(Rc<UpstreamToken>),
    /// A Secrets Store, read when a request needs the token.
    Stored {
        /// The issue date of a raw token, if it is configured.
        issued_at: Option<Timestamp>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Token, FieldError> {
        Token::parse(&Secret::new(text))
    }

    #[test]
    fn a_raw_token_is_taken_without_the_white_space_around_it() {
        let token = parse(" tok\n").unwrap();
        assert_eq!(token.value.expose(), b"tok");
        assert!(token.issued_at.is_none());
    }

    #[test]
    fn an_envelope_carries_its_dates() {
        let token =
            parse(r#"{"token":"t","issued_at":"2026-11-22","expires_at":"2027-02-20T00:00:00Z"}"#);
        let token = token.unwrap();
        assert_eq!(token.value.expose(), b"t");
        assert_eq!(token.expires_at.unwrap().days_since(token.issued_at.unwrap()), 90);
        assert!(parse(r#"{"token":"t"}"#).unwrap().issued_at.is_none());
    }

    #[test]
    fn an_envelope_that_does_not_parse_is_named_and_not_quoted() {
        for (text, field) in [
            (r#"{"token":"hunter2""#, ""),
            (r#"{"token":"hunter2","token":"hunter2"}"#, ""),
            (r#"{"tokn":"hunter2"}"#, ".token"),
            (r#"{"token":"hunter2","issued":"2026-11-22"}"#, ""),
            (r#"{"token":"x","hunter2":1}"#, ""),
            (r#"{"token":"hunter2","issued_at":"22.11.2026"}"#, ".issued_at"),
            (r#"{"token":"hunter2","expires_at":null}"#, ".expires_at"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.field, field, "{text}");
            assert!(!error.hint.contains("hunter2"));
        }
    }
}
