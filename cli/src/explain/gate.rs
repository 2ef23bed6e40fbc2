//! The gate itself, with the configuration of this checkout: what it says of a request.

use std::collections::BTreeMap;
use std::future::Future as _;
use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};

use serde_json::{Value, json};
use writegate::Context;
use writegate::Day;
use writegate::KeyId;
use writegate::Problem;
use writegate::Secret;
use writegate::Timestamp;
use writegate::config::{self, Binding, Config, Environment};
use writegate::credential::digest::Algorithm;
use writegate::credential::signature::Nonce;
use writegate::platform::{
    AdminBackend, BodyError, Change, Platform, ReadBody, RecordPage, SecretsStore, Unavailable,
};
use writegate::{Decision, Gate, Raw};

use crate::error::Result;
use crate::project::Project;
use crate::settings;

use super::request_input::RequestInput;

/// The secrets that decide about a request.
const SECRETS: [&str; 3] = ["SIGNING_SECRET", "SIGNING_SECRET_PREVIOUS", "WAF_SECRET"];

/// A gate with this checkout's `wrangler.toml` and secrets.
pub(crate) struct Local {
    gate: Gate,
    secrets: BTreeMap<&'static str, Secret>,
    /// A key's secret alone, as a caller has it.
    pub(crate) sk: Option<Secret>,
}

/// The gate's decision on a request.
pub(crate) enum Verdict {
    Forwarded,
    Refused(Problem),
    /// The gate could not be set up; why.
    Closed(String),
}

impl Local {
    pub(crate) fn new(project: &Project) -> Result<Self> {
        let mut secrets = BTreeMap::new();
        for name in SECRETS {
            if let Some(secret) = project.secret(name)? {
                secrets.insert(name, secret);
            }
        }
        let document = project.document()?;
        let bound = document.names("durable_objects");
        let environment = Deployed {
            vars: document.own("vars"),
            objects: ["REPLAY", "LEDGER"].into_iter().filter(|name| bound.contains(name)).collect(),
            secrets: &secrets,
        };
        Ok(Self { gate: Gate::new(&environment), secrets, sk: settings::key_secret(project)? })
    }

    /// The configuration, if there is one.
    pub(crate) fn config(&self) -> Option<&Config> {
        self.gate.config().ok()
    }

    /// The roots that keys' secrets are derived from.
    pub(crate) fn roots(&self) -> impl Iterator<Item = (&'static str, &Secret)> {
        let roots = SECRETS.iter().take(2);
        roots.filter_map(|name| Some((*name, self.secrets.get(name)?)))
    }

    pub(crate) fn decide(&self, request: &RequestInput, now: Timestamp) -> Verdict {
        if let Err(error) = self.gate.config() {
            return Verdict::Closed(error.to_string());
        }
        let headers = request.headers.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let raw = Raw {
            method: &request.method,
            target: &request.url,
            headers: headers.collect(),
            has_body: request.has_body(),
        };
        let context = Context { now, request_id: "explain".to_owned(), country: None, colo: None };
        let platform = Stopped { request, now };
        let mut decision = pin!(self.gate.decide(raw, context, &platform));
        match decision.as_mut().poll(&mut Task::from_waker(Waker::noop())) {
            Poll::Ready(Decision::Forward(..)) => Verdict::Forwarded,
            Poll::Ready(Decision::Respond(answer)) => problem(&answer.body).map_or_else(
                || Verdict::Closed("the gate answers it itself".to_owned()),
                Verdict::Refused,
            ),
            Poll::Pending => Verdict::Closed("something had to be waited for".to_owned()),
        }
    }
}

fn problem(document: &str) -> Option<Problem> {
    let document: Value = serde_json::from_str(document).ok()?;
    Problem::of_code(document["code"].as_str()?)
}

/// Every token is at hand.
impl SecretsStore for Stopped<'_> {
    async fn secret(&self, _name: &str) -> std::result::Result<Secret, Unavailable> {
        Err(Unavailable)
    }
}

/// A request as it was given, at one moment: its body is at hand, and there is no memory for nonces.
struct Stopped<'g> {
    request: &'g RequestInput,
    now: Timestamp,
}

impl Platform for Stopped<'_> {
    fn now(&self) -> Timestamp {
        self.now
    }

    async fn record(&self, _id: &KeyId) -> std::result::Result<Option<String>, Unavailable> {
        Ok(None)
    }

    async fn within_rate(
        &self,
        _binding: &str,
        _counted_as: &str,
    ) -> std::result::Result<bool, Unavailable> {
        Ok(true)
    }

    async fn read_body(
        &self,
        wanted: ReadBody<'_>,
    ) -> std::result::Result<Vec<Vec<u8>>, BodyError> {
        let digest = |one: &Algorithm| one.digest(&self.request.body);
        match u64::try_from(self.request.body.len()).is_ok_and(|length| length <= wanted.max_bytes)
        {
            true => Ok(wanted.algorithms.iter().map(digest).collect()),
            false => Err(BodyError::TooLarge),
        }
    }

    async fn submit_usage(
        &self,
        _key: &KeyId,
        batch: &str,
    ) -> std::result::Result<String, Unavailable> {
        // What the key has had is not known here: its quota counts as not used.
        let batch: Value = serde_json::from_str(batch).map_err(|_misshapen| Unavailable)?;
        let since = &batch["since"];
        Ok(json!({"sequence": 0, "since": since, "requests": 0, "bytes": 0}).to_string())
    }

    async fn remember_nonce(
        &self,
        _key: &KeyId,
        _nonce: &Nonce,
    ) -> std::result::Result<bool, Unavailable> {
        Ok(true)
    }
}

/// Nobody's registry: what is explained is why a request was refused before.
impl AdminBackend for Stopped<'_> {
    async fn purge(&self, _mark: &str) -> std::result::Result<(), Unavailable> {
        Err(Unavailable)
    }

    async fn usage(
        &self,
        _key: &KeyId,
        _from: Day,
        _to: Day,
    ) -> std::result::Result<String, Unavailable> {
        Err(Unavailable)
    }

    fn body(&self) -> Vec<u8> {
        self.request.body.clone()
    }

    fn random(&self) -> [u8; 16] {
        [0; 16]
    }

    async fn siteverify(
        &self,
        _url: &str,
        _form: &str,
    ) -> std::result::Result<(u16, String), Unavailable> {
        Err(Unavailable)
    }

    async fn record_page(
        &self,
        _cursor: Option<&str>,
    ) -> std::result::Result<RecordPage, Unavailable> {
        Err(Unavailable)
    }

    async fn records(
        &self,
        _ids: &[&KeyId],
    ) -> std::result::Result<Vec<Option<String>>, Unavailable> {
        Err(Unavailable)
    }

    async fn write(&self, _changes: &[Change<'_>]) -> std::result::Result<bool, Unavailable> {
        Err(Unavailable)
    }
}

struct Deployed<'s> {
    vars: &'s Value,
    /// The bindings to Durable Objects that are there.
    objects: Vec<&'static str>,
    secrets: &'s BTreeMap<&'static str, Secret>,
}

impl Environment for Deployed<'_> {
    fn get(&self, name: &str) -> Option<Binding> {
        if self.objects.contains(&name) {
            return Some(Binding::Resource);
        }
        if let Some(secret) = self.secrets.get(name) {
            return Some(Binding::Text(secret.clone()));
        }
        match self.vars.get(name) {
            Some(Value::String(text)) => Some(Binding::Text(Secret::new(text.as_str()))),
            Some(other) => Some(Binding::Json(other.to_string())),
            // The upstream's token decides about no request, so it need not be on this machine.
            None if !SECRETS.contains(&name) && is_token(name) => {
                Some(Binding::Text(Secret::new("nobody@example:sent-nowhere")))
            }
            None => None,
        }
    }
}

/// Returns true if a variable that `wrangler.toml` does not have can only be a route's token.
fn is_token(name: &str) -> bool {
    let optional = [
        "UPSTREAM",
        "ROUTES",
        "KEYS",
        "RATES",
        "ROTATION",
        "SESSION_MAX_TTL",
        "CLOCK_SKEW",
        "TURNSTILE_VERIFY_URL",
    ];
    let is_optional = optional.contains(&name) || config::RESOURCES.contains(&name);
    !is_optional && !name.ends_with("_ISSUED_AT")
}
