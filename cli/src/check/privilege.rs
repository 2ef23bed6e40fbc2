//! The rights of the token at the Cloudflare API, for routes that go there.
//!
//! In scope: the policies of the token itself. Out of scope: tokens of other APIs, whose rights cannot be
//! queried.

use std::env;

use serde_json::Value;
use writegate::Secret;
use writegate::Timestamp;
use writegate::Token;
use writegate::UpstreamAuth;
use writegate::config::Config;

use crate::cloudflare::{Api, ApiError};
use crate::project::exported;

use super::local::Local;
use super::row::{Findings, Verdict, listed};

const CLOUDFLARE: &str = "https://api.cloudflare.com";
/// A token that may read other tokens, only for this check.
const READER: &str = "CHECK_API_TOKEN";
/// Groups that can make other tokens or add members, and so grant every right.
const RULING: [&str; 4] = ["API Tokens ", "Memberships ", "SCIM Provisioning", "Account Settings "];

/// Groups that can replace the gate: what is deployed in its place reads its secrets.
const DEPLOYING: [&str; 2] = ["Workers Scripts Write", "Workers Scripts Edit"];

/// One route's token.
struct Asked<'c> {
    secret: &'c str,
    /// The account in the upstream's path, if there is one.
    account: Option<String>,
}

pub(super) fn row(config: &Config, local: &Local, now: Timestamp) -> Verdict {
    let mut findings = Findings::default();
    let (mut asked, mut known): (Vec<Asked<'_>>, Vec<String>) = (Vec::new(), Vec::new());
    let mut elsewhere: Vec<&str> = Vec::new();
    for route in &config.routes {
        let secret = route.auth.secret();
        if matches!(route.auth, UpstreamAuth::CloudflareGlobalKey { .. }) {
            findings.warn(
                format!("{secret} is a global API key, which can do everything that its user can"),
                "make an API token for this gate only, and upstream_auth = { scheme = \"bearer\" }",
            );
        } else if !is_cloudflare(route.upstream.origin()) {
            if !elsewhere.contains(&secret) {
                elsewhere.push(secret);
            }
        } else if !asked.iter().any(|other| other.secret == secret) {
            asked.push(Asked { secret, account: account(route.upstream.base()) });
        }
    }
    for token in &asked {
        match facts(token, local) {
            Ok(facts) => {
                judge(token.secret, &facts, now, &mut findings);
                known.push(facts.summary(token.secret));
            }
            Err((why, hint)) => findings.warn(format!("{}: {why}", token.secret), hint),
        }
    }
    if !elsewhere.is_empty() {
        known.push(format!(
            "not checked, because only Cloudflare's API says what a token may do: {}",
            listed(&elsewhere, 8)
        ));
    }
    findings.verdict(known.join("; "))
}

fn is_cloudflare(origin: &str) -> bool {
    let double = env::var("CLOUDFLARE_API_BASE_URL").unwrap_or_default();
    origin == CLOUDFLARE || (!double.is_empty() && double.starts_with(&format!("{origin}/")))
}

/// Returns the digits of `…/accounts/<32 hex digits>/…`.
fn account(base: &str) -> Option<String> {
    let mut segments = base.split('/').skip_while(|segment| *segment != "accounts");
    let id = segments.nth(1)?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
}

/// The answers of the API.
struct Facts {
    /// The answer of `verify`.
    verified: Value,
    /// The token's own record; or why it could not be read.
    record: Result<Value, String>,
}

impl Facts {
    fn summary(&self, secret: &str) -> String {
        let policies = self.record.as_ref().ok().and_then(|record| record["policies"].as_array());
        let groups: Vec<String> = policies.into_iter().flatten().flat_map(groups).collect();
        format!("{secret} is active and may: {}", listed(&groups, 8))
    }
}

type Unknown = (String, &'static str);

fn facts(token: &Asked<'_>, local: &Local) -> Result<Facts, Unknown> {
    let Some(secret) = local.get(token.secret) else {
        return Err((
            "is not on this machine, so its permissions are not known".to_owned(),
            "run this with the token in the environment, under its secret's name",
        ));
    };
    let broken = |why: String| (why, "see the check `configuration`");
    let value = Token::parse(secret).map_err(|error| broken(error.to_string()))?.value;
    let open = |token: Secret| Api::open(token).map_err(|error| broken(error.message));
    let api = open(value)?;
    let account = token.account.clone().or_else(|| env::var("CLOUDFLARE_ACCOUNT_ID").ok());
    let mut tokens = "/user/tokens".to_owned();
    let mut verified = api.get("/user/tokens/verify");
    // The users' endpoint does not know a token that belongs to an account.
    if let (Err(ApiError { status: 400..500, .. }), Some(account)) = (&verified, account) {
        let own = format!("/accounts/{account}/tokens");
        if let Ok(found) = api.get(&format!("{own}/verify")) {
            (verified, tokens) = (Ok(found), own);
        }
    }
    let verified = match verified {
        Ok(verified) => verified,
        Err(error) if error.status == 0 || error.status >= 500 => {
            return Err((error.to_string(), "run this again where the API can be reached"));
        }
        Err(error) => {
            return Ok(Facts { verified: Value::Null, record: Err(error.to_string()) });
        }
    };
    let path = format!("{tokens}/{}", verified["id"].as_str().unwrap_or_default());
    let record = match exported(READER) {
        Some(reader) => open(reader)?.get(&path),
        None => api.get(&path),
    };
    Ok(Facts { verified, record: record.map_err(|error| error.to_string()) })
}

fn judge(secret: &str, facts: &Facts, now: Timestamp, findings: &mut Findings) {
    let put = format!("put a valid token into the gate: cargo run -- token put --secret {secret}");
    if facts.verified.is_null() {
        let why = facts.record.as_ref().err().map(String::as_str).unwrap_or_default();
        findings.fail(format!("the Cloudflare API refuses {secret}: {why}"), &put);
        return;
    }
    let status = facts.verified["status"].as_str().unwrap_or("?");
    if status != "active" {
        findings.fail(format!("{secret} is {status} at the Cloudflare API"), &put);
    }
    let expires = facts.verified["expires_on"].as_str().and_then(Timestamp::parse_rfc3339);
    if expires.is_some_and(|expires| expires <= now) {
        findings.fail(format!("{secret} has expired at the Cloudflare API"), put);
    }
    let record = match &facts.record {
        Ok(record) => record,
        Err(why) => {
            findings.warn(
                format!("{secret} is {status}, and its policies could not be read: {why}"),
                "give CHECK_API_TOKEN, a token with API Tokens Read (of an account's token: Account API Tokens Read)",
            );
            return;
        }
    };
    for policy in record["policies"].as_array().into_iter().flatten() {
        if policy["effect"] == "allow" {
            judge_policy(secret, policy, findings);
        }
    }
}

fn judge_policy(secret: &str, policy: &Value, findings: &mut Findings) {
    let writes: Vec<String> = groups(policy).into_iter().filter(|name| is_write(name)).collect();
    let ruling: Vec<&String> = writes.iter().filter(|name| rules(name)).collect();
    if !ruling.is_empty() {
        findings.fail(
            format!("{secret} may give itself more permissions: {}", listed(&ruling, 8)),
            "make a token without these permissions; only the rotation needs a token that manages \
            tokens",
        );
    }
    let deploying: Vec<&String> =
        writes.iter().filter(|name| DEPLOYING.contains(&name.as_str())).collect();
    findings.warn_of(
        &format!("{secret} may replace the gate itself, and so read all of its secrets:"),
        &deploying,
        "make a token without these permissions; only wrangler needs a token that deploys",
    );
    if let Some(wide) = wide(&policy["resources"]) {
        findings.warn_of(
            &format!("{secret} may write to {wide}:"),
            &writes,
            "limit the token to the zone or account that the gate needs",
        );
    }
}

/// Returns the names of a policy's permission groups.
fn groups(policy: &Value) -> Vec<String> {
    let groups = policy["permission_groups"].as_array().into_iter().flatten();
    groups
        .map(|group| {
            let name = group["name"].as_str().or(group["id"].as_str());
            name.unwrap_or("a group without a name").to_owned()
        })
        .collect()
}

/// Returns true for a group whose name does not say that it only reads.
fn is_write(name: &str) -> bool {
    !["Read", "Report", "Analytics"].iter().any(|last| name.ends_with(last))
}

fn rules(name: &str) -> bool {
    RULING.iter().any(|word| {
        name.strip_prefix("Account ").is_some_and(|rest| rest.starts_with(word))
            || name.starts_with(word)
    })
}

/// Returns the resources of a policy that are more than one of their kind.
fn wide(resources: &Value) -> Option<&'static str> {
    let members = resources.as_object()?;
    members.iter().find_map(|(name, value)| match name.as_str() {
        "com.cloudflare.api.account.*" => Some("all accounts"),
        "com.cloudflare.api.account.zone.*" => Some("all zones"),
        _ => wide(value),
    })
}

#[cfg(test)]
mod tests;
