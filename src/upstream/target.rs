//! The upstream's URL for a request: its route's URL, the rest of its path, and its query without a
//! credential.

use std::borrow::Cow;

use crate::base::request::Head;
use crate::credential::url::{self, CredentialParams};
use crate::upstream::route::Route;

/// Returns the upstream's URL for a request. `params` are the query parameters that were the credential.
pub fn target(head: &Head<'_>, route: &Route, params: CredentialParams) -> Option<String> {
    let query = match params {
        CredentialParams::Nothing => head.query().map(Cow::Borrowed),
        CredentialParams::Key => without_key(head.query()?),
        CredentialParams::Signed => {
            without_last(url::without_trackers(head.query()?), 3).map(Cow::Borrowed)
        }
        CredentialParams::Waf => {
            without_last(url::without_trackers(head.query()?), 1).and_then(without_key)
        }
    };
    let rest = match route.path.is_prefix() {
        true => Some(route.path.rest(head.path())?),
        false => None,
    };
    route.upstream.join(rest, query.as_deref())
}

/// Removes the `key` parameter from a query; everything else stays as it is.
fn without_key(query: &str) -> Option<Cow<'_, str>> {
    let rest: Vec<&str> =
        query.split('&').filter(|part| part.split('=').next() != Some("key")).collect();
    (!rest.is_empty()).then(|| Cow::Owned(rest.join("&")))
}

/// Removes the last `count` parameters from a query.
fn without_last(query: &str, count: usize) -> Option<&str> {
    (0..count).try_fold(query, |query, _| query.rsplit_once('&').map(|(rest, _)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removing_the_key_leaves_the_query_in_order_and_raw() {
        let without = |query| without_key(query).map(Cow::into_owned);
        assert_eq!(without("b=2&key=pk&a=%7e1"), Some("b=2&a=%7e1".into()));
        assert_eq!(without("key=pk"), None);
        assert_eq!(without("&key=pk&&keys=1"), Some("&&keys=1".into()));
        assert_eq!(without_last("a=1&&key=pk&exp=1&sig=x", 3), Some("a=1&"));
        assert_eq!(without_last("key=pk&exp=1&sig=x", 3), None);
    }
}
