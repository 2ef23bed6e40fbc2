//! The upstream's URL of a request: its route's, the rest of its path, and its query without a credential.

use std::borrow::Cow;

use crate::base::request::Head;
use crate::credential::url::{self, CredentialParams};
use crate::upstream::route::Route;

/// The upstream's URL of a request whose query was, so far, the credential.
#[must_use]
pub fn target(head: &Head<'_>, route: &Route, spent: CredentialParams) -> Option<String> {
    let query = match spent {
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

/// The query without its `key` parameter: everything else in order and untouched.
fn without_key(query: &str) -> Option<Cow<'_, str>> {
    let kept: Vec<&str> =
        query.split('&').filter(|part| part.split('=').next() != Some("key")).collect();
    (!kept.is_empty()).then(|| Cow::Owned(kept.join("&")))
}

/// The query without its last parameters; they stand at its very end.
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
