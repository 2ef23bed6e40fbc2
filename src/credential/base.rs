//! Components of a request and the signature base that they form (RFC 9421 section 2).
//!
//! In scope: the derived components of a request, header fields, `@query-param`. Out of scope: the
//! required coverage (`signature`), responses, and the flags `sf`, `key`, `bs`, `tr` and `req`, which
//! are refused because two parsers of a field can disagree, and everybody sees the same raw value.

use core::cell::OnceCell;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::base::percent::{self, Byte};
use crate::base::request::Head;
use crate::problem::Refusal;

use super::redact::{self, REDACTED};
use super::structured::{Bare, Item, Parameters};

/// Most components of one signature. Real clients cover a dozen.
pub const MAX_COMPONENTS: usize = 64;

/// A component of a request: one line of the base (RFC 9421 sections 2.1 and 2.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// `@method`: as sent.
    Method,
    /// `@target-uri`: scheme, host, path and query as sent.
    TargetUri,
    /// `@authority`: host and port in lower case, a default port left out.
    Authority,
    /// `@scheme`.
    Scheme,
    /// `@request-target`: path and query as sent.
    RequestTarget,
    /// `@path`, not decoded; `/` when empty.
    Path,
    /// `@query` with its `?`; only `?` when there is no query.
    Query,
    /// `@query-param` of this name, encoded as RFC 9421 section 2.2.8 requires.
    QueryParam(String),
    /// A header field.
    Field(String),
}

impl Component {
    /// Parses a component name without parameters.
    ///
    /// # Errors
    /// `bad-credential` for a name that is not valid (RFC 9421 section 2.1: "the component name for an
    /// HTTP field is the lowercased form of its field name"), `signature-unsupported` for a derived
    /// component that is unknown or not of a request.
    pub fn named(name: &str) -> Result<Self, Refusal> {
        Ok(match name {
            "@method" => Self::Method,
            "@target-uri" => Self::TargetUri,
            "@authority" => Self::Authority,
            "@scheme" => Self::Scheme,
            "@request-target" => Self::RequestTarget,
            "@path" => Self::Path,
            "@query" => Self::Query,
            // RFC 9421 section 2.2.8: it requires the parameter `name`.
            "@query-param" => return Err(Refusal::BadCredential),
            derived if derived.starts_with('@') => return Err(Refusal::SignatureUnsupported),
            field if is_field_name(field) => Self::Field(field.to_owned()),
            _ => return Err(Refusal::BadCredential),
        })
    }

    pub(super) fn read(item: &Item<'_>) -> Result<Self, Refusal> {
        let Bare::String(name) = &item.bare else {
            return Err(Refusal::BadCredential);
        };
        if name.as_str() == "@query-param" {
            return Ok(Self::QueryParam(only_name(&item.parameters)?));
        }
        match item.parameters.is_empty() {
            true => Self::named(name.as_str()),
            // One of RFC 9421's flags, or an unknown parameter.
            false => Err(Refusal::SignatureUnsupported),
        }
    }

    /// Returns the component's identifier, with which its line begins (RFC 9421 section 2).
    pub fn identifier(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::Method => r#""@method""#,
            Self::TargetUri => r#""@target-uri""#,
            Self::Authority => r#""@authority""#,
            Self::Scheme => r#""@scheme""#,
            Self::RequestTarget => r#""@request-target""#,
            Self::Path => r#""@path""#,
            Self::Query => r#""@query""#,
            Self::QueryParam(name) => {
                let escaped = name.replace('\\', r"\\").replace('"', r#"\""#);
                return Cow::Owned(format!(r#""@query-param";name="{escaped}""#));
            }
            // A field name has no characters that need to be escaped.
            Self::Field(name) => return Cow::Owned(format!("\"{name}\"")),
        })
    }
}

/// A request as the source of component values. The query is decoded at most once, no matter how many
/// parameters are covered, because the caller is not verified yet.
#[derive(Debug)]
pub struct Message<'r, 'h> {
    head: &'r Head<'h>,
    /// Values by re-encoded name; `None` for a name that occurs more than once.
    query: OnceCell<BTreeMap<String, Option<&'h str>>>,
}

impl<'r, 'h> Message<'r, 'h> {
    /// Creates the message of this request.
    pub const fn new(head: &'r Head<'h>) -> Self {
        Self { head, query: OnceCell::new() }
    }

    /// Returns the value of a component.
    ///
    /// # Errors
    /// `signature-incomplete` for a component that the request does not have, or has more than once
    /// where only one can be meant; `signature-unsupported` for a value that is not ASCII (RFC 9421
    /// section 2.5: the base is ASCII), because signer and gate might see different bytes.
    pub fn value(&self, component: &Component) -> Result<Cow<'h, str>, Refusal> {
        let head = self.head;
        let value = match component {
            Component::Method => Cow::Borrowed(head.method()),
            Component::TargetUri => {
                Cow::Owned(format!("{}://{}{}", head.scheme(), head.authority(), head.target()))
            }
            Component::Authority => authority(head),
            Component::Scheme => Cow::Borrowed(head.scheme()),
            Component::RequestTarget => Cow::Borrowed(head.target()),
            Component::Path => Cow::Borrowed(head.path()),
            Component::Query => Cow::Owned(format!("?{}", head.query().unwrap_or_default())),
            Component::QueryParam(name) => Cow::Owned(self.query_param(name)?),
            // RFC 9421 section 2.1: "If the named field … does not exist … it MUST produce an error".
            // The platform has trimmed each line; a remaining space may come from joining an empty line.
            Component::Field(name) => {
                Cow::Borrowed(head.header(name).ok_or(Refusal::SignatureIncomplete)?)
            }
        };
        match value.is_ascii() {
            true => Ok(value),
            false => Err(Refusal::SignatureUnsupported),
        }
    }

    /// Returns the value of the query parameter whose re-encoded name is `name` (RFC 9421 section
    /// 2.2.8). "If a parameter name occurs multiple times in a request, the named query parameter MUST
    /// NOT be included."
    fn query_param(&self, name: &str) -> Result<String, Refusal> {
        let query = self.query.get_or_init(|| {
            let mut query = BTreeMap::new();
            for (name, value) in self.head.parameters() {
                let once = Some(value.unwrap_or_default());
                let _ =
                    query.entry(reencoded(name)).and_modify(|value| *value = None).or_insert(once);
            }
            query
        });
        let value = query.get(name).copied().flatten();
        value.map(reencoded).ok_or(Refusal::SignatureIncomplete)
    }
}

/// Computes the signature base (RFC 9421 section 2.5) of these components, with `parameters` as the
/// value of `@signature-params`: one line each, in the signer's order, without a line break at the end.
///
/// # Errors
/// As [`Message::value`].
pub fn base(
    components: &[Component],
    parameters: &str,
    head: &Head<'_>,
) -> Result<String, Refusal> {
    let message = Message::new(head);
    lines(components, parameters, |component| message.value(component))
}

/// Computes the base as a problem document shows it: without values that may be secret. A base never
/// contains a MAC.
///
/// # Errors
/// As [`Message::value`].
pub fn redacted(
    components: &[Component],
    parameters: &str,
    head: &Head<'_>,
) -> Result<String, Refusal> {
    let message = Message::new(head);
    lines(components, parameters, |component| {
        let shows = match component {
            Component::Field(name) => redact::shows_field(name),
            Component::QueryParam(name) => redact::shows_parameter(&decoded(name)),
            Component::Method
            | Component::TargetUri
            | Component::Authority
            | Component::Scheme
            | Component::RequestTarget
            | Component::Path
            | Component::Query => true,
        };
        if !shows {
            return Ok(REDACTED.into());
        }
        let value = message.value(component)?;
        Ok(match (component, value.split_once('?')) {
            (
                Component::Query | Component::TargetUri | Component::RequestTarget,
                Some((before, query)),
            ) => Cow::Owned(format!("{before}?{}", redact::query(query, decoded))),
            _ => value,
        })
    })
}

fn lines<'h>(
    components: &[Component],
    parameters: &str,
    value: impl Fn(&Component) -> Result<Cow<'h, str>, Refusal>,
) -> Result<String, Refusal> {
    let mut base = String::with_capacity(512);
    for component in components {
        let value = value(component)?;
        let _infallible = writeln!(base, "{}: {value}", component.identifier());
    }
    base.push_str(r#""@signature-params": "#);
    base.push_str(parameters);
    Ok(base)
}

/// Returns `@authority` (RFC 9421 section 2.2.3): "normalized according to the rules in section 4.2.3 of
/// RFC 9110: the host is lowercased and the default port is omitted".
pub fn authority<'h>(head: &Head<'h>) -> Cow<'h, str> {
    let default = match head.scheme() {
        "https" => ":443",
        _ => ":80",
    };
    let authority = head.authority();
    let authority = authority.strip_suffix(default).unwrap_or(authority);
    match authority.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(authority.to_ascii_lowercase()),
        false => Cow::Borrowed(authority),
    }
}

/// Returns the parameter `name` of a `@query-param`, which must be its only one.
fn only_name(parameters: &Parameters<'_>) -> Result<String, Refusal> {
    let mut found = None;
    for (key, value) in parameters {
        match (key.as_str(), value) {
            ("name", Bare::String(name)) => found = Some(name.as_str().to_owned()),
            ("name", _) => return Err(Refusal::BadCredential),
            _ => return Err(Refusal::SignatureUnsupported),
        }
    }
    found.ok_or(Refusal::BadCredential)
}

/// Returns true if `name` is a header name in lower case (RFC 9110 section 5.6.2, `token`).
fn is_field_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
        })
}

/// Decodes `application/x-www-form-urlencoded` text and encodes it again, with everything but that
/// format's own safe characters as `%XX` (URL Standard sections 5.1 and 5.2, with %20 for a space).
fn reencoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in decoded(text).bytes() {
        match byte.is_ascii_alphanumeric() || b"*-._".contains(&byte) {
            true => encoded.push(char::from(byte)),
            false => {
                let _infallible = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// Decodes a name or a value of `application/x-www-form-urlencoded` (URL Standard section 5.1).
fn decoded(text: &str) -> String {
    let byte = |byte: Byte| if byte == Byte::Plain(b'+') { b' ' } else { byte.value() };
    let bytes: Vec<u8> = percent::decode(text).map(byte).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_parameter_is_decoded_and_encoded_again() {
        for (raw, encoded) in [
            ("with+plus", "with%20plus"),
            ("%7e~", "%7E%7E"),
            ("a*-._", "a*-._"),
            ("%zz%4", "%25zz%254"),
            ("%ff", "%EF%BF%BD"),
            ("(!')", "%28%21%27%29"),
            ("é", "%C3%A9"),
        ] {
            assert_eq!(reencoded(raw), encoded, "{raw}");
        }
    }

    #[test]
    fn what_may_be_secret_is_not_shown_in_any_component() {
        let target = "https://gate.example/a?x=1&%74oken=s&y";
        let headers = vec![("x-edge-secret", "s"), ("x-own", "o")];
        let head = Head::new("GET", target, headers, false).unwrap();
        let param = |name: &str| Component::QueryParam(name.to_owned());
        let field = |name: &str| Component::Field(name.to_owned());
        let components = [
            Component::TargetUri,
            Component::RequestTarget,
            Component::Query,
            Component::Path,
            param("token"),
            param("x"),
            field("x-edge-secret"),
            field("x-own"),
        ];
        assert_eq!(
            redacted(&components, "()", &head).unwrap(),
            r#""@target-uri": https://gate.example/a?x=1&%74oken=[redacted]&y
"@request-target": /a?x=1&%74oken=[redacted]&y
"@query": ?x=1&%74oken=[redacted]&y
"@path": /a
"@query-param";name="token": [redacted]
"@query-param";name="x": 1
"x-edge-secret": [redacted]
"x-own": o
"@signature-params": ()"#
        );
    }

    #[test]
    fn a_name_that_no_field_has_is_refused() {
        for name in ["Date", "", "a b", "a:", "é", "@query-param"] {
            assert_eq!(Component::named(name), Err(Refusal::BadCredential), "{name}");
        }
        for name in ["@status", "@", "@Method"] {
            let unsupported = Err(Refusal::SignatureUnsupported);
            assert_eq!(Component::named(name), unsupported, "{name}");
        }
    }
}
