//! The permissions of a key and its session: addresses and origins, then methods and paths
//! (docs/wire-contract.md, "Keys" and "Order"). A session only narrows what its key allows.

use core::net::IpAddr;

use crate::base::request::{Head, caller_address};
use crate::credential::Verified;
use crate::credential::session::Claims;
use crate::keys::{Key, Match, Scheme};
use crate::problem::{Denial, Limit, Refusal};

use crate::policy::origin::Origin;
use crate::policy::path;
use crate::policy::path::Pattern;

/// A verified request that key and session allow. Only [`allow`] makes one.
#[derive(Debug)]
pub struct Allowed {
    verified: Verified,
}

impl AsRef<Verified> for Allowed {
    fn as_ref(&self) -> &Verified {
        &self.verified
    }
}

/// A verified request that may use one of the gate's own paths. Only [`authorize_admin`] makes one, and
/// nothing forwards it.
#[derive(Debug)]
pub struct AdminAllowed {
    verified: Verified,
}

impl AsRef<Verified> for AdminAllowed {
    fn as_ref(&self) -> &Verified {
        &self.verified
    }
}

/// Checks that key and session allow the request.
///
/// # Errors
/// `ip-denied`, `origin-denied`, `method-denied`, `path-denied` or `bad-path`, in this order.
pub fn allow(verified: Verified, head: &Head<'_>) -> Result<Allowed, Denial> {
    check_caller(&verified, head)?;
    check_methods_and_paths(&verified, head, false)?;
    // An admin key opens the gate's own paths only.
    if verified.key().admin {
        return Err(Limit::Key.denies(Refusal::PathDenied));
    }
    Ok(Allowed { verified })
}

/// Checks that the request may use one of the gate's own paths. An admin may. Another key may only
/// request something about itself (`self_service`), regardless of the methods and paths that it may use
/// on routes, and not by a session with an `origin`: such a session was given to a browser.
///
/// # Errors
/// As [`allow`].
pub fn authorize_admin(
    verified: Verified,
    head: &Head<'_>,
    self_service: bool,
) -> Result<AdminAllowed, Denial> {
    check_caller(&verified, head)?;
    let is_for_page = verified.claims().is_some_and(Claims::is_for_page);
    let self_service = self_service && belongs_to_holder(verified.scheme());
    let admin = verified.key().admin;
    match (admin || self_service, !admin && is_for_page) {
        (false, _) => return Err(Limit::Key.denies(Refusal::PathDenied)),
        (true, true) => return Err(Limit::Session.denies(Refusal::PathDenied)),
        (true, false) => {}
    }
    check_methods_and_paths(&verified, head, !admin)?;
    Ok(AdminAllowed { verified })
}

/// Checks that the gate may mint a session of `key` for this page: the page's origin is the key's, whatever
/// `match` says, and the address is, unless the origin by itself is enough for the key.
///
/// # Errors
/// `ip-denied` or `origin-denied`.
pub fn authorize_mint(key: &Key, head: &Head<'_>, page: &Origin) -> Result<(), Denial> {
    let address = address_allowed(key, caller_address(head));
    match (key.matching, address, origin_allowed(key, Some(page))) {
        (Match::All, Some(false), _) => Err(Limit::Key.denies(Refusal::IpDenied)),
        (Match::All | Match::Any, _, Some(true)) => Ok(()),
        (Match::All | Match::Any, _, Some(false) | None) => {
            Err(Limit::Key.denies(Refusal::OriginDenied))
        }
    }
}

/// Checks where the request comes from: its address and its origin.
fn check_caller(verified: &Verified, head: &Head<'_>) -> Result<(), Denial> {
    let key = verified.key();
    let session_origin = verified.claims().and_then(|claims| claims.origin.as_ref());
    // Most keys and sessions restrict neither.
    if key.allowed_ips.is_none() && key.allowed_origins.is_none() && session_origin.is_none() {
        return Ok(());
    }
    let page = page_origin(head);
    let address = address_allowed(key, caller_address(head));
    let origin = match is_signed_url(verified.scheme()) && !states_page(head) {
        // A URL that somebody opened in the address bar, or a page that sends no `Referer`.
        true => None,
        false => origin_allowed(key, page.as_ref()),
    };
    combine(key.matching, address, origin).map_err(|refusal| Limit::Key.denies(refusal))?;
    match session_origin.is_none() || session_origin == page.as_ref() {
        true => Ok(()),
        false => Err(Limit::Session.denies(Refusal::OriginDenied)),
    }
}

/// Checks methods, then paths: those of the session, and those of the key unless it requests something
/// about itself.
fn check_methods_and_paths(
    verified: &Verified,
    head: &Head<'_>,
    self_service: bool,
) -> Result<(), Denial> {
    let key = Some(verified.key()).filter(|_| !self_service);
    let session = verified.claims();
    let method = head.method();
    if key.is_some() && is_read_only(verified.scheme()) && !is_read(method) {
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
    let denies = |list: &Vec<Pattern>| !list.iter().any(|pattern| pattern.matches(head.path()));
    let Some((limit, _)) = lists().find(|(_, list)| denies(list)) else {
        return Ok(());
    };
    // The path is allowed as some server reads it, but not as it was sent, so servers may disagree.
    let path = path::check(head.path())?;
    let may_match = |list: &Vec<Pattern>| list.iter().any(|pattern| pattern.may_match(&path));
    match path.has_escapes() && lists().all(|(_, list)| may_match(list)) {
        true => Err(Refusal::BadPath.into()),
        false => Err(limit.denies(Refusal::PathDenied)),
    }
}

/// Returns true if `key` lists origins and the request comes from one of them. For a bare public key a
/// page may then read the response.
pub fn origin_matched(key: &Key, head: &Head<'_>) -> bool {
    key.allowed_origins.is_some() && origin_allowed(key, page_origin(head).as_ref()) == Some(true)
}

/// Combines the checks of address and origin, both or either as the key says; `None` if the key does not
/// restrict one.
const fn combine(
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

/// Returns true if the address is in the key's networks; `None` if the key lists none.
fn address_allowed(key: &Key, address: Option<IpAddr>) -> Option<bool> {
    let networks = key.allowed_ips.as_ref()?;
    Some(address.is_some_and(|address| networks.iter().any(|network| network.contains(address))))
}

/// Returns true if the page is among the key's origins; `None` if the key lists none.
fn origin_allowed(key: &Key, page: Option<&Origin>) -> Option<bool> {
    let patterns = key.allowed_origins.as_ref()?;
    Some(page.is_some_and(|page| patterns.iter().any(|pattern| pattern.matches(page))))
}

/// Returns the origin of the page that sent the request, by `Origin` if present; otherwise, for reads,
/// by `Referer`.
fn page_origin(head: &Head<'_>) -> Option<Origin> {
    match (head.header("origin"), head.header("referer")) {
        (Some(origin), _) => Origin::parse(origin),
        (None, Some(referer)) if is_read(head.method()) => Origin::of_url(referer),
        (None, _) => None,
    }
}

/// Returns true if the request states, truly or not, which page it comes from.
fn states_page(head: &Head<'_>) -> bool {
    head.header("origin").is_some() || head.header("referer").is_some()
}

fn is_read(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}

/// Returns true if a scheme is for GET and HEAD only, because its credential does not say what may be
/// written.
const fn is_read_only(scheme: Scheme) -> bool {
    match scheme {
        Scheme::PublicKey | Scheme::Url | Scheme::WafUrl => true,
        Scheme::Session | Scheme::Signature => false,
    }
}

/// Returns true if a credential of this scheme stays with the key's holder, and is not given to others.
const fn belongs_to_holder(scheme: Scheme) -> bool {
    match scheme {
        Scheme::Session | Scheme::Signature => true,
        Scheme::Url | Scheme::WafUrl | Scheme::PublicKey => false,
    }
}

const fn is_signed_url(scheme: Scheme) -> bool {
    match scheme {
        Scheme::Url | Scheme::WafUrl => true,
        Scheme::Session | Scheme::Signature | Scheme::PublicKey => false,
    }
}
