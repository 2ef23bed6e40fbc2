//! The API tokens of the double: a user's and an account's, as they can be listed, made, changed, revoked and verified.

use serde_json::{Map, Value, json};
use testkit::token::{date, fresh, now};

use crate::cloudflare::Answer;

/// Most of a page, and how many there are where nobody says.
const PAGE: usize = 50;
const DEFAULT_PAGE: usize = 20;

#[derive(Default)]
pub(crate) struct Tokens {
    all: Vec<Token>,
    /// Every value there ever was.
    pub(crate) values: Vec<String>,
    /// Whatever is made from here on works nowhere.
    pub(crate) stillborn: bool,
}

struct Token {
    value: String,
    /// Of the account, not of a user.
    owned: bool,
    stillborn: bool,
    /// The record as the API shows it.
    shown: Map<String, Value>,
}

/// Returns the time by RFC 3339, to the second.
pub(crate) fn instant(seconds: u64) -> String {
    let rest = seconds % 86_400;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", date(seconds))
}

fn policies() -> Value {
    json!([{
        "id": &fresh()[..32],
        "effect": "allow",
        "resources": {format!("com.cloudflare.api.account.{}", &fresh()[..32]): "*"},
        "permission_groups": [{"id": &fresh()[..32], "name": "Images Write",
            "meta": {"scopes": "com.cloudflare.api.account"}}],
    }])
}

impl Tokens {
    /// Returns a token that somebody made by hand some time ago; its id and its value.
    pub(crate) fn by_hand(&mut self, owned: bool, name: &str, days: u64) -> (String, String) {
        let issued = now() - days * 86_400;
        let body = json!({"name": name, "policies": policies(),
            "condition": {"request_ip": {"not_in": ["203.0.113.0/24"]}}, "expires_on": instant(now() + 30 * 86_400)});
        let made = self.make(owned, &body, issued);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("id"), text("value"))
    }

    pub(crate) fn rename(&mut self, value: &str, name: &str) {
        self.change(value, "name", name);
    }

    /// Sets a member of what the API shows of it.
    pub(crate) fn change(&mut self, value: &str, member: &str, to: &str) {
        let token = self.all.iter_mut().find(|token| token.value == value);
        let shown = &mut token.expect("a token of this value").shown;
        shown.insert(member.into(), to.into());
    }

    fn make(&mut self, owned: bool, body: &Value, issued: u64) -> Value {
        let mut shown = body.as_object().unwrap().clone();
        shown.insert("id".into(), fresh()[..32].into());
        shown.insert("status".into(), "active".into());
        shown.insert("issued_on".into(), instant(issued).into());
        shown.insert("modified_on".into(), instant(issued).into());
        for policy in shown["policies"].as_array_mut().unwrap() {
            policy["id"] = fresh()[..32].into();
        }
        let value = fresh()[..40].to_owned();
        self.values.push(value.clone());
        let mut answer = Value::Object(shown.clone());
        answer["value"] = value.as_str().into();
        let stillborn = self.stillborn;
        self.all.push(Token { value, owned, stillborn, shown });
        answer
    }

    pub(crate) fn is_live(&self, value: &str) -> bool {
        self.all.iter().any(|token| token.value == value && !token.stillborn)
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.all.iter().any(|token| token.shown["id"] == id)
    }

    /// Names and values of those whose names begin so.
    pub(crate) fn named(&self, start: &str) -> Vec<(String, String)> {
        let pair = |token: &Token| {
            let name = token.shown["name"].as_str().unwrap().to_owned();
            (name, token.value.clone())
        };
        let all = self.all.iter().map(pair);
        all.filter(|(name, _)| name.starts_with(start)).collect()
    }

    /// Returns it as the API shows it.
    pub(crate) fn shown(&self, value: &str) -> Value {
        let found = self.all.iter().find(|token| token.value == value);
        Value::Object(found.expect("a token of this value").shown.clone())
    }

    /// Answers `GET …/verify`.
    pub(crate) fn verify(&self, owned: bool, value: &str) -> Answer {
        let found = self
            .all
            .iter()
            .find(|token| token.value == value && token.owned == owned && !token.stillborn)
            .ok_or((401, 1000, "Invalid API Token"))?;
        let mut result = json!({"id": found.shown["id"], "status": "active"});
        if let Some(end) = found.shown.get("expires_on") {
            result["expires_on"] = end.clone();
        }
        Ok(result)
    }

    /// Answers the credential that manages tokens; `rest` is the path behind `…/tokens`.
    pub(crate) fn manage(
        &mut self,
        owned: bool,
        method: &str,
        rest: &str,
        query: &str,
        body: &Value,
    ) -> Answer {
        let id = rest.strip_prefix('/').unwrap_or_default().to_owned();
        let place = self
            .all
            .iter()
            .position(|token| token.owned == owned && token.shown["id"] == id.as_str());
        match (method, id.is_empty(), place) {
            ("GET", true, _) => Ok(self.list(owned, query)),
            ("POST", true, _) => {
                check(body, &["name", "policies", "condition", "expires_on", "not_before"])?;
                Ok(self.make(owned, body, now()))
            }
            (_, _, None) => Err((404, 1003, "Invalid or missing Token id")),
            ("GET", _, Some(place)) => Ok(Value::Object(self.all[place].shown.clone())),
            ("PUT", _, Some(place)) => {
                check(
                    body,
                    &["name", "policies", "condition", "expires_on", "not_before", "status"],
                )?;
                Ok(self.replace(place, body))
            }
            ("DELETE", _, Some(place)) => {
                self.all.remove(place);
                Ok(json!({"id": id}))
            }
            _ => Err((405, 10405, "Method not allowed for this authentication scheme")),
        }
    }

    /// Replaces a token by a PUT, which is the whole token: what it does not say is gone.
    fn replace(&mut self, place: usize, body: &Value) -> Value {
        let shown = &mut self.all[place].shown;
        let mut new = body.as_object().unwrap().clone();
        for member in ["id", "issued_on"] {
            new.insert(member.into(), shown[member].clone());
        }
        new.insert("modified_on".into(), instant(now()).into());
        new.entry("status").or_insert_with(|| "active".into());
        *shown = new;
        Value::Object(shown.clone())
    }

    fn list(&self, owned: bool, query: &str) -> Value {
        let number = |name: &str, default: usize| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let value = pairs.find(|(n, _)| *n == name);
            value.and_then(|(_, v)| v.parse().ok()).unwrap_or(default)
        };
        let per_page = number("per_page", DEFAULT_PAGE).clamp(5, PAGE);
        let page = number("page", 1).max(1);
        let all: Vec<Value> = self
            .all
            .iter()
            .filter(|token| token.owned == owned)
            .map(|token| Value::Object(token.shown.clone()))
            .collect();
        let items: Vec<Value> =
            all.iter().skip((page - 1) * per_page).take(per_page).cloned().collect();
        let info = json!({"page": page, "per_page": per_page, "count": items.len(), "total_count": all.len()});
        json!({"paged": {"items": items, "info": info}})
    }
}

/// Checks the body of a token that is made or changed.
fn check(body: &Value, members: &[&str]) -> Result<(), (u16, i64, &'static str)> {
    let wrong = |what| Err((400, 1001, what));
    let Some(body) = body.as_object() else {
        return wrong("The body is no object");
    };
    if let Some(unknown) = body.keys().find(|name| !members.contains(&name.as_str())) {
        let _which = unknown;
        return wrong("A member is unknown");
    }
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() || name.len() > 120 {
        return wrong("The name must have 1 to 120 characters");
    }
    let policies = body.get("policies").and_then(Value::as_array);
    let whole = |policy: &Value| {
        let groups = policy["permission_groups"].as_array();
        ["allow", "deny"].contains(&policy["effect"].as_str().unwrap_or_default())
            && policy["resources"].is_object()
            && groups.is_some_and(|groups| {
                !groups.is_empty() && groups.iter().all(|g| g["id"].is_string())
            })
    };
    match policies {
        Some(policies) if !policies.is_empty() && policies.iter().all(whole) => Ok(()),
        _ => wrong("A policy needs effect, resources and permission_groups"),
    }
}
