//! Probes a token: at the API before it is put, and through the gate afterwards, by the route's `probe`, which the gate's
//! own code reads.

use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use writegate::config::Config;
use writegate::policy::path;
use writegate::token_age::{self, Probe};
use writegate::{
    KeyId, Problem, Scheme, Secret, Timestamp, TokenSource, Upstream, derive_sk, route,
};

use crate::error::{Error, Result};
use crate::session::{Claims, OWN_TTL};
use crate::{http, invocation, random};

/// Longest wait for an answer: the same as the gate's daily probe.
const LIMIT: Duration = Duration::from_secs(10);
/// The longest time until the API knows a new token everywhere.
const WARM_UP: Duration = Duration::from_secs(30);
/// JSON, or else anything.
const ACCEPT: &str = "application/json, */*;q=0.1";
/// Longest part of an answer that is read.
const MAX_BODY: u64 = 64 * 1024;

/// The number of tries, and the time for all of them.
#[derive(Clone, Copy)]
pub(super) struct Tries {
    pub(super) pause: Duration,
    pub(super) patience: Duration,
}

impl Tries {
    /// Tries until it works. The error is the last one.
    pub(super) fn until<T>(
        self,
        mut work: impl FnMut() -> std::result::Result<T, String>,
    ) -> std::result::Result<T, String> {
        let end = Instant::now() + self.patience.min(WARM_UP);
        loop {
            match work() {
                Err(said) if Instant::now() >= end => return Err(said),
                Err(_) => thread::sleep(self.pause),
                done => return done,
            }
        }
    }
}

/// Returns true if any route with this secret has a `probe`.
pub(super) fn exists(config: &Config, secret: &str) -> bool {
    let mut routes = config.routes.iter();
    routes.any(|route| route.auth.secret() == secret && route.probe.is_some())
}

/// Returns the tokens that `config` holds itself.
fn set_tokens(config: &Config) -> token_age::Tokens<'_> {
    let set = config.tokens.iter().filter_map(|(name, source)| match source {
        TokenSource::Set(known) => Some((name.as_str(), Ok(Rc::clone(known)))),
        TokenSource::Missing | TokenSource::Stored { .. } => None,
    });
    set.collect()
}

/// Tries the token that `config` holds at the API, by each route of its that has a `probe`.
pub(super) fn at_the_api(
    config: &Config,
    secret: &str,
    tries: Tries,
) -> std::result::Result<(), String> {
    token_age::probes(config, &set_tokens(config))
        .filter(|probe| probe.secret == secret)
        .try_for_each(|probe| tries.until(|| direct(&probe)))
}

/// The result of trying a token once.
pub(crate) enum Tried {
    Works,
    /// The API does not accept it.
    Refused(String),
    /// The API's answer says nothing about the token.
    Unknown(String),
}

/// Tries the token that `config` holds once, by each route of its that has a `probe`; `None` where no route has one.
pub(crate) fn once(config: &Config, secret: &str) -> Option<Tried> {
    let mut outcome = None;
    for probe in
        token_age::probes(config, &set_tokens(config)).filter(|probe| probe.secret == secret)
    {
        match answer(&probe) {
            Err(why) => outcome = Some(Tried::Unknown(why)),
            Ok((status, body)) => {
                let said = format!("the API answered {status} to {}", probe.url);
                if probe.read(status, &body).rejected {
                    return Some(Tried::Refused(said));
                }
                match doubt(status, &body) {
                    None => drop(outcome.get_or_insert(Tried::Works)),
                    Some(hint) => outcome = Some(Tried::Unknown(format!("{said}: {hint}"))),
                }
            }
        }
    }
    outcome
}

/// Returns why an answer says nothing about the token, with the fix; `None` if it does.
fn doubt(status: u16, body: &[u8]) -> Option<&'static str> {
    Some(match status {
        200..300 if is_web_page(body) => {
            "that is a web page, as a login has it, and not the API: look at --upstream and --probe"
        }
        200..300 => return None,
        403 => {
            "the token may lack a permission for this path: give it that, or name another path with --probe"
        }
        429 => "it accepts no more requests now: try again later, or continue",
        500.. => "it fails now: try again later, or continue",
        _ => {
            "is this a path of the API's that answers a GET with 200? If not, name another with --probe"
        }
    })
}

/// Returns true for HTML, which a login or an error of something before an API answers with any status.
fn is_web_page(body: &[u8]) -> bool {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body).trim_ascii_start();
    let begins = |with: &str| {
        body.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with.as_bytes()))
    };
    begins("<!doctype html") || begins("<html")
}

fn direct(probe: &Probe<'_>) -> std::result::Result<(), String> {
    let (status, body) = answer(probe)?;
    if (200..300).contains(&status) && is_web_page(&body) {
        return Err(format!("the API answered {status} to {} with a web page", probe.url));
    }
    if (200..300).contains(&status) && !probe.read(status, &body).rejected {
        return Ok(());
    }
    Err(format!("the API answered {status} to {}", probe.url))
}

fn answer(probe: &Probe<'_>) -> std::result::Result<(u16, Vec<u8>), String> {
    let headers: Vec<(&str, &Secret)> =
        probe.credential.headers().iter().map(|(name, value)| (name.as_str(), value)).collect();
    get(&probe.url, ACCEPT, &headers)
}

/// Returns the status and the body; the error is why there are none.
fn get(
    url: &str,
    accept: &str,
    headers: &[(&str, &Secret)],
) -> std::result::Result<(u16, Vec<u8>), String> {
    let agent = http::agent(url, LIMIT).map_err(|error| error.message)?;
    let mut request = ureq::http::Request::builder().uri(url).header("Accept", accept);
    for (name, value) in headers {
        request = request.header(*name, value.expose());
    }
    let whole = || -> std::result::Result<(u16, Vec<u8>), ureq::Error> {
        let mut response = agent.run(request.body(())?)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MAX_BODY);
        Ok((status, body.read_to_vec().unwrap_or_default()))
    };
    // Neither holds a header's value.
    whole().map_err(|error| format!("{url} did not answer: {}", http::why(&error)))
}

/// The way of a probe through the gate: a key that may GET it on the route that has the token.
pub(super) struct Through {
    gate: Upstream,
    path: String,
    key: KeyId,
    version: u32,
    ttl: u32,
}

impl Through {
    /// Finds the way by the requested key, else by the first key of the configuration that may.
    pub(super) fn find(
        config: &Config,
        secret: &str,
        gate: &Upstream,
        asked: Option<&KeyId>,
        now: Timestamp,
    ) -> Result<Self> {
        let paths = paths(config, secret);
        let Some(first) = paths.first() else {
            return Err(Error::usage(format!(
                "no path of the gate leads to a `probe` of the routes with {secret}, because another route takes it, or GET \
                 is not among their methods: fix that, or go without by --unprobed"
            )));
        };
        let pick = |path: &String| match asked {
            Some(asked) => Some((path.clone(), asked.clone())),
            None => key(config, path, now).map(|key| (path.clone(), key)),
        };
        let (path, key) = paths.iter().find_map(pick).ok_or_else(|| {
            Error::usage(format!(
                "no key of wrangler.toml may GET {first} with a session from anywhere: make one with {}, name one of the \
                 registry with --through, or go without by --unprobed",
                invocation::hint(&format!("key new --method GET --path {first}"))
            ))
        })?;
        let known = config.keys.get(&key);
        Ok(Self {
            gate: gate.clone(),
            version: known.map_or(1, |known| known.key().version),
            ttl: u32::try_from(config.session_max_ttl).unwrap_or(OWN_TTL).min(OWN_TTL),
            path,
            key,
        })
    }

    pub(super) const fn path(&self) -> &String {
        &self.path
    }

    /// Checks that the gate lets the key through to the API, regardless of the API's answer. Otherwise every rotation
    /// would stop unfinished.
    pub(super) fn refuse_closed(&self, root: &Secret) -> Result<()> {
        let Ok((status, answer)) = self.get(root) else {
            return Ok(());
        };
        let code = answer["code"].as_str().and_then(Problem::of_code);
        match code {
            Some(Problem::Refused(refusal)) => Err(Error::usage(format!(
                "the gate answers {status} {} to GET {} with a session of key {}: name one that may, with --through{}",
                refusal.description().code,
                self.path,
                self.key,
                match refusal.description().code {
                    "signature-invalid" =>
                        " (is its version 1? a key of the registry is taken for that)",
                    _ => "",
                }
            ))),
            _ => Ok(()),
        }
    }

    /// Returns the API's answer through the gate, or an error unless it is a success.
    pub(super) fn ask(&self, root: &Secret) -> std::result::Result<Value, String> {
        let (status, answer) = self.get(root)?;
        match status {
            200..300 if self.identifies() && answer["result"]["status"] != "active" => {
                Err(format!("GET {} through the gate: the token is not active", self.path))
            }
            200..300 => Ok(answer),
            status => {
                let code = answer["code"].as_str().unwrap_or_default();
                let code: String = code.chars().filter(char::is_ascii_graphic).collect();
                Err(format!(
                    "GET {} through the gate, with key {}, was answered {status} {code}",
                    self.path, self.key
                ))
            }
        }
    }

    fn get(&self, root: &Secret) -> std::result::Result<(u16, Value), String> {
        let sk = derive_sk(root, &self.key, self.version);
        let session = Claims::once(self.gate.origin(), "GET", &self.path, self.ttl)
            .mint(&self.key, &sk, None)
            .map_err(|error| error.message)?;
        let url = self.gate.join(self.path.strip_prefix('/'), None);
        let url = url.ok_or("the gate's address and this path do not make a URL")?;
        let bearer = Secret::new(format!("Bearer {session}"));
        // The gate may store the route's answers, by their `Accept` among others: an old one says nothing of the token now.
        let unique = random::text(12).map_err(|error| error.message)?;
        let accept = format!("{ACCEPT}, application/x-{unique};q=0");
        let (status, body) = get(&url, &accept, &[("Authorization", &bearer)])?;
        if (200..300).contains(&status) && is_web_page(&body) {
            return Err(format!(
                "GET {} through the gate was answered {status} with a web page",
                self.path
            ));
        }
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    /// Returns true if the probe asks the Cloudflare API which token it is asked with.
    pub(super) fn identifies(&self) -> bool {
        self.path.ends_with("/tokens/verify")
    }

    /// Returns the id of the token in the gate, if the probe asks the Cloudflare API for it.
    pub(super) fn token_id<'a>(&self, answer: &'a Value) -> Option<&'a str> {
        let id = answer["result"]["id"].as_str();
        id.filter(|_| self.identifies())
    }
}

/// Returns the gate's paths that lead to a `probe` with this secret.
fn paths(config: &Config, secret: &str) -> Vec<String> {
    let ours = |route: &&route::Route| route.auth.secret() == secret && route.takes("GET");
    config
        .routes
        .iter()
        .filter(ours)
        // An exact route has one target, and its probe is another.
        .filter(|route| route.path.is_prefix())
        .filter_map(|route| {
            let path = format!("{}{}", route.path.stem(), route.probe.as_ref()?.strip_prefix('/')?);
            let checked = path::check(&path).ok()?;
            let taker = route::find(&config.routes, &checked).ok()??;
            let passes = route.encoded_slash || !checked.encoded_slash;
            (std::ptr::eq(taker, route) && passes).then_some(path)
        })
        .collect()
}

/// Returns a key of the configuration that may GET this path with only a session, from any address.
fn key(config: &Config, path: &str, now: Timestamp) -> Option<KeyId> {
    let may = |key: &writegate::Key| {
        let is_good = !key.revoked
            && !key.admin
            && !key.nonce_required
            && key.expires.is_none_or(|end| now < end);
        let paths = key.paths.as_ref();
        is_good
            && key.schemes.contains(&Scheme::Session)
            && key.allowed_origins.is_none()
            && key.allowed_ips.is_none()
            && key.methods.contains("GET")
            && paths.is_none_or(|paths| paths.iter().any(|pattern| pattern.matches(path)))
    };
    let mut keys = config.keys.values().map(|known| known.key());
    keys.find(|key| may(key)).map(|key| key.id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Document;
    use crate::project::placeholder_root;
    use crate::token::local::Local;

    const GATE: &str = "https://gate.example.com";

    fn found(toml: &str) -> std::result::Result<(String, String), String> {
        let local = Local::of(Document::parse("wrangler.toml", toml, None).unwrap());
        let config = local.config(&placeholder_root(), None).unwrap();
        let gate = Upstream::parse(GATE).unwrap();
        let now = Timestamp::parse_rfc3339("2026-11-22").unwrap();
        Through::find(&config, "WRITE_TOKEN", &gate, None, now)
            .map(|through| (through.path, through.key.to_string()))
            .map_err(|error| error.message)
    }

    const ROUTE: &str = "[[vars.ROUTES]]\npath = \"/cms/*\"\nupstream = \"https://api.example.com/v1\"\nprobe = \"/me\"\n";

    #[test]
    fn the_first_key_that_may_is_taken() {
        let keys = "[[vars.KEYS]]\nid = \"pk_admin\"\nadmin = true\n\
             [[vars.KEYS]]\nid = \"pk_posts\"\nmethods = [\"POST\"]\n\
             [[vars.KEYS]]\nid = \"pk_site\"\nallowed_origins = [\"https://www.example.com\"]\n\
             [[vars.KEYS]]\nid = \"pk_elsewhere\"\npaths = [\"/other/*\"]\n\
             [[vars.KEYS]]\nid = \"pk_signs\"\nschemes = [\"signature\"]\n";
        let refused = found(&format!("{ROUTE}{keys}")).unwrap_err();
        assert!(refused.contains("--path /cms/me"), "{refused}");
        let more = "[[vars.KEYS]]\nid = \"pk_server\"\npaths = [\"/cms/*\"]\n";
        let (path, key) = found(&format!("{ROUTE}{keys}{more}")).unwrap();
        assert_eq!((path.as_str(), key.as_str()), ("/cms/me", "pk_server"));
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_not_taken() {
        let key = "[[vars.KEYS]]\nid = \"pk_server\"\n";
        assert!(found(&format!("{ROUTE}{key}")).is_ok());
        let shadow =
            "[[vars.ROUTES]]\npath = \"/cms/me\"\nupstream = \"https://other.example.com\"\n";
        assert!(found(&format!("{ROUTE}{shadow}{key}")).is_err());
        let writes = ROUTE.replace("probe", "methods = [\"POST\"]\nprobe");
        assert!(found(&format!("{writes}{key}")).is_err());
        let exact = ROUTE.replace("/cms/*", "/cms");
        assert!(found(&format!("{exact}{key}")).is_err());
    }
}
