//! The page of the recipe for a form, word for word but for the gate's address, and a gate with the recipe's configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};
use testkit::docs::fences;
use testkit::program::Program;
use testkit::token::fresh;
use testkit::upstream::{Reply, Upstream};
use testkit::wrangler::{beside, dev_with};

use super::site::verifier;

/// The gate's address in the recipe.
const GATE: &str = "https://gate.example.com";

pub(crate) struct Form {
    pub(crate) api: Upstream,
    pub(crate) token: String,
    gate: u16,
    page: Upstream,
    _verifier: Upstream,
    config: PathBuf,
    _server: Program,
}

impl Form {
    pub(crate) fn start(folder: &Path) -> Self {
        let html: Arc<OnceLock<String>> = Arc::default();
        let served = html.clone();
        let page = Upstream::answering(move |_, _| {
            Reply::ok(served.get().map_or("", String::as_str))
                .header("Content-Type", "text/html; charset=utf-8")
        });
        // The API refuses what this recipe's visitors would rather not write.
        let api = Upstream::answering(|seen, _| {
            let refused = String::from_utf8_lossy(&seen.body).contains("spam");
            Reply::new(if refused { 422 } else { 201 })
        });
        let (verifier, token) = (verifier(), fresh());

        let configuration = only("toml");
        let mut vars = toml::from_str::<Value>(&configuration).unwrap()["vars"].take();
        vars["ROUTES"][0]["upstream"] = json!(api.url());
        vars["KEYS"][0]["allowed_origins"] = json!([page.url()]);
        let vars = [
            format!("ROUTES:{}", vars["ROUTES"]),
            format!("KEYS:{}", vars["KEYS"]),
            format!("TURNSTILE_VERIFY_URL:{}", verifier.url()),
        ];
        let secrets = format!(
            "SIGNING_SECRET={}\nWRITE_TOKEN={token}\nTURNSTILE_SECRET={}\n",
            fresh(),
            fresh()
        );
        let config = beside(&configuration);
        let (server, gate) = dev_with(folder, &config, &secrets, &vars);

        let recipe = only("html");
        assert_eq!(recipe.matches(GATE).count(), 1, "the page names the gate once");
        html.set(recipe.replace(GATE, &format!("http://127.0.0.1:{gate}"))).unwrap();
        Self { api, token, gate, page, _verifier: verifier, config, _server: server }
    }

    pub(crate) fn servers(&self) -> Vec<(&'static str, String)> {
        let gate = format!("http://127.0.0.1:{}", self.gate);
        vec![("GATE", gate), ("PAGES", self.page.url())]
    }
}

impl Drop for Form {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.config);
    }
}

/// Returns the text in the recipe's only fence of this language.
fn only(language: &str) -> String {
    let mut found = fences("recipes/form.md", language);
    assert_eq!(found.len(), 1, "one fence of {language}");
    found.remove(0)
}
