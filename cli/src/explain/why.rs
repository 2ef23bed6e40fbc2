//! The values of this request that the rule refused, beside those that it expects.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use writegate::Head;
use writegate::Key;
use writegate::Timestamp;
use writegate::config::Config;
use writegate::credential::base::Message;
use writegate::credential::digest;
use writegate::credential::signature::{MAX_AGE, MissingCoverage, RequiredCoverage, Signature};
use writegate::credential::url::UrlCredential;
use writegate::policy::path;
use writegate::route;
use writegate::{Problem, Refusal};

use super::bases;
use super::gate::Local;
use super::request_input::RequestInput;

/// Sentences about this request; none where the code says it all.
pub(crate) fn lines(
    problem: Problem,
    request: &RequestInput,
    now: Timestamp,
    local: &Local,
) -> Vec<String> {
    let (Problem::Refused(refusal), Some(head)) = (problem, request.head()) else {
        return Vec::new();
    };
    let signature = bases::signature(&head).ok();
    let key = local.config().and_then(|config| known(config, request, &head, signature.as_ref()));
    match refusal {
        Refusal::SignatureIncomplete => incomplete(&head, signature.as_ref(), key, local.config()),
        Refusal::SignatureStale => stale(signature.as_ref(), now),
        Refusal::DigestMismatch => vec![format!(
            "the body given here is {} bytes long; its digest is {}; Content-Digest says {}",
            request.body.len(),
            digest::content_digest(&request.body),
            request.header("content-digest").unwrap_or("nothing")
        )],
        Refusal::SessionExpired
        | Refusal::SessionNotYetValid
        | Refusal::SessionTooLong
        | Refusal::AudienceMismatch => session(request, now),
        Refusal::UrlExpired => link(&head, now, key),
        Refusal::KeyUnknown => known_keys(local.config()),
        Refusal::SchemeNotAllowed => key.map_or_else(Vec::new, |key| {
            let schemes: Vec<_> = key.schemes.iter().map(|scheme| scheme.name()).collect();
            vec![format!("the key's schemes are: {}", schemes.join(", "))]
        }),
        Refusal::MethodDenied => key.map_or_else(Vec::new, |key| {
            vec![format!(
                "{}; the key's methods are: {}",
                request.method,
                key.methods.listed().collect::<Vec<_>>().join(", ")
            )]
        }),
        Refusal::PathDenied => key.map_or_else(Vec::new, |key| {
            let paths = key.paths.as_deref().unwrap_or_default();
            let paths: Vec<_> = paths.iter().map(ToString::to_string).collect();
            vec![format!("{}; the key's paths are: {}", head.path(), paths.join(", "))]
        }),
        Refusal::OriginDenied => vec![format!(
            "Origin: {}; Referer: {}",
            request.header("origin").unwrap_or("none"),
            request.header("referer").unwrap_or("none")
        )],
        Refusal::IpDenied => vec![
            "the address is what Cloudflare says in CF-Connecting-IP; give it as -H to try one"
                .to_owned(),
        ],
        Refusal::BadPath
        | Refusal::BadRequest
        | Refusal::BadCredential
        | Refusal::AmbiguousCredential
        | Refusal::SignatureUnsupported
        | Refusal::CredentialMissing
        | Refusal::KeyRevoked
        | Refusal::KeyExpired
        | Refusal::SignatureInvalid
        | Refusal::ProofMissing
        | Refusal::Replayed
        | Refusal::ChallengeFailed
        | Refusal::NoRoute
        | Refusal::MethodNotAllowed
        | Refusal::BodyTooLarge
        | Refusal::BodyTimeout
        | Refusal::RateLimited
        | Refusal::QuotaExceeded
        | Refusal::KeyExists
        | Refusal::KeyInConfiguration => Vec::new(),
    }
}

/// The record of the key that the request is of.
fn known<'c>(
    config: &'c Config,
    request: &RequestInput,
    head: &Head<'_>,
    signature: Option<&Signature>,
) -> Option<&'c Key> {
    let kid = token_part(request, 0).and_then(|header| Some(header["kid"].as_str()?.to_owned()));
    let in_query =
        UrlCredential::read(head, None).ok().and_then(|query| query.key().map(str::to_owned));
    let named = kid
        .or_else(|| signature.map(|signature| signature.keyid().to_owned()))
        .or(in_query)
        .or_else(|| request.header("x-public-key").map(str::to_owned))?;
    config.keys.get(named.as_str()).map(|known| known.key())
}

fn incomplete(
    head: &Head<'_>,
    signature: Option<&Signature>,
    key: Option<&Key>,
    config: Option<&Config>,
) -> Vec<String> {
    let Some(signature) = signature else {
        return Vec::new();
    };
    let route = config.and_then(|config| {
        let path = path::check(head.path()).ok()?;
        route::find(&config.routes, &path).ok()?
    });
    let demands = RequiredCoverage {
        body: head.has_body() && !route.is_some_and(|route| route.unsigned_body),
        session: head.header("authorization").is_some(),
        nonce: key.is_some_and(|key| key.nonce_required),
    };
    let mut lines: Vec<_> =
        signature.missing_coverage(demands).map(|lack| lacking(lack).to_owned()).collect();
    let message = Message::new(head);
    for component in signature.components() {
        if message.value(component) == Err(Refusal::SignatureIncomplete) {
            lines.push(format!(
                "{} is covered, and the request does not have it exactly once",
                component.identifier()
            ));
        }
    }
    lines
}

const fn lacking(lack: MissingCoverage) -> &'static str {
    match lack {
        MissingCoverage::Method => "\"@method\" is not covered",
        MissingCoverage::Target => {
            "the target is not covered: \"@target-uri\", or \"@authority\" with \"@path\" and \"@query\" or with \"@request-target\""
        }
        MissingCoverage::Body => "there is a body, and \"content-digest\" is not covered",
        MissingCoverage::Session => "a session's own signature must cover \"authorization\"",
        MissingCoverage::Created => "there is no created",
        MissingCoverage::Nonce => "the key asks for a nonce, and there is none",
    }
}

fn stale(signature: Option<&Signature>, now: Timestamp) -> Vec<String> {
    let Some(signature) = signature else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    if let Some(created) = signature.created() {
        let age = now.seconds().saturating_sub(created.seconds());
        lines.push(format!(
            "created is {} ({age} s before {}); it may be {MAX_AGE} s old",
            created.to_rfc3339(),
            now.to_rfc3339()
        ));
    }
    let expires = signature.expires();
    lines.extend(expires.map(|expires| format!("expires is {}", expires.to_rfc3339())));
    lines
}

/// The times and the audience of a session; never the token.
fn session(request: &RequestInput, now: Timestamp) -> Vec<String> {
    let Some(claims) = token_part(request, 1) else {
        return Vec::new();
    };
    let times = ["exp", "nbf", "iat"].into_iter().filter_map(|name| {
        let at = Timestamp::from_numeric_date(claims[name].as_f64()?)?;
        Some(format!("{name} is {}", at.to_rfc3339()))
    });
    let mut lines: Vec<_> = times.collect();
    if let Some(audience) = claims.get("aud") {
        lines.push(format!(
            "aud is {audience}; this gate is {:?} or \"writegate\"",
            origin(request)
        ));
    }
    lines.push(format!("it was looked at as of {}", now.to_rfc3339()));
    lines
}

/// Scheme and host of the request.
fn origin(request: &RequestInput) -> String {
    request.url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/")
}

/// A part of the session's JWT: 0 is its header, 1 its claims.
fn token_part(request: &RequestInput, number: usize) -> Option<Value> {
    let token = request.header("authorization")?.strip_prefix("Bearer ")?;
    let part = token.trim_start().split('.').nth(number)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn link(head: &Head<'_>, now: Timestamp, key: Option<&Key>) -> Vec<String> {
    let ttl = key.map(|key| key.url_ttl);
    let parameter = |wanted: &str| {
        let found = head.parameters().filter(|(name, _)| *name == wanted).last();
        found.and_then(|(_, value)| value)
    };
    let seconds = |digits: &str| digits.parse().ok().map(Timestamp::from_seconds);
    let mut lines = Vec::new();
    if let Some(exp) = parameter("exp").and_then(seconds) {
        lines.push(format!("it was good until {}", exp.to_rfc3339()));
    }
    let verify = parameter("verify").and_then(|token| token.split('-').next());
    if let Some(issued) = verify.and_then(seconds) {
        let ttl = ttl.unwrap_or(crate::settings::DEFAULT_URL_TTL);
        lines.push(format!(
            "it was issued at {} and is good for {ttl} s (url_ttl)",
            issued.to_rfc3339()
        ));
    }
    lines.push(format!("it was looked at as of {}", now.to_rfc3339()));
    lines
}

fn known_keys(config: Option<&Config>) -> Vec<String> {
    let Some(config) = config else {
        return Vec::new();
    };
    let ids: Vec<_> = config.keys.keys().map(ToString::to_string).collect();
    vec![format!("wrangler.toml has these keys: {}", ids.join(", "))]
}
