//! The gate itself, with the configuration of this checkout, and its decision on a request.

use std::collections::BTreeMap;
use std::future::Future as _;
use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};

use serde_json::{Value, json};
use writegate::config::Config;
use writegate::route::GATE_PREFIX;
use writegate::{
    Context, Decision, Gate, GateResponse, Key, KeyId, Problem, Raw, Refusal, Secret, Timestamp,
    derive_sk, rate, registry,
};

use crate::admin;
use crate::error::{Error, Result};
use crate::gate_error::GateError;
use crate::project::{Deployed, Document, Project, is_secret, placeholder_root, placeholder_token};
use crate::settings;

use super::platform::Frozen;
use super::request_input::RequestInput;
use super::resigned::resigned;
use super::why;

const ROOT: &str = "SIGNING_SECRET";
/// The secrets that decide about a request.
const SECRETS: [&str; 3] = [ROOT, "SIGNING_SECRET_PREVIOUS", "WAF_SECRET"];

/// The schemes of a key without a known record.
const SCHEMES: [&str; 4] = ["session", "signature", "url", "waf-url"];

/// A gate with this project's configuration and secrets, as far as this machine has them.
pub(crate) struct Local {
    gate: Gate,
    secrets: BTreeMap<&'static str, Secret>,
    /// Only a key's secret, as a caller has it.
    pub(crate) sk: Option<Secret>,
    /// The place of the configuration; `None` if there is none of a gate.
    pub(crate) place: Option<String>,
    /// There is no root secret here, so a placeholder is used.
    has_placeholder: bool,
    record: Option<Record>,
    /// The keys of the configuration as they are written there, and the one of the registry.
    raw: Vec<Value>,
    /// The bindings of rate limiters; `None` where there is no configuration.
    rates: Option<Vec<String>>,
}

/// A key of a running gate's registry.
pub(crate) struct Record {
    pub(super) text: String,
    pub(super) key: Key,
}

/// The gate's decision on a request.
pub(crate) enum Verdict {
    Forwarded,
    /// It is for a path of the gate's own, and accepted.
    Answered,
    Refused {
        problem: Problem,
        /// The owner of the limit: key, session or scheme.
        limit: Option<String>,
        /// The further sentences of the answer.
        details: Vec<String>,
    },
    /// The reason why there is no decision.
    Closed(String),
}

impl Record {
    /// Reads a key of a gate's registry; `None` if the registry does not have this id.
    pub(crate) fn ask(gate: &admin::Gate, id: &KeyId) -> Result<Option<Self>> {
        match gate.ask("GET", &admin::record(id), None) {
            Ok(record) => {
                let text = record.to_string();
                let key = registry::read(id, &text).map_err(|error| {
                    Error::new(format!("the gate's record of the key is not understood: {error}"))
                })?;
                Ok(Some(Self { text, key }))
            }
            Err(GateError::Refused(problem)) if problem.code == "key-unknown" => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Local {
    /// Creates the gate. `id` is the key that the request names, and `record` its record in a registry.
    pub(crate) fn new(
        project: &Project,
        id: Option<&KeyId>,
        record: Option<Record>,
    ) -> Result<Self> {
        let mut secrets = BTreeMap::new();
        for name in SECRETS {
            if let Some(secret) = project.secret(name)? {
                secrets.insert(name, secret);
            }
        }
        let has_placeholder = !secrets.contains_key(ROOT);
        if has_placeholder {
            secrets.insert(ROOT, placeholder_root());
        }
        let sk = settings::key_secret(project)?;
        let document = match project.has_configuration().then(|| project.document()) {
            // The caller's folder may have a broken configuration of another program.
            Some(Err(_)) if sk.is_some() => None,
            document => document.transpose()?,
        };
        // The caller's folder may have the configuration of another Worker.
        let own = document.filter(Document::is_gate);
        let supposed = json!({
            "UPSTREAM": "https://upstream.invalid",
            "KEYS": id.map(|id| json!({"id": id.as_str(), "schemes": SCHEMES})).into_iter().collect::<Vec<_>>(),
        });
        let bound = own.as_ref().map(|document| document.names("durable_objects"));
        let mut resources: Vec<&'static str> = match &bound {
            Some(bound) => {
                ["REPLAY", "LEDGER"].into_iter().filter(|name| bound.contains(name)).collect()
            }
            None => vec!["REPLAY", "LEDGER"],
        };
        resources.extend(record.is_some().then_some("KEY_REGISTRY"));
        let vars = own.as_ref().map_or(&supposed, |document| document.own("vars"));
        // The upstream's token decides about no request, so it need not be on this machine.
        let is_token =
            |name: &str| !SECRETS.contains(&name) && vars.get(name).is_none() && is_secret(name);
        let secret = |name: &str| {
            let own = secrets.get(name).cloned();
            own.or_else(|| is_token(name).then(placeholder_token))
        };
        let environment = Deployed { vars, resources, secret: &secret };
        let configured = environment.vars["KEYS"].as_array().into_iter().flatten().cloned();
        let registered = record.as_ref().and_then(|one| serde_json::from_str(&one.text).ok());
        let raw = configured.chain(registered).collect();
        let rates = own
            .as_ref()
            .map(|document| document.names("ratelimits").into_iter().map(str::to_owned).collect());
        Ok(Self {
            gate: Gate::new(&environment),
            sk,
            place: own.map(|document| document.place()),
            secrets,
            has_placeholder,
            record,
            raw,
            rates,
        })
    }

    /// Returns the configuration, if there is one.
    pub(crate) fn config(&self) -> Option<&Config> {
        self.gate.config().ok()
    }

    /// Returns a key of the configuration, or that of the registry.
    pub(crate) fn key(&self, id: &str) -> Option<&Key> {
        let configured = self.config().and_then(|config| config.keys.get(id));
        let registered = self.record.as_ref().map(|record| &record.key);
        configured.map(|known| known.key()).or(registered.filter(|key| key.id.as_str() == id))
    }

    /// Returns a key's record, as the configuration or the registry has it.
    pub(crate) fn record(&self, key: &Key) -> Option<&Value> {
        self.raw.iter().find(|record| record["id"] == key.id.as_str())
    }

    /// Names the place of a key's record.
    pub(crate) fn place_of(&self, key: &Key) -> &str {
        let is_configured =
            self.config().is_some_and(|config| config.keys.get(key.id.as_str()).is_some());
        let place = self.place.as_deref().filter(|_| is_configured);
        place.unwrap_or("the gate's registry")
    }

    /// Returns true if there is a rate limiter of this name.
    pub(crate) fn has_rate(&self, name: &str) -> bool {
        let binding = rate::binding(name);
        self.rates.as_ref().is_none_or(|rates| rates.contains(&binding))
    }

    /// Returns a sentence about a list of the key's record.
    pub(crate) fn listed(&self, key: &Key, name: &str) -> Option<String> {
        let record = self.record(key)?;
        let list: Vec<&str> = record[name].as_array()?.iter().filter_map(Value::as_str).collect();
        Some(format!("the key's {name} are: {}", list.join(", ")))
    }

    /// Returns a sentence about the existing keys.
    pub(crate) fn known_keys(&self) -> Vec<String> {
        let (Some(config), Some(place)) = (self.config(), &self.place) else {
            return Vec::new();
        };
        let ids: Vec<_> = config.keys.keys().map(ToString::to_string).collect();
        vec![
            format!("{place} has these keys: {}", ids.join(", ")),
            "if the key is in the gate's registry, add --gate URL".to_owned(),
        ]
    }

    /// Returns the roots that keys' secrets are derived from.
    pub(crate) fn roots(&self) -> impl Iterator<Item = (&'static str, &Secret)> {
        let roots = SECRETS.iter().take(2).skip(usize::from(self.has_placeholder));
        roots.filter_map(|name| Some((*name, self.secrets.get(name)?)))
    }

    pub(crate) fn decide(&self, request: &RequestInput, now: Timestamp) -> Verdict {
        if let Err(error) = self.gate.config() {
            let place = self.place.as_deref().map(|place| format!("{place}: "));
            return Verdict::Closed(format!("{}{error}", place.unwrap_or_default()));
        }
        let resigned = self.resigned(request);
        let unproven = self.has_placeholder && resigned.is_none();
        let request = resigned.as_ref().unwrap_or(request);
        let headers = request.headers.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let raw = Raw {
            method: &request.method,
            target: &request.url,
            headers: headers.collect(),
            has_body: request.has_body(),
        };
        let context = Context { now, request_id: "explain".to_owned(), country: None, colo: None };
        let (record, rates) = (self.record.as_ref(), self.rates.as_deref());
        let platform = Frozen { request, now, record, rates };
        let mut decision = pin!(self.gate.decide(raw, context, &platform));
        let is_own = request.head().is_some_and(|head| head.path().starts_with(GATE_PREFIX));
        let verdict = match decision.as_mut().poll(&mut Task::from_waker(Waker::noop())) {
            Poll::Ready(Decision::Forward(..)) => Verdict::Forwarded,
            Poll::Ready(Decision::Respond(answer)) => respond(&answer, is_own),
            Poll::Pending => Verdict::Closed(
                "the answer depends on something that this machine \
                does not have"
                    .to_owned(),
            ),
        };
        match verdict {
            // The registry and the ledger, which the gate's own paths work on, are not here.
            Verdict::Refused { problem: Problem::Failed(_), .. } if is_own =>
            {
                Verdict::Closed(
                    "the credential is accepted; the rest depends on the gate's own registry and ledger"
                        .to_owned(),
                )
            }
            Verdict::Refused { problem: Problem::Refused(Refusal::SignatureInvalid), .. }
                if unproven && self.sk.is_none() =>
            {
                Verdict::Closed(format!(
                    "the credential is well-formed; to say if it is genuine, this needs {} or SIGNING_SECRET",
                    settings::KEY_SECRET
                ))
            }
            verdict => verdict,
        }
    }

    /// Returns the request signed anew under the substitute root, if it was signed with the key's secret that is here.
    fn resigned(&self, request: &RequestInput) -> Option<RequestInput> {
        let sk = self.sk.as_ref().filter(|_| self.has_placeholder)?;
        let id = KeyId::parse(&why::named(request)?)?;
        let version = self.key(id.as_str()).map_or(1, |key| key.version);
        resigned(request, &id, sk, &derive_sk(self.secrets.get(ROOT)?, &id, version))
    }
}

/// Reads the verdict out of an answer that the gate writes itself. The request may be for one of its own paths.
fn respond(answer: &GateResponse, is_own: bool) -> Verdict {
    let document: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let Some(problem) = document["code"].as_str().and_then(Problem::of_code) else {
        return Verdict::Answered;
    };
    let member = |name: &str| document[name].as_str().map(str::to_owned);
    let hint = member("hint").map(|hint| match member("field") {
        Some(field) => format!("{field}: {hint}"),
        None => hint,
    });
    let mut headers = answer.headers.iter().filter(|_| is_own);
    let allow = headers.find(|(name, _)| name.eq_ignore_ascii_case("allow"));
    let allow = allow.map(|(_, methods)| format!("the methods here are: {methods}"));
    Verdict::Refused {
        problem,
        limit: member("limit"),
        details: hint.into_iter().chain(allow).collect(),
    }
}
