//! A site with a gate: `wrangler dev`, with assets, KV, limiters and Durable Objects; the API behind it; a server of pages of
//! other origins; and Turnstile's verifier.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::json;
use testkit::docs::fences;
use testkit::program::Program;
use testkit::token::fresh;
use testkit::upstream::{Reply, Seen, Upstream};
use testkit::wrangler::{dev_with, with_lines};

pub(crate) struct Site {
    gate: u16,
    signing_secret: String,
    api: Upstream,
    pages: Upstream,
    _verifier: Upstream,
    config: PathBuf,
    _server: Program,
}

impl Site {
    pub(crate) fn start(folder: &Path) -> Self {
        let (api, pages, verifier) = (api(), pages(), verifier());
        // A former run's keys would be there still.
        let _fresh_state = fs::remove_dir_all(folder.join("state"));
        let config = with_lines(&["[[kv_namespaces]]", "binding = \"KEY_REGISTRY\"", "id = "]);
        let mut text = fs::read_to_string(&config).unwrap();
        text.push_str(
            "\n[[ratelimits]]\nname = \"RATE_MINT\"\nnamespace_id = \"1002\"\nsimple = { limit = 10000, period = 60 }\n",
        );
        fs::write(&config, text).unwrap();
        let signing_secret = fresh();
        let secrets = format!(
            "SIGNING_SECRET={signing_secret}\nWRITE_TOKEN={}\nTURNSTILE_SECRET={}\n",
            fresh(),
            fresh()
        );
        let origins =
            ["127.0.0.1", "localhost"].map(|host| format!("http://{host}:{}", pages.port));
        let key = |id: &str, bind: bool| {
            json!({
                "id": id, "methods": ["GET", "POST", "PUT"], "paths": ["/posts", "/posts/*"],
                "allowed_origins": origins, "mint": {"ttl": 300, "bind": bind},
            })
        };
        let routes = json!([
            {"path": "/*", "upstream": api.url()},
            {"path": "/kept/*", "upstream": format!("{}/kept", api.url()), "cache": {"ttl": 60}},
        ]);
        let keys = json!([
            key("pk_site", false),
            key("pk_bound", true),
            {"id": "pk_server", "name": "Sessions of a server"},
            {"id": "pk_admin", "admin": true},
        ]);
        let vars = [
            // The shipped configuration has one.
            "UPSTREAM:".to_owned(),
            format!("ROUTES:{routes}"),
            format!("KEYS:{keys}"),
            format!("TURNSTILE_VERIFY_URL:{}", verifier.url()),
        ];
        let (server, gate) = dev_with(folder, &config, &secrets, &vars);
        Self { gate, signing_secret, api, pages, _verifier: verifier, config, _server: server }
    }

    /// Returns the addresses and secrets that the tests in JavaScript need.
    pub(crate) fn servers(&self) -> Vec<(&'static str, String)> {
        vec![
            ("GATE", format!("http://127.0.0.1:{}", self.gate)),
            ("API", self.api.url()),
            ("PAGES", format!("http://127.0.0.1:{}", self.pages.port)),
            ("SIGNING_SECRET", self.signing_secret.clone()),
        ]
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.config);
    }
}

/// Answers with what arrived. Asked directly for `/seen/PATH`, it tells how many requests there were for `/PATH`.
fn api() -> Upstream {
    let counts = Mutex::new(BTreeMap::<String, usize>::new());
    Upstream::answering(move |seen: &Seen, _| {
        let mut counts = counts.lock().unwrap();
        if let Some(path) = seen.target.strip_prefix("/seen") {
            return Reply::ok(&counts.get(path).copied().unwrap_or_default().to_string());
        }
        *counts.entry(seen.target.clone()).or_default() += 1;
        if seen.target.ends_with("/empty") {
            return Reply::new(204);
        }
        let lower = |(name, value): &(String, String)| (name.to_ascii_lowercase(), value.clone());
        let headers: BTreeMap<_, _> = seen.headers.iter().map(lower).collect();
        let verdict = json!({
            "method": seen.method, "target": seen.target, "headers": headers, "bytes": seen.body.len(),
            "text": String::from_utf8_lossy(&seen.body[..seen.body.len().min(1000)]),
        });
        let reply = Reply::new(if seen.target.ends_with("/broken") { 418 } else { 200 });
        let reply = match seen.target.starts_with("/kept/") {
            true => reply.header("Last-Modified", "Wed, 01 Jan 2020 00:00:00 GMT"),
            false => reply,
        };
        reply.header("Content-Type", "application/json").body(verdict.to_string())
    })
}

/// Returns an empty page for every path, with the policy that docs/clients.md states.
fn pages() -> Upstream {
    let documented = fences("clients.md", "csp").remove(0);
    let policy = documented.trim().replace("https://gate.example.com", "http://127.0.0.1:*");
    let policy = format!("default-src 'none'; img-src data:; {policy}");
    Upstream::answering(move |_, _| {
        let page = "<!doctype html><html lang=en><meta charset=utf-8><title>A page</title><link rel=icon href=data:,>";
        Reply::ok(page)
            .header("Content-Type", "text/html")
            .header("Content-Security-Policy", &policy)
    })
}

/// Starts Turnstile's verifier: a token `tok-HOSTNAME-…` is good once.
pub(crate) fn verifier() -> Upstream {
    let used = Mutex::new(BTreeSet::new());
    Upstream::answering(move |seen, _| {
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        let token = body.split_once("tok-").map(|(_, rest)| rest);
        let token = token.map(|rest| rest.split(['&', '"']).next().unwrap_or_default().to_owned());
        let verdict = match token {
            None => json!({"success": false, "error-codes": ["invalid-input-response"]}),
            Some(token) => match used.lock().unwrap().insert(token.clone()) {
                false => json!({"success": false, "error-codes": ["timeout-or-duplicate"]}),
                true => json!({
                    "success": true, "error-codes": [], "action": "writegate",
                    "hostname": token.split('-').next(), "challenge_ts": "2026-11-27T00:00:00.000Z",
                }),
            },
        };
        Reply::ok(&verdict.to_string()).header("Content-Type", "application/json")
    })
}
