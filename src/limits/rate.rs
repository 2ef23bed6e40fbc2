//! Rate limits (docs/wire-contract.md, "Keys"): the limiter that counts a request, the key that it is
//! counted under, and the headers of a 429. Counting is the part of the platform's Rate Limiting
//! binding.

use core::net::{IpAddr, Ipv6Addr};

use serde_json::Value;

use crate::base::json::{FieldError, Fields};
use crate::base::sorted_map::SortedMap;
use crate::keys::{self, KeyId, Scheme};

/// `Retry-After`, in seconds, if the limiter's period is not known: the longest period that the platform
/// has.
const LONGEST_PERIOD: u64 = 60;

/// The settings of a rate limiter, as the configuration states them: the platform does not disclose
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Requests in a period.
    pub limit: u64,
    /// Length of the period, in seconds.
    pub period: u64,
}

/// Parses `RATES`: a policy for each limiter, by the name of its binding, because keys may name it in another case.
///
/// # Errors
/// For a malformed name, one that differs from another only in case, and a policy without `limit` or `period`.
pub fn parse(value: Value) -> Result<SortedMap<String, Policy>, FieldError> {
    let Value::Object(members) = value else {
        return Err(FieldError::new(
            "RATES",
            "expected a table such as { standard = { limit = 100, period = 60 } }",
        ));
    };
    let mut policies = SortedMap::new();
    for (name, policy) in members {
        if !keys::is_limiter_name(&name) {
            let hint = "is not the name of a rate limiter; expected letters, digits and _";
            return Err(FieldError::new(
                format!("RATES.{}", crate::base::request::printable(&name)),
                hint,
            ));
        }
        let mut fields = Fields::new(format!("RATES.{name}"), policy)?;
        let (limit, period) = (
            fields.integer("limit", 1..=u64::from(u32::MAX), 0)?,
            fields.integer("period", 1..=3_600, 0)?,
        );
        if limit == 0 || period == 0 {
            let hint = "expected limit and period, as the binding in wrangler.toml has them";
            return Err(FieldError::new(format!("RATES.{name}"), hint));
        }
        fields.finish()?;
        if policies.insert(binding(&name), Policy { limit, period }).is_some() {
            let hint = "is twice in RATES, in another case";
            return Err(FieldError::new(format!("RATES.{name}"), hint));
        }
    }
    Ok(policies)
}

/// Returns the name of the binding for the rate limiter `name` of a record.
pub fn binding(name: &str) -> String {
    format!("RATE_{}", name.to_ascii_uppercase())
}

/// Returns the key that a request is counted under: its key id, and for a credential that any visitor may
/// have also the caller's address, so that one visitor does not lock out all. Such are a bare public key,
/// and a session of a page (`for_page`).
pub fn rate_limit_key(
    key: &KeyId,
    scheme: Scheme,
    for_page: bool,
    address: Option<IpAddr>,
) -> String {
    let by_address = match scheme {
        Scheme::Session => for_page,
        Scheme::Signature | Scheme::Url | Scheme::WafUrl => false,
        Scheme::PublicKey => true,
    };
    match by_address {
        true => at_address(key.as_str(), address),
        false => key.to_string(),
    }
}

/// Returns the key that a caller's address is counted under: apart from other addresses of a key id, or by itself. Then it begins
/// with the `/` that no key id has, so a key that is named like an address has a count of its own.
pub fn at_address(key: &str, address: Option<IpAddr>) -> String {
    let address = address.map(|address| network(address).to_string());
    [key, "/", address.as_deref().unwrap_or("unknown")].concat()
}

/// Returns the address, or the /64 of an IPv6 address, because one customer usually has all of it.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// The headers of a 429: when to try again, and which limit was exceeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimitHeaders {
    /// `Retry-After` (RFC 9110 section 10.2.3), in seconds.
    pub retry_after: u64,
    /// `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).
    pub policy: String,
    /// `RateLimit` (the same draft). The platform's limiters do not disclose what is left, so only a
    /// quota has one.
    pub limit: Option<String>,
}

impl RateLimitHeaders {
    /// Returns the names and values of the headers.
    pub fn fields(self) -> impl Iterator<Item = (&'static str, String)> {
        let always =
            [("retry-after", self.retry_after.to_string()), ("ratelimit-policy", self.policy)];
        always.into_iter().chain(self.limit.map(|limit| ("ratelimit", limit)))
    }
}

/// Returns the headers of a 429 for a caller who exceeded the limiter `name`.
pub fn rate_limit_headers(name: &str, policies: &SortedMap<String, Policy>) -> RateLimitHeaders {
    let (retry_after, policy) = match policies.get(&*binding(name)) {
        Some(Policy { limit, period }) => (*period, format!("\"{name}\";q={limit};w={period}")),
        None => (LONGEST_PERIOD, format!("\"{name}\"")),
    };
    RateLimitHeaders { retry_after, policy, limit: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_policy_is_whole_or_an_error() {
        let policies = parse(json!({"standard": {"limit": 100, "period": 60}})).unwrap();
        for (name, retry_after, policy) in
            [("Standard", 60, "\"Standard\";q=100;w=60"), ("other", 60, "\"other\"")]
        {
            let headers = rate_limit_headers(name, &policies);
            let right = RateLimitHeaders { retry_after, policy: policy.to_owned(), limit: None };
            assert_eq!(headers, right);
        }
        for wrong in [
            json!([]),
            json!({"a b": {"limit": 1, "period": 10}}),
            json!({"a": {"limit": 1}}),
            json!({"a": {"period": 10}}),
            json!({"a": {"limit": 0, "period": 10}}),
            json!({"a": {"limit": 1, "period": 10, "burst": 1}}),
            json!({"a": 1}),
            json!({"a": {"limit": 1, "period": 10}, "A": {"limit": 1, "period": 10}}),
        ] {
            assert!(parse(wrong.clone()).unwrap_err().field.starts_with("RATES"), "{wrong}");
        }
    }

    #[test]
    fn what_any_visitor_may_have_is_counted_by_network_too() {
        let key = KeyId::parse("pk_a").unwrap();
        for (scheme, for_page, address, counted) in [
            (Scheme::Session, false, "192.0.2.1", "pk_a"),
            (Scheme::Session, true, "192.0.2.1", "pk_a/192.0.2.1"),
            (Scheme::Session, true, "", "pk_a/unknown"),
            (Scheme::PublicKey, false, "192.0.2.1", "pk_a/192.0.2.1"),
            (Scheme::PublicKey, false, "2001:db8:1:2:3::4", "pk_a/2001:db8:1:2::"),
            (Scheme::PublicKey, false, "", "pk_a/unknown"),
        ] {
            assert_eq!(rate_limit_key(&key, scheme, for_page, address.parse().ok()), counted);
        }
    }
}
