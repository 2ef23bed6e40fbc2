//! The Worker of the double: its versions and deployments. A version that is deployed is a gate of its own, started with the
//! secret that the version has.

use std::sync::Arc;

use serde_json::{Value, json};
use testkit::client::Request;
use testkit::gate::Gate;
use testkit::token::{fresh, now};
use testkit::upstream::{Reply, Seen};

use crate::cloudflare::Answer;
use crate::cloudflare_tokens::instant;
use crate::rotate_front::{Backend, Front};

/// Cloudflare's own number for it.
const NOT_DEPLOYED: i64 = 10215;
const SECRET: &str = "WRITE_TOKEN";

/// The Secrets Store, and the secrets in it: another's and the token.
pub(crate) const STORE: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const STORED: &str = "writegate_token";
const STORED_ID: &str = "fedcba9876543210fedcba9876543210";

type Start = dyn Fn(&str) -> Gate + Send;

pub(crate) struct Worker {
    pub(crate) name: &'static str,
    front: Arc<Front>,
    /// Starts a gate with this text in its secret.
    pub(crate) start: Option<Box<Start>>,
    versions: Vec<Version>,
    /// The newest last.
    deployments: Vec<Value>,
    gates: Vec<Gate>,
}

#[derive(Clone)]
struct Version {
    shown: Value,
    secret: String,
}

/// Returns the token in a secret.
fn token_of(secret: &str) -> String {
    match serde_json::from_str::<Value>(secret) {
        Ok(envelope) => envelope["token"].as_str().unwrap().to_owned(),
        Err(_) => secret.to_owned(),
    }
}

impl Worker {
    pub(crate) fn new(name: &'static str, front: &Arc<Front>) -> Self {
        Self {
            name,
            front: Arc::clone(front),
            start: None,
            versions: Vec::new(),
            deployments: Vec::new(),
            gates: Vec::new(),
        }
    }

    /// Returns the secret of the newest version.
    pub(crate) fn newest(&self) -> (String, String) {
        let newest = self.versions.last().unwrap();
        (newest.shown["id"].as_str().unwrap().to_owned(), newest.secret.clone())
    }

    /// Returns the version that serves everything, and its secret.
    pub(crate) fn deployed(&self) -> (String, String) {
        let id = self.deployments.last().unwrap()["versions"][0]["version_id"].clone();
        let version = self.versions.iter().find(|v| v.shown["id"] == id).unwrap();
        (id.as_str().unwrap().to_owned(), version.secret.clone())
    }

    /// Returns a version with this secret, uploaded and not deployed.
    pub(crate) fn upload(&mut self, secret: &str, message: &str) -> Value {
        let hex = fresh();
        let id = format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..32]
        );
        let number = self.versions.len() + 1;
        let created = instant(now()).replace('Z', &format!(".{number:06}Z"));
        let shown = json!({
            "id": id,
            "number": number,
            "metadata": {"created_on": created, "modified_on": created, "source": "wrangler",
                "author_email": "user@example.com", "author_id": &fresh()[..32], "hasPreview": false},
            "annotations": {"workers/message": message, "workers/triggered_by": "upload"},
            "resources": {
                "bindings": [{"name": SECRET, "type": "secret_text"}],
                "script": {"etag": fresh(), "handlers": ["fetch"], "last_deployed_from": "wrangler"},
                "script_runtime": {"compatibility_date": "2026-11-17", "usage_model": "standard"},
            },
        });
        self.versions.push(Version { shown: shown.clone(), secret: secret.to_owned() });
        shown
    }

    /// Sends this version out.
    pub(crate) fn deploy(&mut self, id: &str, message: &str) -> Value {
        let version = self.versions.iter().find(|v| v.shown["id"] == id);
        let secret = version.expect("a version of this id").secret.clone();
        let gate = (self.start.as_ref().unwrap())(&secret);
        self.front.deploy(Backend { port: gate.port, token: token_of(&secret) });
        self.gates.push(gate);
        let hex = fresh();
        let deployment = json!({
            "id": format!("{}-0000-4000-8000-{}", &hex[..8], &hex[8..20]),
            "source": "wrangler", "strategy": "percentage", "author_email": "user@example.com",
            "created_on": instant(now()),
            "annotations": {"workers/message": message, "workers/triggered_by": "deployment"},
            "versions": [{"version_id": id, "percentage": 100}],
        });
        self.deployments.push(deployment.clone());
        deployment
    }

    /// Makes the next deployment one of the same version, which serves half beside another.
    pub(crate) fn split(&mut self) {
        let mut last = self.deployments.last().unwrap().clone();
        let (newest, _) = self.newest();
        last["versions"][0]["percentage"] = 90.into();
        let versions = last["versions"].as_array_mut().unwrap();
        versions.push(json!({"version_id": newest, "percentage": 10}));
        self.deployments.push(last);
    }

    /// Answers the credential that may deploy; `rest` is the path behind the account.
    pub(crate) fn manage(&mut self, method: &str, rest: &str, query: &str, seen: &Seen) -> Answer {
        let body = serde_json::from_slice::<Value>(&seen.body).unwrap_or_default();
        let script = format!("/workers/scripts/{}", self.name);
        if let Some(id) = rest.strip_prefix(&format!("/secrets_store/stores/{STORE}/secrets")) {
            return self.store(method, id, &body);
        }
        let Some(what) = rest.strip_prefix(&script) else {
            return Err((404, 10007, "This Worker does not exist on your account."));
        };
        let version = what.strip_prefix("/versions/");
        match (method, what) {
            ("GET", "/deployments") => {
                let newest_first: Vec<&Value> = self.deployments.iter().rev().collect();
                Ok(json!({"deployments": newest_first}))
            }
            ("POST", "/deployments") => {
                let versions = &body["versions"];
                if body["strategy"] != "percentage" || versions[0]["percentage"] != 100 {
                    return Err((400, 10001, "The double deploys only one version"));
                }
                let id = versions[0]["version_id"].as_str().unwrap().to_owned();
                let message = body["annotations"]["workers/message"].as_str();
                Ok(self.deploy(&id, message.unwrap_or_default()))
            }
            ("GET", "/versions") => {
                assert!(["", "deployable=true"].contains(&query), "{query}");
                let newest_first = self.versions.iter().rev().map(|v| v.shown.clone());
                Ok(json!({"items": newest_first.collect::<Vec<_>>()}))
            }
            ("POST", "/versions") => {
                let metadata = metadata(&seen.body);
                let bindings = metadata["bindings"].as_array().unwrap();
                let secret =
                    bindings.iter().find(|b| b["name"] == SECRET && b["type"] == "secret_text");
                let secret =
                    secret.map_or(self.newest().1, |b| b["text"].as_str().unwrap().to_owned());
                let message = metadata["annotations"]["workers/message"].as_str();
                Ok(self.upload(&secret, message.unwrap_or_default()))
            }
            ("PUT", "/secrets") => {
                let deployment = &self.deployments.last().unwrap()["versions"];
                let newest = self.newest().0;
                if deployment.as_array().unwrap().len() != 1
                    || deployment[0]["version_id"] != newest.as_str()
                {
                    return Err((
                        400,
                        NOT_DEPLOYED,
                        "The latest version of your Worker isn't currently deployed.",
                    ));
                }
                assert_eq!((&body["name"], &body["type"]), (&json!(SECRET), &json!("secret_text")));
                let version = self.upload(body["text"].as_str().unwrap(), "");
                let id = version["id"].as_str().unwrap().to_owned();
                self.deploy(&id, "");
                Ok(json!({"name": SECRET, "type": "secret_text"}))
            }
            ("GET", "/script-settings") => Ok(
                json!({"logpush": false, "tail_consumers": null, "observability": {"enabled": false}}),
            ),
            ("PATCH", "/script-settings") => Ok(body),
            ("GET", _) if version.is_some() => {
                let found = self.versions.iter().find(|v| v.shown["id"].as_str() == version);
                found.map(|v| v.shown.clone()).ok_or((404, 10007, "There is no such version"))
            }
            _ => Err((404, 7003, "No route for the URI")),
        }
    }

    /// Returns the Secrets Store, from which the gate reads by itself.
    fn store(&mut self, method: &str, id: &str, body: &Value) -> Answer {
        let secret = |name: &str, id: &str| {
            json!({"id": id, "name": name, "store_id": STORE, "comment": "", "scopes": ["workers"],
                "status": "active", "created": instant(now()), "modified": instant(now())})
        };
        match (method, id.strip_prefix('/')) {
            ("GET", None) => {
                Ok(json!([secret("another", &fresh()[..32]), secret(STORED, STORED_ID)]))
            }
            ("PATCH", Some(STORED_ID)) => {
                let value = body["value"].as_str().unwrap();
                let gate = self.gates.last().unwrap();
                Request::new("PUT", "/").body(value).send_to(gate.secrets).passed();
                // The gate shows it when it reads it.
                self.front.deploy(Backend { port: gate.port, token: token_of(value) });
                Ok(secret(STORED, STORED_ID))
            }
            _ => Err((404, 1000, "There is no such secret")),
        }
    }

    /// Returns a version's code, as wrangler reads it to upload it again.
    pub(crate) fn content() -> Reply {
        let boundary = "----code";
        let part = "export default {}";
        let body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"index.js\"; filename=\"index.js\"\r\n\
             Content-Type: application/javascript+module\r\n\r\n{part}\r\n--{boundary}--\r\n"
        );
        Reply::new(200)
            .header("Content-Type", &format!("multipart/form-data; boundary={boundary}"))
            .header("cf-entrypoint", "index.js")
            .body(body)
    }
}

/// Returns the metadata of an upload: a part of a form, or all of it where a stub sent it.
fn metadata(body: &[u8]) -> Value {
    let text = String::from_utf8_lossy(body);
    let Some((_, rest)) = text.split_once("name=\"metadata\"") else {
        return serde_json::from_str(&text).unwrap();
    };
    let (_, rest) = rest.split_once("\r\n\r\n").unwrap();
    let (json, _) = rest.split_once("\r\n--").unwrap();
    serde_json::from_str(json).unwrap()
}
