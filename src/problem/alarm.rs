//! Alarms: lines for the operator through `console.error`, or `console.warn` for those of the `level` `warn`,
//! next to the audit line of a request.

use serde_json::{Map, Value};

use crate::base::json::FieldError;
use crate::base::json_writer;

/// Most characters of a text that a line shows: no host name is longer.
const MAX_SHOWN: usize = 253;

/// A condition that an operator has to fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The configuration, or a record of the registry, does not parse.
    Misconfigured {
        /// The field or the record.
        field: String,
        /// The error, and what would be right.
        hint: String,
    },
    /// A secret that a route names is not set.
    TokenMissing {
        /// The secret's name.
        secret: String,
    },
    /// A key or a route needs something that is missing.
    FeatureUnavailable {
        /// The binding or the secret.
        feature: String,
        /// The key or the route that needs it.
        wanted_by: String,
    },
    /// Usage could not be sent to the ledgers of its keys.
    UsageUnsent {
        /// The number of keys.
        batches: usize,
        /// The number of requests that were not counted and cannot be sent later.
        lost: u64,
    },
    /// Turnstile accepted a token that was not solved on the page that asks for a session, or that proves
    /// nothing.
    Turnstile {
        /// The reason, as the caller gets it.
        reason: &'static str,
        /// The value that would be right.
        expected: Box<str>,
        /// The value that siteverify gave, if it gave one.
        got: Option<Box<str>>,
    },
    /// The upstream refused the gate's own token.
    UpstreamRejectedToken {
        /// The secret's name.
        secret: String,
        /// The status of its response.
        upstream_status: u16,
        /// The Cloudflare API's error code, where there was one.
        upstream_code: Option<u64>,
        /// The most likely cause.
        hint: &'static str,
    },
    /// The upstream sent its token back in these headers; the gate redacted it.
    EchoGuard {
        /// The names of the headers.
        headers: Vec<String>,
    },
}

impl Alarm {
    /// Returns the alarm as a line of JSON, with the id of the request that raised it.
    pub fn line(&self, request_id: Option<&str>) -> String {
        let mut line = Map::new();
        let mut set = |name: &str, value: Value| drop(line.insert(name.to_owned(), value));
        if let Some(request_id) = request_id {
            set("request_id", request_id.into());
        }
        let event = match self {
            Self::Misconfigured { field, hint } => {
                set("field", field.as_str().into());
                set("hint", hint.as_str().into());
                "misconfigured"
            }
            Self::TokenMissing { secret } => {
                set("secret", secret.as_str().into());
                set(
                    "hint",
                    format!("put the token: npx writegate token put --secret {secret}").into(),
                );
                "token_missing"
            }
            Self::FeatureUnavailable { feature, wanted_by } => {
                set("feature", feature.as_str().into());
                set("wanted_by", wanted_by.as_str().into());
                let hint = "if it is missing, add the binding or set the secret, and deploy; if it did not answer, look at https://www.cloudflarestatus.com/";
                set("hint", hint.into());
                "feature_unavailable"
            }
            Self::UsageUnsent { batches, lost } => {
                set("batches", (*batches).into());
                set("lost", (*lost).into());
                let hint = "the ledgers of these keys did not answer; their batches are sent again, but requests that were lost are in no ledger";
                set("hint", hint.into());
                "usage_unsent"
            }
            Self::Turnstile { reason, expected, got } => {
                set("level", "warn".into());
                set("reason", (*reason).into());
                set("expected", shown(expected).into());
                set("got", got.as_deref().map(shown).into());
                set("hint", "docs/troubleshooting.md says what to do for each reason".into());
                "turnstile"
            }
            Self::UpstreamRejectedToken { secret, upstream_status, upstream_code, hint } => {
                set("secret", secret.as_str().into());
                set("upstream_status", (*upstream_status).into());
                set("upstream_code", (*upstream_code).into());
                set("hint", (*hint).into());
                "upstream_rejected_token"
            }
            Self::EchoGuard { headers } => {
                set("headers", headers.iter().map(String::as_str).collect());
                let hint = "the upstream sends the token back in these headers; it was redacted, but rotate the token and tell the upstream's operator";
                set("hint", hint.into());
                "echo_guard"
            }
        };
        set("event", event.into());
        json_writer::line(&Value::Object(line))
    }
}

/// Returns the beginning of a text that siteverify or a caller chose.
fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

impl From<&FieldError> for Alarm {
    fn from(error: &FieldError) -> Self {
        Self::Misconfigured { field: error.field.clone(), hint: error.hint.clone() }
    }
}
