//! Cached reads belong here (docs/wire-contract.md, "Cached reads"): the cache key, the lifetime of an
//! entry, and the headers of a response on its way into the cache, out of it and past it. The store
//! itself does not: it is the platform's Cache API.
//!
//! Nothing here admits a request. The cache is asked after all checks have passed, and the cache key
//! includes who asks, as far as the route's `scope` says.

mod browser;
mod conditions;
mod lifetime;
mod stored;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use serde_json::Value;

use crate::base::json::{FieldError, Fields};
use crate::base::request::Head;
use crate::base::secret::Fingerprint;
use crate::credential::Verified;

pub use browser::{keep_in_browser, keep_private, vary_by_caller};
pub use conditions::Conditions;
pub use stored::{CacheEntry, CacheWrite, on_conditions, on_hit, on_miss, to_store};

/// Longest configurable time, in seconds, to store a response: a year.
pub const MAX_TTL: u64 = 31_536_000;
/// The request headers that reach the upstream of a cached route, and are part of the cache key.
pub const CACHE_KEY_HEADERS: [&str; 2] = ["accept", "accept-language"];
/// Conditional and range headers (RFC 9110 sections 13.1 and 14.2). They are evaluated on the cache
/// entry, and reach the upstream only if its response cannot be stored.
pub const CONDITIONAL_HEADERS: [&str; 6] =
    ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range"];

/// The callers who share a cache entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Callers with one key.
    Key,
    /// One subject of one key.
    Subject,
    /// All callers.
    Shared,
}

/// The `cache` setting of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Longest time, in seconds, to store a response.
    pub ttl: i64,
    /// The callers who share an entry.
    pub scope: Scope,
    /// Longest time, in seconds, for which the caller's browser may keep a response without asking the
    /// gate; 0 for none.
    pub browser_ttl: i64,
}

impl Policy {
    /// Parses the `cache` of a route, found at `path`.
    ///
    /// # Errors
    /// Without a `ttl`, and for an unknown scope.
    pub fn parse(path: String, value: Value) -> Result<Self, FieldError> {
        let mut fields = Fields::new(path, value)?;
        let ttl = fields.integer("ttl", 1..=MAX_TTL, 0)?;
        if ttl == 0 {
            let hint = "is required: the longest time, in seconds, to store a response";
            return Err(fields.error("ttl", hint));
        }
        let read = |text: &str| match text {
            "key" => Some(Scope::Key),
            "subject" => Some(Scope::Subject),
            "shared" => Some(Scope::Shared),
            _ => None,
        };
        let hint = "expected \"key\", \"subject\" or \"shared\"";
        let scope = fields.parse("scope", hint, read)?.unwrap_or(Scope::Key);
        let browser_ttl = fields.integer("browser_ttl", 1..=MAX_TTL, 0)?;
        fields.finish()?;
        let seconds = |number| i64::try_from(number).unwrap_or(i64::MAX);
        Ok(Self { ttl: seconds(ttl), scope, browser_ttl: seconds(browser_ttl) })
    }
}

/// The place of a response in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The cache key.
    pub name: String,
    path: String,
    url: String,
    /// The conditions and the range of the request.
    pub conditions: Conditions,
}

impl Lookup {
    /// Creates a lookup with this cache key, without conditions.
    #[cfg(test)]
    pub(crate) fn for_test(name: &str) -> Self {
        let conditions = Conditions::default();
        Self { name: name.to_owned(), path: String::new(), url: String::new(), conditions }
    }

    /// Returns the names of the purge markers of the route and of the URL.
    pub fn purge_markers(&self) -> [String; 2] {
        [route_marker(&self.path), url_marker(&self.path, &self.url)]
    }
}

/// Returns the place in the cache for a read of `url`. `sent` returns the value of a header that reaches
/// the upstream.
pub fn lookup<'h>(
    policy: Policy,
    path: String,
    token: &Fingerprint,
    url: &str,
    verified: &Verified,
    head: &Head<'h>,
    sent: impl Fn(&str) -> Option<&'h str>,
) -> Lookup {
    let subject = verified.claims().and_then(|claims| claims.subject.as_deref());
    let (key, subject) = match policy.scope {
        Scope::Key => (Some(verified.key().id.as_str()), None),
        Scope::Subject => (Some(verified.key().id.as_str()), subject),
        Scope::Shared => (None, None),
    };
    let [accept, language] = CACHE_KEY_HEADERS.map(sent);
    let parts = [
        Some("answer"),
        Some(&path),
        Some(token.as_str()),
        Some(url),
        accept,
        language,
        key,
        subject,
    ];
    Lookup { name: name(&parts), url: url.to_owned(), path, conditions: Conditions::of(head) }
}

/// Returns the name of a route's purge marker.
pub fn route_marker(path: &str) -> String {
    name(&[Some("purged route"), Some(path)])
}

/// Returns the name of the purge marker of an upstream URL on a route.
pub fn url_marker(path: &str, url: &str) -> String {
    name(&[Some("purged url"), Some(path), Some(url)])
}

/// Computes SHA-256 over parts, each preceded by its length, so that different lists of parts never
/// collide. An absent part differs from an empty one.
fn name(parts: &[Option<&str>]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        let bytes = part.unwrap_or_default().as_bytes();
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        hash.update([u8::from(part.is_some())]);
        hash.update(length.to_be_bytes());
        hash.update(bytes);
    }
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_policy_is_whole_or_an_error_that_names_the_field() {
        let parse = |value| Policy::parse("cache".to_owned(), value).map_err(|error| error.field);
        let hour = Policy { ttl: 3_600, scope: Scope::Key, browser_ttl: 0 };
        assert_eq!(parse(json!({"ttl": 3600})), Ok(hour));
        let kept = Policy { browser_ttl: 60, ..hour };
        assert_eq!(parse(json!({"ttl": 3600, "browser_ttl": 60})), Ok(kept));
        assert_eq!(parse(json!({"ttl": 3600, "scope": "key"})), Ok(hour));
        for (value, field) in [
            (json!({}), "cache.ttl"),
            (json!({"ttl": 0}), "cache.ttl"),
            (json!({"ttl": 31_536_001}), "cache.ttl"),
            (json!({"ttl": 1, "scope": "user"}), "cache.scope"),
            (json!({"ttl": 1, "scopes": "key"}), "cache.scopes"),
            (json!({"ttl": 1, "browser_ttl": 0}), "cache.browser_ttl"),
            (json!({"ttl": 1, "browser_ttl": 31_536_001}), "cache.browser_ttl"),
            (json!({"ttl": 1, "browser_ttl": "1"}), "cache.browser_ttl"),
            (json!(3600), "cache"),
        ] {
            assert_eq!(parse(value.clone()), Err(field.to_owned()), "{value}");
        }
    }

    #[test]
    fn no_two_lists_of_parts_have_one_name() {
        let lists: [&[Option<&str>]; 9] = [
            &[Some("a"), Some("b")],
            &[Some("a\u{1}b")],
            &[Some("ab"), Some("")],
            &[Some(""), Some("ab")],
            &[Some("ab"), None],
            &[Some("ab")],
            &[None, Some("ab")],
            &[Some("a"), Some("b"), None],
            &[Some("a\0b")],
        ];
        let names: std::collections::BTreeSet<_> = lists.iter().map(|list| name(list)).collect();
        assert_eq!(names.len(), lists.len());
        assert!(names.iter().all(|name| name.len() == 43));
    }
}
