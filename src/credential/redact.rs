//! Redaction of the signature base that a refusal shows. Responses are logged, and a Worker or
//! Cloudflare in front of the gate adds fields that the caller never saw.
//!
//! The name of a field or query parameter decides: by the words in it, by a list of names that do not
//! say what they contain, and by who sets the field. A name that only looks suspicious is redacted too;
//! the few whose values help to find a mistake are listed.

use std::borrow::Cow;

use crate::base::request::is_from_proxy;

/// The text that replaces a value.
pub const REDACTED: &str = "[redacted]";

/// Words for secrets, at any place in a name.
const WORDS: [&str; 28] = [
    "access", "assert", "auth", "bearer", "cert", "challenge", "cookie", "cred", "csrf", "hmac",
    "jwt", "key", "nonce", "oidc", "otp", "pass", "principal", "private", "proof", "pwd", "saml",
    "secret", "sess", "signature", "ticket", "token", "wsse", "xsrf",
];

/// Words for secrets that also occur inside harmless words: they count only as a whole part of a name.
const PARTS: [&str; 14] = [
    "code", "dpop", "hawk", "iap", "mac", "mfa", "pat", "pin", "psk", "pw", "sid", "sig", "sso",
    "verify",
];

/// Fields that contain URLs, whose queries may contain a secret.
const URLS: [&str; 2] = ["referer", "x-rewrite-url"];
/// Prefixes of the names of fields that Cloudflare or another proxy sets, in addition to [`is_from_proxy`].
const SET_BY_PROXY: [&str; 3] = ["cf-", "cdn-", "x-client-"];
/// Fields that contain no secret, whatever words are in their names. An idempotency key only has to be
/// unique.
const HARMLESS: [&str; 6] = [
    "access-control-request-headers",
    "access-control-request-method",
    "accept-signature",
    "idempotency-key",
    "signature-input",
    "x-idempotency-key",
];

/// Returns true if the value of a field of this name may be shown.
pub(super) fn shows_field(name: &str) -> bool {
    let name = folded(name);
    let name = name.as_str();
    let set_by_proxy =
        is_from_proxy(name) || SET_BY_PROXY.iter().any(|prefix| name.starts_with(prefix));
    HARMLESS.contains(&name) || !(set_by_proxy || URLS.contains(&name) || says_secret(name))
}

/// Returns true if the value of a query parameter with this (decoded) name may be shown. `key` is the
/// id of the caller's API key, which is public.
pub(super) fn shows_parameter(name: &str) -> bool {
    name == "key" || !says_secret(&folded(name))
}

/// Returns the query with the values of secret parameters replaced. `decode` decodes a name.
pub(super) fn query<'q>(query: &'q str, decode: impl Fn(&str) -> String) -> Cow<'q, str> {
    let mut shown = String::with_capacity(query.len());
    let mut is_changed = false;
    // Some servers split at `;` too.
    for part in query.split_inclusive(['&', ';']) {
        let parameter = part.trim_end_matches(['&', ';']);
        let separator = part.strip_prefix(parameter).unwrap_or_default();
        match parameter.split_once('=') {
            Some((name, _)) if !shows_parameter(&decode(name)) => {
                is_changed = true;
                shown.extend([name, "=", REDACTED, separator]);
            }
            Some(_) | None => shown.push_str(part),
        }
    }
    match is_changed {
        true => Cow::Owned(shown),
        false => Cow::Borrowed(query),
    }
}

fn says_secret(folded: &str) -> bool {
    WORDS.iter().any(|word| folded.contains(word))
        || folded.split('-').any(|part| PARTS.contains(&part))
}

/// Returns the name in lower case, with `-` for everything but letters and digits.
fn folded(name: &str) -> String {
    let fold = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_lowercase(),
        false => '-',
    };
    name.chars().map(fold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_may_hold_a_secret_are_not_shown() {
        for name in [
            "authorization", "proxy-authorization", "cookie", "signature", "x-api-key",
            "x-auth-email", "cf-access-jwt-assertion", "cf-access-client-secret",
            "cf-connecting-ip", "cf-aig-metadata", "x-goog-api-key", "private-token", "dpop",
            "x-edge-secret", "x_edge_secret", "cf_access_client_secret", "x-amz-security-token",
            "x-apikey", "x-access", "x-user-password", "x-pwd", "x-vercel-protection-bypass",
            "x-session-id", "x-otp", "x-pin", "x-wsse", "client-cert", "x-csrf", "x-forwarded-for",
            "forwarded", "via", "x-real-ip", "true-client-ip", "cdn-loop", "referer",
            "x-original-url", "x-remote-addr", "remote-user", "x-host", "fastly-client-ip",
            "client_ip",
        ] {
            assert!(!shows_field(name), "{name}");
        }
    }

    #[test]
    fn fields_that_help_to_find_a_fault_are_shown() {
        for name in [
            "content-type", "content-length", "content-digest", "content-encoding", "digest",
            "date", "host", "origin", "accept", "accept-language", "user-agent", "cache-control",
            "keep-alive", "idempotency-key", "if-match", "range", "x-own", "x-request-id",
            "x-requested-with", "x-shopping-cart", "signature-input",
        ] {
            assert!(shows_field(name), "{name}");
        }
    }

    #[test]
    fn a_query_keeps_its_form_and_loses_secret_values() {
        for (sent, shown) in [
            ("", ""),
            ("a=%7e&b", "a=%7e&b"),
            ("key=pk_1&page=2", "key=pk_1&page=2"),
            ("a=1&token=s&b=2", "a=1&token=[redacted]&b=2"),
            ("api_key=s", "api_key=[redacted]"),
            ("ApiKey=s;a=1", "ApiKey=[redacted];a=1"),
            ("a=1;sig=s==&", "a=1;sig=[redacted]&"),
            ("X-Amz-Signature=s&&token", "X-Amz-Signature=[redacted]&&token"),
            ("user[password]=s", "user[password]=[redacted]"),
        ] {
            assert_eq!(query(sent, str::to_owned), shown);
        }
    }
}
