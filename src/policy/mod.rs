//! What a key and its session allow: addresses and origins, then methods and paths (contract
//! sections 2 and 4). Everything narrows; nothing widens.

pub mod network;
pub mod origin;
pub mod path;

use core::net::IpAddr;

use crate::credential::Verified;
use crate::key::{Key, Match, Scheme};
use crate::problem::Refusal;
use crate::request::{Head, method_in};

use origin::Origin;

/// A verified request that its key and session allow. Only [`allow`] makes one.
#[derive(Debug)]
pub struct Allowed<'k> {
    verified: Verified<'k>,
}

impl<'k> Allowed<'k> {
    /// What was verified.
    #[must_use]
    pub const fn verified(&self) -> &Verified<'k> {
        &self.verified
    }
}

/// The address the platform says the caller has.
#[must_use]
pub fn caller_address(head: &Head<'_>) -> Option<IpAddr> {
    head.header("cf-connecting-ip")?.trim().parse().ok()
}

/// Decides whether the key and the session allow the request.
///
/// # Errors
/// `ip-denied`, `origin-denied`, `method-denied`, `path-denied`, in this order.
pub fn allow<'k>(verified: Verified<'k>, head: &Head<'_>) -> Result<Allowed<'k>, Refusal> {
    let key = verified.key();
    let page = page(head);
    let address = address_allowed(key, caller_address(head));
    let origin = match is_link(verified.scheme()) && !names_page(head) {
        // A link that somebody pasted into an address bar, or a page that tells nobody its name.
        true => None,
        false => origin_allowed(key, page.as_ref()),
    };
    check_place(key.matching, address, origin)?;
    let claims = verified.claims();
    let session_origin = claims.and_then(|claims| claims.origin.as_ref());
    if session_origin.is_some() && session_origin != page.as_ref() {
        return Err(Refusal::OriginDenied);
    }
    if (reads_alone(verified.scheme()) && !is_read(head.method()))
        || !method_in(&key.methods, head.method())
    {
        return Err(Refusal::MethodDenied);
    }
    let session_methods = claims.and_then(|claims| claims.methods.as_ref());
    if session_methods.is_some_and(|methods| !method_in(methods, head.method())) {
        return Err(Refusal::MethodDenied);
    }
    let session_paths = claims.and_then(|claims| claims.paths.as_ref());
    for paths in [key.paths.as_ref(), session_paths].into_iter().flatten() {
        if !paths.iter().any(|pattern| pattern.matches(head.path())) {
            return Err(Refusal::PathDenied);
        }
    }
    // An admin key opens the gate's own paths alone, and those never come here.
    if key.admin {
        return Err(Refusal::PathDenied);
    }
    Ok(Allowed { verified })
}

/// Whether `key` names origins and the request comes from one of them: what a bare public key
/// needs before a page may read the answer.
#[must_use]
pub fn origin_matched(key: &Key, head: &Head<'_>) -> bool {
    key.allowed_origins.is_some() && origin_allowed(key, page(head).as_ref()) == Some(true)
}

/// Addresses and origins, both or either as the key says; `None` where it says nothing of them.
const fn check_place(
    matching: Match,
    address: Option<bool>,
    origin: Option<bool>,
) -> Result<(), Refusal> {
    match (matching, address, origin) {
        (Match::Any, Some(true), _) | (Match::Any, _, Some(true)) => Ok(()),
        (_, Some(false), _) => Err(Refusal::IpDenied),
        (_, _, Some(false)) => Err(Refusal::OriginDenied),
        (_, None | Some(true), None | Some(true)) => Ok(()),
    }
}

/// Whether the address is in the key's networks; `None` where the key has none.
fn address_allowed(key: &Key, address: Option<IpAddr>) -> Option<bool> {
    let networks = key.allowed_ips.as_ref()?;
    Some(address.is_some_and(|address| networks.iter().any(|network| network.contains(address))))
}

/// Whether the page is among the key's origins; `None` where the key has none.
fn origin_allowed(key: &Key, page: Option<&Origin>) -> Option<bool> {
    let patterns = key.allowed_origins.as_ref()?;
    Some(page.is_some_and(|page| patterns.iter().any(|pattern| pattern.matches(page))))
}

/// The origin of the page that sent the request: `Origin`, if present, decides alone; else
/// `Referer` for reads.
fn page(head: &Head<'_>) -> Option<Origin> {
    match (head.header("origin"), head.header("referer")) {
        (Some(origin), _) => Origin::parse(origin),
        (None, Some(referer)) if is_read(head.method()) => Origin::of_url(referer),
        (None, _) => None,
    }
}

/// Whether the request says, truly or not, which page it comes from.
fn names_page(head: &Head<'_>) -> bool {
    head.header("origin").is_some() || head.header("referer").is_some()
}

fn is_read(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}

/// Whether a credential of this kind is for GET and HEAD alone: none of them says what may be written.
const fn reads_alone(scheme: Scheme) -> bool {
    match scheme {
        Scheme::PublicKey | Scheme::Url | Scheme::WafUrl => true,
        Scheme::Session | Scheme::Signature => false,
    }
}

const fn is_link(scheme: Scheme) -> bool {
    match scheme {
        Scheme::Url | Scheme::WafUrl => true,
        Scheme::Session | Scheme::Signature | Scheme::PublicKey => false,
    }
}

/// Whether the credential is a bare public key, which proves nothing.
#[must_use]
pub const fn is_bare(scheme: Scheme) -> bool {
    match scheme {
        Scheme::PublicKey => true,
        Scheme::Session | Scheme::Signature | Scheme::Url | Scheme::WafUrl => false,
    }
}
