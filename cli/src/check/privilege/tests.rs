//! Policies as the Cloudflare API returns them: to pass, to be warned of, to fail, and what just misses.

use serde_json::json;

use super::super::configuration;
use super::super::row::Status::{self, Fail, Ok as Well, Warn};
use super::*;

const ZONE: &str = "com.cloudflare.api.account.zone.eb78d65290b24279ba6f44721b3ea3c4";

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-20").unwrap()
}

fn judged(verified: Value, record: Result<Value, String>) -> Verdict {
    let mut findings = Findings::default();
    judge("WRITE_TOKEN", &Facts { verified, record }, now(), &mut findings);
    findings.verdict("well")
}

fn policy(group: &str, resources: &Value) -> Value {
    json!({"policies": [{"id": "1", "effect": "allow", "resources": resources,
                         "permission_groups": [{"id": "2", "name": group}]}]})
}

#[test]
fn what_a_policy_allows() {
    let one = json!({ZONE: "*"});
    let account = json!({"com.cloudflare.api.account.0123456789abcdef0123456789abcdef": "*"});
    let nested = json!({"com.cloudflare.api.account.0123456789abcdef0123456789abcdef":
                        {"com.cloudflare.api.account.zone.*": "*"}});
    let (zones, accounts) = (
        json!({"com.cloudflare.api.account.zone.*": "*"}),
        json!({"com.cloudflare.api.account.*": "*"}),
    );
    let user = json!({"com.cloudflare.api.user.0123456789abcdef0123456789abcdef": "*"});
    let table: [(&str, &Value, Status); 18] = [
        ("DNS Write", &one, Well),
        ("Workers KV Storage Write", &account, Well),
        ("DNS Read", &zones, Well),
        ("Analytics Read", &accounts, Well),
        ("DNS Write", &zones, Warn),
        ("DNS Write", &nested, Warn),
        ("Cache Purge", &zones, Warn),
        ("Workers AI Write", &accounts, Warn),
        ("API Tokens Read", &user, Well),
        ("API Tokens Write", &user, Fail),
        ("API Tokens Edit", &user, Fail),
        ("Account API Tokens Write", &account, Fail),
        ("Memberships Write", &user, Fail),
        ("Account Settings Write", &account, Fail),
        ("Account Settings Read", &account, Well),
        ("Workers Scripts Write", &account, Warn),
        ("Workers Scripts Edit", &account, Warn),
        ("Workers Scripts Read", &account, Well),
    ];
    for (group, resources, status) in table {
        let verdict = judged(json!({"status": "active"}), Ok(policy(group, resources)));
        assert_eq!(verdict.status, status, "{group} {resources}: {verdict:?}");
        assert!(status == Well || verdict.evidence.contains(group), "{verdict:?}");
    }
    let mut denied = policy("API Tokens Write", &user);
    denied["policies"][0]["effect"] = json!("deny");
    assert_eq!(judged(json!({"status": "active"}), Ok(denied)).status, Well);
}

#[test]
fn a_token_that_does_not_work_fails() {
    let fine = || Ok(policy("DNS Write", &json!({ZONE: "*"})));
    let active = |expires: &str| json!({"status": "active", "expires_on": expires});
    assert_eq!(judged(active("2026-11-21T00:00:00Z"), fine()).status, Well);
    assert_eq!(judged(active("2026-11-20T00:00:00Z"), fine()).status, Fail);
    assert_eq!(judged(json!({"status": "disabled"}), fine()).status, Fail);
    assert_eq!(judged(json!({}), fine()).status, Fail);
    let refused = judged(Value::Null, Err("no".to_owned()));
    assert_eq!(refused.status, Fail);
    assert!(refused.hint.unwrap().ends_with("token put --secret WRITE_TOKEN"));
    let untold = judged(json!({"status": "active"}), Err("the Cloudflare API said 403".to_owned()));
    assert_eq!(untold.status, Warn);
    assert!(untold.hint.unwrap().contains("CHECK_API_TOKEN"));
}

#[test]
fn only_what_goes_to_cloudflare_is_asked_about() {
    let judged = |vars: Value| row(&configuration::of(&vars, &[]).unwrap(), &Local::of(&[]), now());
    let elsewhere = judged(json!({"UPSTREAM": "https://api.cloudflare.com.example"}));
    assert_eq!(elsewhere.status, Well);
    assert!(
        elsewhere.evidence.ends_with("only Cloudflare's API says what a token may do: WRITE_TOKEN"),
        "{elsewhere:?}"
    );
    // The token is not here.
    assert_eq!(judged(json!({"UPSTREAM": "https://api.cloudflare.com/client/v4"})).status, Warn);
    let global = json!({"ROUTES": [{"path": "/*", "upstream": "https://api.cloudflare.com/client/v4",
                                    "upstream_auth": {"scheme": "cloudflare-global-key"}}]});
    let verdict = judged(global);
    assert_eq!(verdict.status, Warn);
    assert!(verdict.evidence.contains("global API key"), "{verdict:?}");
}

#[test]
fn an_account_is_in_the_path() {
    let id = "0123456789abcdef0123456789abcdef";
    assert_eq!(account(&format!("/client/v4/accounts/{id}/ai/v1")).as_deref(), Some(id));
    assert_eq!(account(&format!("/client/v4/accounts/{id}")).as_deref(), Some(id));
    assert_eq!(account("/client/v4/accounts/other/ai"), None);
    assert_eq!(account("/client/v4"), None);
}
