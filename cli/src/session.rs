//! `writegate session mint`: a session for a key, as the caller's server would make it.

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value, json};
use writegate::credential::session::{self, Session};
use writegate::policy::origin::Origin;
use writegate::policy::path::{PATTERN_HINT, Pattern};
use writegate::{KeyId, METHODS, METHODS_HINT, Scheme, Secret, derive_ss};

use crate::error::{Error, Result};
use crate::project::Project;
use crate::settings::{self, KeyOptions};
use crate::{clock, host, list, random};

/// The longest lifetime of a session unless `SESSION_MAX_TTL` says otherwise.
const DEFAULT_MAX_TTL: u64 = 3600;

/// The lifetime of a session for one request: its way, and clocks that differ a little.
pub(crate) const OWN_TTL: u32 = 30;

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Print a session (a JWT) of a key
    Mint(Mint),
}

#[derive(Args)]
pub(crate) struct Mint {
    /// The key's id
    #[arg(long, value_name = "ID", value_parser = settings::id)]
    key: KeyId,
    /// Bind the session to a session secret, and print both as JSON. Each request must then be signed with that
    /// secret
    #[arg(long)]
    bind: bool,
    /// Print a JSON object, as with --bind
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    claims: Claims,
    #[command(flatten)]
    which: KeyOptions,
}

/// The claims of a session.
#[derive(Args, Default, Serialize)]
pub(crate) struct Claims {
    /// Its lifetime, in seconds or as 5m, 1h30m, 7d
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = clock::duration::<u32>(1..=u32::MAX.into()))]
    #[serde(skip)]
    pub(crate) ttl: u32,
    /// The user; appears in the gate's log
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) sub: Option<String>,
    /// An id of this session
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) jti: Option<String>,
    /// The gate's origin; other gates then refuse it
    #[arg(long, value_name = "ORIGIN", value_parser = gate_origin)]
    pub(crate) aud: Option<String>,
    /// Only this method; may be repeated, or several with commas
    #[arg(long = "method", value_name = "METHOD", value_delimiter = ',', value_parser = method)]
    pub(crate) methods: Vec<String>,
    /// Only this path; with a final /*, everything below it; may be repeated
    #[arg(long = "path", value_name = "PATH", value_parser = path)]
    pub(crate) paths: Vec<String>,
    /// Only from pages of this origin
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    pub(crate) origin: Option<String>,
}

pub(crate) fn run(action: &Action) -> Result<()> {
    let Action::Mint(mint) = action;
    let key = mint.which.open(&mint.key)?;
    if key.is_in_gate {
        lifetime(&key.project, Some(mint.claims.ttl), mint.claims.ttl)?;
    }
    key.warn_of_refusal(Scheme::Session)?;
    let sk = key.sk()?;
    let kid = mint.bind.then(random::session_kid).transpose()?;
    let token = mint.claims.mint(&mint.key, &sk, kid.as_deref())?;
    if !mint.json && kid.is_none() {
        println!("{token}");
        return Ok(());
    }
    // The members that a session minted by the gate has.
    let mut both = json!({
        "token": token,
        "token_type": "Bearer",
        "expires_in": mint.claims.ttl,
    });
    if let Some(kid) = kid {
        both["session_key"] = json!(derive_ss(&sk, &kid).expose_str());
    }
    println!("{both}");
    Ok(())
}

/// Returns the requested lifetime, unless the gate would refuse it, or the default, or less if the gate allows less.
pub(crate) fn lifetime(project: &Project, given: Option<u32>, default: u32) -> Result<u32> {
    let document = project.document()?;
    let limit = document.own("vars")["SESSION_MAX_TTL"].as_u64().unwrap_or(DEFAULT_MAX_TTL);
    match given {
        Some(given) if u64::from(given) > limit => Err(Error::usage(format!(
            "--ttl {given}: the gate refuses a session of more than {limit} s (SESSION_MAX_TTL)"
        ))),
        Some(given) => Ok(given),
        None => Ok(default.min(u32::try_from(limit).unwrap_or(default))),
    }
}

impl Claims {
    /// Makes a session with an end and no other claim.
    pub(crate) fn lasting(ttl: u32) -> Self {
        Self { ttl, ..Self::default() }
    }

    /// Returns claims for the paths that this pattern matches only.
    pub(crate) fn below(path: &str, ttl: u32) -> Self {
        Self { paths: vec![path.to_owned()], ..Self::lasting(ttl) }
    }

    /// Returns the claims of a session for one request of this command at one gate, so that a stolen one is of no use.
    pub(crate) fn once(gate: &str, method: &str, path: &str, ttl: u32) -> Self {
        Self {
            aud: Some(gate.to_owned()),
            methods: vec![method.to_owned()],
            paths: vec![path.to_owned()],
            ..Self::lasting(ttl)
        }
    }

    /// Signs a session that begins now, bound to the session key of this name.
    pub(crate) fn mint(&self, id: &KeyId, sk: &Secret, kid: Option<&str>) -> Result<String> {
        let now = clock::now()?.seconds();
        let mut claims = match json!(self) {
            Value::Object(claims) => claims,
            _ => Map::new(),
        };
        claims.insert("iat".to_owned(), json!(now));
        claims.insert("exp".to_owned(), json!(now + i64::from(self.ttl)));
        claims.insert("cnf".to_owned(), kid.map_or(Value::Null, |kid| json!({"kid": kid})));
        claims.retain(|_, value| !value.is_null() && *value != json!([]));
        let token = session::mint(id, sk, &claims);
        // With the gate's own parser, because it refuses a token that is too long, for example.
        match Session::parse(&token) {
            Ok(_) => Ok(token),
            Err(_) => Err(Error::usage(
                "the gate would refuse this session as bad-credential, perhaps because it is too \
                long: leave out some of it",
            )),
        }
    }
}

type Parsed = std::result::Result<String, String>;

fn name(text: &str) -> Parsed {
    let fits = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned())
        .ok_or_else(|| "expected 1 to 128 visible ASCII characters".to_owned())
}

fn method(text: &str) -> Parsed {
    let text = text.trim();
    let known = METHODS.contains(&text);
    known.then(|| text.to_owned()).ok_or_else(|| METHODS_HINT.to_owned())
}

fn path(text: &str) -> Parsed {
    list::one_path(text)?;
    Pattern::parse(text).map(|_| text.to_owned()).ok_or_else(|| PATTERN_HINT.to_owned())
}

/// Returns the gate's origin.
fn gate_origin(text: &str) -> Parsed {
    match text.split_once("://") {
        Some((scheme, _)) if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) => {
            Err("a gate's origin begins with https:// (or http:// on loopback)".to_owned())
        }
        _ => origin(text),
    }
}

fn origin(text: &str) -> Parsed {
    host::check(text)?;
    Origin::parse(text)
        .map(|_| text.to_owned())
        .ok_or_else(|| "expected an origin such as https://www.example.com".to_owned())
}
