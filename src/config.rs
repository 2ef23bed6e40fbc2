//! The configuration (docs/wire-contract.md, "Configuration"): variables and secrets, read once per
//! isolate. If anything does not parse, the gate answers every request with 503, and the error names the
//! field and says what would be right.

use std::rc::Rc;

use serde_json::Value;

use crate::base::json::{self, FieldError, Fields};
use crate::base::mac::MacKey;
use crate::base::secret::Secret;
use crate::base::sorted_map::SortedMap;
use crate::base::time::Timestamp;
use crate::credential::turnstile::{self, Turnstile};
use crate::keys::{self, DerivedKey, Key, KeyId, RootSecrets};
use crate::limits::rate::{self, Policy};
use crate::upstream::route::{self, Route};
use crate::upstream::token::{TokenSource, UpstreamToken};
use crate::upstream::url::Upstream;

/// Shortest secret, in bytes, for MACs: as long as the MAC. A shorter one could be guessed from a single
/// signed URL.
pub const MIN_SECRET_BYTES: usize = 32;
/// The bindings of resources: a KV namespace and Durable Objects.
pub const RESOURCES: [&str; 4] = ["KEY_REGISTRY", "KEY_WRITER", "REPLAY", "LEDGER"];
/// The variables that are neither a route's token nor about one.
pub const VARIABLES: [&str; 8] = [
    "UPSTREAM", "ROUTES", "KEYS", "RATES", "ROTATION", "SESSION_MAX_TTL", "CLOCK_SKEW",
    "TURNSTILE_VERIFY_URL",
];

/// Secrets of the gate itself, which must never be sent to an upstream.
pub const RESERVED_SECRETS: [&str; 4] =
    ["SIGNING_SECRET", "SIGNING_SECRET_PREVIOUS", "WAF_SECRET", "TURNSTILE_SECRET"];

/// A binding, as the platform delivers it.
#[derive(Debug)]
pub enum Binding {
    /// A text variable or a secret.
    Text(Secret),
    /// A JSON variable, as text.
    Json(String),
    /// An object with methods, such as a Durable Object namespace or a secret of a Secrets Store.
    Resource,
}

/// The source of variables and secrets.
pub trait Environment {
    /// Returns the binding `name`; `None` if it does not exist.
    fn get(&self, name: &str) -> Option<Binding>;
}

/// The thresholds for a token's age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationPolicy {
    /// The age in days at which a token is overdue.
    pub max_age_days: i64,
    /// Number of days before that, or before its expiry, from which it is due.
    pub warn_days: i64,
}

/// All settings of the operator.
#[derive(Debug)]
pub struct Config {
    /// The routes; no two have the same path.
    pub routes: Vec<Route>,
    /// The keys of the configuration.
    pub keys: SortedMap<KeyId, Rc<DerivedKey>>,
    /// The records of those keys, as they are configured.
    pub key_records: Vec<Value>,
    /// The root secrets that key secrets are derived from.
    pub roots: Rc<RootSecrets>,
    /// There are keys outside the configuration: the binding `KEY_REGISTRY` exists.
    pub registry: bool,
    /// Records of the registry can be written: the binding `KEY_WRITER` exists.
    pub key_writer: bool,
    /// Every token that a route names, by the name of its secret.
    pub tokens: SortedMap<String, TokenSource>,
    /// The thresholds for a token's age.
    pub rotation: RotationPolicy,
    /// Longest time, in seconds, until a session ends.
    pub session_max_ttl: i64,
    /// Tolerated difference of clocks, in seconds.
    pub clock_skew: i64,
    /// The MAC key of WAF-token URLs; `None` if `WAF_SECRET` is not set.
    pub waf_secret: Option<MacKey>,
    /// The challenge that a page solves to get a session.
    pub turnstile: Turnstile,
    /// The settings of the rate limiters, as far as they are stated.
    pub rates: SortedMap<String, Policy>,
    /// Nonces can be recorded: the binding `REPLAY` exists.
    pub replay: bool,
    /// Usage is added up: the binding `LEDGER` exists.
    pub ledger: bool,
}

impl Config {
    /// Reads the whole configuration.
    ///
    /// # Errors
    /// For the first field that is missing, unknown, or of another type or form.
    pub fn read(environment: &impl Environment) -> Result<Self, FieldError> {
        let source = Source(environment);
        let roots = roots(&source)?;
        let mut routes = routes(&source)?;
        let tokens = tokens(&source, &mut routes, &roots.current)?;
        let roots = Rc::new(roots);
        let key_records = source.list("KEYS")?.unwrap_or_default();
        Ok(Self {
            keys: keys(&key_records, &roots)?,
            key_records,
            roots,
            registry: source.has_resource("KEY_REGISTRY", "the KV namespace of key records")?,
            key_writer: source.has_resource("KEY_WRITER", "the Durable Object class KeyWriter")?,
            routes,
            tokens,
            rotation: rotation(&source)?,
            session_max_ttl: source.integer("SESSION_MAX_TTL", 1..=31_536_000, 3_600)?,
            clock_skew: source.integer("CLOCK_SKEW", 0..=300, 60)?,
            waf_secret: source.mac_secret("WAF_SECRET")?.as_ref().map(MacKey::new),
            turnstile: turnstile(&source)?,
            rates: source.json("RATES")?.map_or_else(|| Ok(SortedMap::new()), rate::parse)?,
            replay: source.has_resource("REPLAY", "the Durable Object class ReplayGuard")?,
            ledger: source.has_resource("LEDGER", "the Durable Object class Ledger")?,
        })
    }
}

/// The environment, with errors that name the variable.
struct Source<'e, E>(&'e E);

impl<E: Environment> Source<'_, E> {
    /// Reads a text variable or secret. A blank one counts as absent, because a dashboard saves those.
    fn text(&self, name: &str) -> Result<Option<Secret>, FieldError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Binding::Text(text)) => Ok((!text.is_blank()).then_some(text)),
            Some(Binding::Json(_)) => Err(FieldError::new(name, "expected a string, found JSON")),
            Some(Binding::Resource) => {
                Err(FieldError::new(name, "expected a string, found a binding"))
            }
        }
    }

    /// Reads a secret for MACs.
    fn mac_secret(&self, name: &'static str) -> Result<Option<Secret>, FieldError> {
        match self.text(name)? {
            Some(secret) if secret.len() < MIN_SECRET_BYTES => Err(FieldError::new(
                name,
                "is shorter than 32 bytes; make one with: openssl rand -base64 48",
            )),
            found => Ok(found),
        }
    }

    /// Reads a variable as JSON. A text that is JSON counts too, because `.dev.vars` has nothing else.
    fn json(&self, name: &str) -> Result<Option<Value>, FieldError> {
        let parsed = match self.0.get(name) {
            None => return Ok(None),
            Some(Binding::Json(text)) => json::parse(text.as_bytes()),
            Some(Binding::Text(text)) => json::parse(text.expose()),
            Some(Binding::Resource) => {
                return Err(FieldError::new(name, "expected JSON, found a binding"));
            }
        };
        match parsed {
            Some(Value::Null) => {
                Err(FieldError::new(name, "is null; leave it out for its default"))
            }
            Some(value) => Ok(Some(value)),
            None => Err(FieldError::new(name, "is not JSON, or names a member twice")),
        }
    }

    /// Returns true if the binding `name` exists, which must be a resource.
    fn has_resource(&self, name: &str, what: &str) -> Result<bool, FieldError> {
        match self.0.get(name) {
            None => Ok(false),
            Some(Binding::Resource) => Ok(true),
            Some(Binding::Text(_) | Binding::Json(_)) => {
                Err(FieldError::new(name, format!("is a variable; expected a binding to {what}")))
            }
        }
    }

    fn list(&self, name: &str) -> Result<Option<Vec<Value>>, FieldError> {
        match self.json(name)? {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(other) => Err(FieldError::new(
                name,
                format!("expected a list ([[vars.{name}]]), found {}", json::kind(&other)),
            )),
        }
    }

    fn integer(
        &self,
        name: &'static str,
        range: core::ops::RangeInclusive<u64>,
        default: i64,
    ) -> Result<i64, FieldError> {
        let Some(value) = self.json(name)? else {
            return Ok(default);
        };
        value
            .as_u64()
            .filter(|number| range.contains(number))
            .and_then(|number| i64::try_from(number).ok())
            .ok_or_else(|| {
                let (low, high) = (range.start(), range.end());
                FieldError::new(name, format!("expected a whole number from {low} to {high}"))
            })
    }
}

fn roots(source: &Source<'_, impl Environment>) -> Result<RootSecrets, FieldError> {
    Ok(RootSecrets {
        current: source.mac_secret("SIGNING_SECRET")?.ok_or_else(|| {
            FieldError::new(
                "SIGNING_SECRET",
                "is not set; make one with: openssl rand -base64 48, keep it, and npx wrangler secret put SIGNING_SECRET",
            )
        })?,
        previous: source.mac_secret("SIGNING_SECRET_PREVIOUS")?,
    })
}

fn routes(source: &Source<'_, impl Environment>) -> Result<Vec<Route>, FieldError> {
    let routes = match (source.text("UPSTREAM")?, source.list("ROUTES")?) {
        (Some(_), Some(_)) => {
            return Err(FieldError::new(
                "UPSTREAM",
                "is set, and so is ROUTES; UPSTREAM is short for one route \"/*\", so keep only one of the two",
            ));
        }
        (Some(upstream), None) => {
            let upstream = upstream.expose_str().unwrap_or_default().to_owned();
            vec![Route::catch_all(&upstream).map_err(|hint| FieldError::new("UPSTREAM", hint))?]
        }
        (None, Some(list)) => list
            .into_iter()
            .enumerate()
            .map(|(index, value)| Route::parse(&format!("ROUTES[{index}]"), value))
            .collect::<Result<Vec<_>, _>>()?,
        (None, None) => Vec::new(),
    };
    if routes.is_empty() {
        return Err(FieldError::new(
            "UPSTREAM",
            "is not set, and ROUTES has no route; set the URL of the API, such as UPSTREAM = \"https://api.example.com\"",
        ));
    }
    route::refuse_duplicates(&routes)?;
    for (index, route) in routes.iter().enumerate() {
        if RESERVED_SECRETS.contains(&route.auth.secret()) {
            return Err(FieldError::new(
                format!("ROUTES[{index}].upstream_auth.secret"),
                "names a secret of the gate itself, which must not be sent to an upstream",
            ));
        }
    }
    Ok(routes)
}

/// Reads every token that a route names, and gives each route the credential made from it.
fn tokens(
    source: &Source<'_, impl Environment>,
    routes: &mut [Route],
    root: &Secret,
) -> Result<SortedMap<String, TokenSource>, FieldError> {
    let mut tokens = SortedMap::new();
    for route in routes {
        let name = route.auth.secret().to_owned();
        let found = token(source, &name, root)?;
        if let TokenSource::Set(token) = &found {
            route.credential = Some(Rc::new(route.auth.credential(token)?));
        }
        let _ = tokens.insert(name, found);
    }
    Ok(tokens)
}

fn token(
    source: &Source<'_, impl Environment>,
    name: &str,
    root: &Secret,
) -> Result<TokenSource, FieldError> {
    if let Some(Binding::Resource) = source.0.get(name) {
        let issued_at = issued_at(source, name)?;
        return Ok(TokenSource::Stored { issued_at });
    }
    let Some(text) = source.text(name)? else {
        return Ok(TokenSource::Missing);
    };
    let token = UpstreamToken::read(name, &text, issued_at(source, name)?, root)?;
    Ok(TokenSource::Set(Rc::new(token)))
}

/// Reads the issue date of a raw token.
fn issued_at(
    source: &Source<'_, impl Environment>,
    name: &str,
) -> Result<Option<Timestamp>, FieldError> {
    let variable = format!("{name}_ISSUED_AT");
    let Some(date) = source.text(&variable)? else {
        return Ok(None);
    };
    let date = date.expose_str().and_then(Timestamp::parse_rfc3339);
    date.map(Some).ok_or_else(|| {
        FieldError::new(variable, "expected an RFC 3339 date such as \"2026-11-22\"")
    })
}

fn keys(
    records: &[Value],
    roots: &Rc<RootSecrets>,
) -> Result<SortedMap<KeyId, Rc<DerivedKey>>, FieldError> {
    let mut keys = SortedMap::new();
    for (index, record) in records.iter().enumerate() {
        let path = format!("KEYS[{index}]");
        let key = Key::parse(&path, record.clone())?;
        let id = key.id.clone();
        if keys::begins_like_secret(id.as_str()) {
            return Err(FieldError::new(format!("{path}.id"), keys::SECRET_ID_HINT));
        }
        if keys.insert(id, Rc::new(DerivedKey::new(key, Rc::clone(roots)))).is_some() {
            return Err(FieldError::new(format!("{path}.id"), "is twice in KEYS; ids are unique"));
        }
    }
    Ok(keys)
}

fn turnstile(source: &Source<'_, impl Environment>) -> Result<Turnstile, FieldError> {
    let secret = source.text("TURNSTILE_SECRET")?;
    // White space around it is not part of it.
    let secret = secret.map(|secret| Secret::new(secret.expose().trim_ascii()));
    let verify_url = match source.text("TURNSTILE_VERIFY_URL")? {
        None => turnstile::VERIFY_URL.to_owned(),
        Some(text) => {
            let url = Upstream::parse(text.expose_str().unwrap_or_default());
            let url = url.map_err(|hint| FieldError::new("TURNSTILE_VERIFY_URL", hint))?;
            [url.origin(), url.path()].concat()
        }
    };
    Ok(Turnstile { secret, verify_url })
}

fn rotation(source: &Source<'_, impl Environment>) -> Result<RotationPolicy, FieldError> {
    let value = source.json("ROTATION")?.unwrap_or_else(|| json::object([]));
    let mut fields = Fields::new("ROTATION", value)?;
    let days = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let policy = RotationPolicy {
        max_age_days: days(fields.integer("max_age_days", 1..=3_650, 90)?),
        warn_days: days(fields.integer("warn_days", 0..=3_650, 14)?),
    };
    fields.finish()?;
    Ok(policy)
}
