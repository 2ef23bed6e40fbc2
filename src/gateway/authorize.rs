//! What a key and its session allow: addresses and origins, then methods and paths (contract
//! sections 2 and 4). Everything narrows; nothing widens.

use core::net::IpAddr;

use crate::base::request::{Head, caller_address};
use crate::credential::Verified;
use crate::credential::session::Claims;
use crate::keys::{Key, Match, Scheme};
use crate::problem::{Denial, Limit, Refusal};

use crate::policy::origin::Origin;
use crate::policy::path;
use crate::policy::path::Pattern;

/// A verified request that its key and session allow. Only [`allow`] makes one.
#[derive(Debug)]
pub struct Allowed {
    verified: Verified,
}

impl AsRef<Verified> for Allowed {
    fn as_ref(&self) -> &Verified {
        &self.verified
    }
}

/// A verified request that may use one of the gate's own paths. Only [`authorize_admin`] makes one, and nothing
/// forwards it.
#[derive(Debug)]
pub struct AdminAllowed {
    verified: Verified,
}

impl AsRef<Verified> for AdminAllowed {
    fn as_ref(&self) -> &Verified {
        &self.verified
    }
}

/// Decides whether the key and the session allow the request.
///
/// # Errors
/// `ip-denied`, `origin-denied`, `method-denied`, `path-denied` or `bad-path`, in this order.
pub fn allow(verified: Verified, head: &Head<'_>) -> Result<Allowed, Denial> {
    check_caller(&verified, head)?;
    check_reach(&verified, head, false)?;
    // An admin key opens the gate's own paths alone.
    if verified.key().admin {
        return Err(Limit::Key.denies(Refusal::PathDenied));
    }
    Ok(Allowed { verified })
}

/// Decides whether the request may use the gate's own paths. An admin may; anybody else may only ask
/// for something of the key itself (`self_service`), which has nothing to do with the methods and paths
/// that the key may use behind the gate, and not with a session that the gate gave to a browser: those
/// have an `origin`.
///
/// # Errors
/// As [`allow`].
pub fn authorize_admin(
    verified: Verified,
    head: &Head<'_>,
    self_service: bool,
) -> Result<AdminAllowed, Denial> {
    check_caller(&verified, head)?;
    let of_a_page = |claims: &Claims| claims.origin.is_some();
    let is_of_a_page = verified.claims().is_some_and(of_a_page);
    let self_service = self_service && is_holders_own(verified.scheme());
    let admin = verified.key().admin;
    match (admin || self_service, !admin && is_of_a_page) {
        (false, _) => return Err(Limit::Key.denies(Refusal::PathDenied)),
        (true, true) => return Err(Limit::Session.denies(Refusal::PathDenied)),
        (true, false) => {}
    }
    check_reach(&verified, head, !admin)?;
    Ok(AdminAllowed { verified })
}

/// Where it comes from: address and origin.
fn check_caller(verified: &Verified, head: &Head<'_>) -> Result<(), Denial> {
    let key = verified.key();
    let page = page(head);
    let address = address_allowed(key, caller_address(head));
    let origin = match is_link(verified.scheme()) && !names_page(head) {
        // A link that somebody pasted into an address bar, or a page that tells nobody its name.
        true => None,
        false => origin_allowed(key, page.as_ref()),
    };
    check_place(key.matching, address, origin).map_err(|refusal| Limit::Key.denies(refusal))?;
    let session_origin = verified.claims().and_then(|claims| claims.origin.as_ref());
    match session_origin.is_none() || session_origin == page.as_ref() {
        true => Ok(()),
        false => Err(Limit::Session.denies(Refusal::OriginDenied)),
    }
}

/// Methods, then paths: of the session, and of the key unless it asks for something of itself.
fn check_reach(verified: &Verified, head: &Head<'_>, self_service: bool) -> Result<(), Denial> {
    let key = Some(verified.key()).filter(|_| !self_service);
    let session = verified.claims();
    let method = head.method();
    if key.is_some() && reads_alone(verified.scheme()) && !is_read(method) {
        return Err(Limit::Scheme.denies(Refusal::MethodDenied));
    }
    let methods = [
        (Limit::Key, key.map(|key| key.methods)),
        (Limit::Session, session.and_then(|claims| claims.methods)),
    ];
    for (limit, list) in methods {
        if list.is_some_and(|list| !list.contains(method)) {
            return Err(limit.denies(Refusal::MethodDenied));
        }
    }
    let paths = [
        (Limit::Key, key.and_then(|key| key.paths.as_ref())),
        (Limit::Session, session.and_then(|claims| claims.paths.as_ref())),
    ];
    let lists = || paths.iter().filter_map(|(limit, list)| Some((*limit, list.as_ref()?)));
    let denies = |list: &Vec<Pattern>| !list.iter().any(|one| one.matches(head.path()));
    let Some((limit, _)) = lists().find(|(_, list)| denies(list)) else {
        return Ok(());
    };
    // Allowed as some server reads it, and not as it was sent: two readings of one path.
    let path = path::check(head.path())?;
    let may_match = |list: &Vec<Pattern>| list.iter().any(|one| one.may_match(&path));
    match path.has_escapes() && lists().all(|(_, list)| may_match(list)) {
        true => Err(Refusal::BadPath.into()),
        false => Err(limit.denies(Refusal::PathDenied)),
    }
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

/// Whether a credential of this kind is the key holder's own, and nothing that was given to others.
const fn is_holders_own(scheme: Scheme) -> bool {
    match scheme {
        Scheme::Session | Scheme::Signature => true,
        Scheme::Url | Scheme::WafUrl | Scheme::PublicKey => false,
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
