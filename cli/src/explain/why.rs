//! The values of the request that a rule refused, beside the values that the rule expects.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use writegate::Head;
use writegate::Key;
use writegate::Timestamp;
use writegate::credential::base::Message;
use writegate::credential::digest;
use writegate::credential::signature::{MAX_AGE, MissingCoverage, RequiredCoverage, Signature};
use writegate::credential::url::UrlCredential;
use writegate::route::GATE_PREFIX;
use writegate::{Problem, Refusal};

use super::bases;
use super::gate::Local;
use super::limits;
use super::request_input::RequestInput;

/// A time from here on, in the year 5138, must be in milliseconds.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Sentences about this request; none if the code is enough. `limit` is the owner of the limit that the gate names: the key,
/// the session or the scheme.
pub(crate) fn lines(
    problem: Problem,
    limit: Option<&str>,
    request: &RequestInput,
    now: Timestamp,
    local: &Local,
) -> Vec<String> {
    let Problem::Refused(refusal) = problem else {
        let key = named(request).and_then(|id| local.key(&id));
        return request
            .head()
            .map_or_else(Vec::new, |head| limits::missing(problem, &head, key, local));
    };
    // Also without a parsed head.
    match refusal {
        Refusal::BadPath => return vec![limits::bad_path(request, local)],
        Refusal::BadRequest => return limits::bad_request(request, local),
        _ => {}
    }
    let Some(head) = request.head() else {
        return Vec::new();
    };
    let signature = bases::signature(&head).ok();
    let key = named(request).and_then(|id| local.key(&id));
    match refusal {
        Refusal::SignatureIncomplete => incomplete(&head, signature.as_ref(), key, local),
        Refusal::SignatureStale => stale(signature.as_ref(), now),
        Refusal::DigestMismatch => vec![format!(
            "the body given here is {} bytes long; its digest is {}; Content-Digest says {}",
            request.body.len(),
            digest::content_digest(&request.body),
            request.header("content-digest").unwrap_or("nothing")
        )],
        Refusal::SessionExpired | Refusal::SessionNotYetValid | Refusal::SessionTooLong => {
            let mut lines = session(request, now);
            lines.extend(local.config().map(|config| {
                format!(
                    "the gate's SESSION_MAX_TTL is {} s, its CLOCK_SKEW {} s",
                    config.session_max_ttl, config.clock_skew
                )
            }));
            lines
        }
        Refusal::AudienceMismatch => audience(request),
        Refusal::UrlExpired => link(&head, now, key),
        Refusal::KeyUnknown => {
            let mut lines = super::credential::faults(request, &head, local);
            lines.extend(local.known_keys());
            lines
        }
        Refusal::SchemeNotAllowed => {
            let mut lines = super::credential::faults(request, &head, local);
            lines.extend(super::link::rest(&head).filter(|_| lines.is_empty()));
            lines.extend(key.map(|key| {
                let schemes: Vec<_> = key.schemes.iter().map(|scheme| scheme.name()).collect();
                format!("the key's schemes are: {}", schemes.join(", "))
            }));
            lines
        }
        Refusal::MethodDenied => denied(request, limit, "methods", &request.method, key),
        Refusal::PathDenied => denied(request, limit, "paths", head.path(), key),
        Refusal::OriginDenied => {
            let own = match limit {
                Some("session") => claim(request, "origin"),
                _ => key.and_then(|key| local.listed(key, "allowed_origins")),
            };
            let sent = format!(
                "Origin: {}; Referer: {}",
                request.header("origin").unwrap_or("none"),
                request.header("referer").unwrap_or("none")
            );
            std::iter::once(sent).chain(own).collect()
        }
        Refusal::IpDenied => {
            let sent = format!(
                "the address is what Cloudflare says in CF-Connecting-IP: {}; give it as -H to try one",
                request.header("cf-connecting-ip").unwrap_or("none")
            );
            let own = key.and_then(|key| local.listed(key, "allowed_ips"));
            std::iter::once(sent).chain(own).collect()
        }
        Refusal::KeyExpired => {
            let end = key.and_then(|key| key.expires);
            Vec::from_iter(end.map(|end| format!("the key's expires is {}", end.to_rfc3339())))
        }
        Refusal::BadCredential
        | Refusal::AmbiguousCredential
        | Refusal::SignatureUnsupported => super::credential::faults(request, &head, local),
        Refusal::CredentialMissing => {
            let faults = super::credential::faults(request, &head, local);
            match faults.is_empty() {
                true => vec![
                    "no header and no parameter of this request is a credential".to_owned(),
                ],
                false => faults,
            }
        }
        Refusal::KeyRevoked => {
            Vec::from_iter(key.map(|key| format!("{} has revoked = true for it", local.place_of(key))))
        }
        Refusal::ProofMissing => vec![match key.is_some_and(|key| key.nonce_required) {
            true => "the key's nonce is \"required\": each request must be signed, with a nonce".to_owned(),
            false => "the session is bound (cnf) to a session secret: the request must be signed with that, too".to_owned(),
        }],
        Refusal::Replayed => vec![format!(
            "the nonce was sent before, and the gate accepts it only once, even if the first \
             answer was lost: sign a new attempt with a new nonce. The gate forgets a nonce \
             {MAX_AGE} s after created"
        )],
        Refusal::ChallengeFailed => vec![
            "a token of Turnstile is valid once, for 5 minutes, for one host name and one site key".to_owned(),
        ],
        Refusal::NoRoute => Vec::from_iter(limits::routes(&head, local.config())),
        Refusal::MethodNotAllowed => Vec::from_iter(limits::route_methods(&head, local)),
        Refusal::BodyTooLarge => Vec::from_iter(limits::body(request, &head, local)),
        Refusal::BodyTimeout => Vec::from_iter(limits::timeout(&head, local)),
        Refusal::RateLimited => {
            Vec::from_iter(key.and_then(|key| limits::rate(key, local.config())))
        }
        Refusal::QuotaExceeded => Vec::from_iter(key.and_then(|key| limits::quota(key, local))),
        Refusal::KeyExists => {
            vec!["an id is used only once, even if its key was deleted: choose another".to_owned()]
        }
        Refusal::KeyInConfiguration => {
            vec!["the key is in the gate's configuration: change it there, and deploy".to_owned()]
        }
        // `guess` says how the MAC was made.
        Refusal::SignatureInvalid | Refusal::BadPath | Refusal::BadRequest => Vec::new(),
    }
}

/// Names the list that lacks a method or path, with its owner.
fn denied(
    request: &RequestInput,
    limit: Option<&str>,
    list: &str,
    given: &str,
    key: Option<&Key>,
) -> Vec<String> {
    let own = match limit {
        Some("session") => claim(request, list),
        Some("scheme") => Some(
            "a signed URL or a bare key id allows only GET and HEAD, whatever the key allows: send a session".to_owned(),
        ),
        _ => key.map(|key| match (list, &key.paths) {
            _ if key.admin => "it is an admin key, which opens the gate's own paths only".to_owned(),
            ("paths", _) if given.starts_with(GATE_PREFIX) => {
                "the key is not an admin key, and opens none of the gate's own paths".to_owned()
            }
            ("methods", _) => {
                format!("the key's methods are: {}", key.methods.listed().collect::<Vec<_>>().join(", "))
            }
            (_, paths) => {
                format!("the key's paths are: {}", paths.as_deref().map(joined).unwrap_or_default())
            }
        }),
    };
    Vec::from_iter(own.map(|own| format!("{given}; {own}")))
}

/// Returns a claim of the session, as text.
fn claim(request: &RequestInput, name: &str) -> Option<String> {
    let claims = token_part(request, 1)?;
    let value = match &claims[name] {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let verb = if name.ends_with('s') { "are" } else { "is" };
    Some(format!("the session's {name} {verb}: {value}"))
}

fn joined(list: &[impl ToString]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Returns the id of the key that the request names.
pub(crate) fn named(request: &RequestInput) -> Option<String> {
    let head = request.head()?;
    let kid = token_part(request, 0).and_then(|header| Some(header["kid"].as_str()?.to_owned()));
    let in_query =
        UrlCredential::read(&head, None).ok().and_then(|query| query.key().map(str::to_owned));
    kid.or_else(|| bases::signature(&head).ok().map(|signature| signature.keyid().to_owned()))
        .or(in_query)
        .or_else(|| request.header("x-public-key").map(str::to_owned))
}

fn incomplete(
    head: &Head<'_>,
    signature: Option<&Signature>,
    key: Option<&Key>,
    local: &Local,
) -> Vec<String> {
    let Some(signature) = signature else {
        return Vec::new();
    };
    let route = limits::route(head, local);
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
        lines.push(format!(
            "created is {}; it may be at most {MAX_AGE} s old",
            moment(created, now)
        ));
    }
    let expires = signature.expires();
    lines.extend(expires.map(|expires| format!("expires is {}", moment(expires, now))));
    lines.push(format!("checked as of {}", now.to_rfc3339()));
    lines
}

/// Returns a time, and how far it is from the one at which the request was judged.
fn moment(at: Timestamp, now: Timestamp) -> String {
    let ahead = at.seconds().saturating_sub(now.seconds());
    let distance = match ahead {
        _ if at.seconds() > MILLISECONDS_FROM => {
            "these are milliseconds, but the gate expects seconds".to_owned()
        }
        0.. => format!("{ahead} s ahead"),
        _ => format!("{} s ago", ahead.unsigned_abs()),
    };
    format!("{} ({distance})", at.to_rfc3339())
}

/// Returns the times of a session; never the token.
fn session(request: &RequestInput, now: Timestamp) -> Vec<String> {
    let Some(claims) = token_part(request, 1) else {
        return Vec::new();
    };
    let times = ["exp", "nbf", "iat"].into_iter().filter_map(|name| {
        let at = Timestamp::from_numeric_date(claims[name].as_f64()?)?;
        Some(format!("{name} is {}", moment(at, now)))
    });
    let mut lines: Vec<_> = times.collect();
    lines.push(format!("checked as of {}", now.to_rfc3339()));
    lines
}

/// Returns the audience of a session, beside this gate.
fn audience(request: &RequestInput) -> Vec<String> {
    let claims = token_part(request, 1);
    let audience = claims.as_ref().and_then(|claims| claims.get("aud"));
    Vec::from_iter(audience.map(|audience| {
        format!("aud is {audience}; this gate is {:?} or \"writegate\"", origin(request))
    }))
}

/// Returns scheme and host of the request.
fn origin(request: &RequestInput) -> String {
    request.url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/")
}

/// Returns a part of the session's JWT: 0 is its header, 1 its claims.
fn token_part(request: &RequestInput, number: usize) -> Option<Value> {
    let (_scheme, token) = request.header("authorization")?.split_once(' ')?;
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
        lines.push(format!("exp is {}", moment(exp, now)));
    }
    let verify = parameter("verify").and_then(|token| token.split('-').next());
    if let Some(issued) = verify.and_then(seconds) {
        let ttl = ttl.unwrap_or(crate::settings::DEFAULT_URL_TTL);
        lines.push(format!(
            "it was issued at {} and is valid for {ttl} s (url_ttl)",
            moment(issued, now)
        ));
    }
    lines.push(format!("checked as of {}", now.to_rfc3339()));
    lines
}
