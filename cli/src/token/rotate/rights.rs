//! The rights and the lifetime of a token, as Cloudflare shows them and as they are asked for a new one.

use serde_json::{Value, json};
use writegate::Timestamp;

use crate::error::{Error, Result};
use crate::invocation;

/// Returns the rights of a token, without what Cloudflare adds when it shows them.
pub(super) fn policies(shown: &Value) -> Result<Value> {
    let groups = |policy: &Value| -> Vec<Value> {
        let groups = policy["permission_groups"].as_array();
        groups
            .into_iter()
            .flatten()
            .map(|group| match group["meta"].is_null() {
                true => json!({"id": group["id"]}),
                false => json!({"id": group["id"], "meta": group["meta"]}),
            })
            .collect()
    };
    let policies: Vec<Value> = shown
        .as_array()
        .into_iter()
        .flatten()
        .map(|policy| {
            json!({
                "effect": policy["effect"],
                "resources": policy["resources"],
                "permission_groups": groups(policy),
            })
        })
        .collect();
    match policies.is_empty() {
        false => Ok(policies.into()),
        true => Err(Error::new("the old token has no policies that a new one could get")),
    }
}

/// Returns the end of the successor of a token that ends: it lives as long.
pub(super) fn successor_s_end(like: &Value, now: Timestamp) -> Result<Option<Timestamp>> {
    if like["expires_on"].is_null() {
        return Ok(None);
    }
    let life = time(&like["expires_on"])
        .zip(time(&like["issued_on"]))
        .map(|(end, begin)| end.seconds() - begin.seconds());
    match life {
        Some(life) if life > 0 => Ok(Some(now.plus_seconds(life))),
        _ => Err(Error::new(format!(
            "the old token ends, and Cloudflare does not say how long it lives: make its successor by hand, and put it with {}",
            invocation::hint("token put")
        ))),
    }
}

pub(super) fn time(value: &Value) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(value.as_str()?)
}

/// Writes a time in whole seconds, because Cloudflare takes no others.
pub(super) fn seconds(time: Timestamp) -> String {
    Timestamp::from_seconds(time.seconds()).to_rfc3339().replace(".000Z", "Z")
}

/// Returns true if two tokens have equal rights, in whatever order they are listed.
pub(super) fn are_alike(one: &Value, other: &Value) -> bool {
    let sorted = |token: &Value| {
        let policy = |policy: &Value| {
            let groups = policy["permission_groups"].as_array();
            let ids = groups.into_iter().flatten().map(|group| group["id"].to_string());
            let mut ids: Vec<String> = ids.collect();
            ids.sort();
            json!([policy["effect"], policy["resources"], ids]).to_string()
        };
        let mut policies: Vec<String> =
            token["policies"].as_array().into_iter().flatten().map(policy).collect();
        policies.sort();
        policies
    };
    sorted(one) == sorted(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_lives_as_long_as_the_old_token() {
        let now = Timestamp::parse_rfc3339("2026-11-22T12:00:00Z").unwrap();
        let end = |like: Value| successor_s_end(&like, now).map(|end| end.map(seconds));
        let both =
            json!({"issued_on": "2026-01-01T00:00:00Z", "expires_on": "2026-01-31T00:00:00.5Z"});
        assert_eq!(end(both).unwrap().unwrap(), "2026-12-22T12:00:00Z");
        assert_eq!(end(json!({"issued_on": "2026-01-01T00:00:00Z"})).unwrap(), None);
        assert!(end(json!({"expires_on": "2026-01-31T00:00:00Z"})).is_err());
    }

    #[test]
    fn rights_are_alike_in_any_order() {
        let policy = |effect: &str, groups: &[&str]| {
            let groups: Vec<Value> =
                groups.iter().map(|id| json!({"id": id, "name": id})).collect();
            json!({"id": groups.len(), "effect": effect, "resources": {"r": "*"}, "permission_groups": groups})
        };
        let token = |policies: &[Value]| json!({"policies": policies});
        let (a, b) = (policy("allow", &["1", "2"]), policy("deny", &["3"]));
        let one = token(&[a.clone(), b.clone()]);
        assert!(are_alike(&one, &token(&[b.clone(), policy("allow", &["2", "1"])])));
        for other in [
            token(std::slice::from_ref(&a)),
            token(&[a.clone(), policy("allow", &["3"])]),
            token(&[b, policy("allow", &["1"])]),
        ] {
            assert!(!are_alike(&one, &other));
        }
    }
}
