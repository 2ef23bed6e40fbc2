//! The files that were written, as the gate reads them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use writegate::config::{Binding, Config, Environment};
use writegate::credential::session::Session;
use writegate::policy::path;
use writegate::{Key, KeyId, Methods, Scheme, Secret, derive_sk, route};

use super::{CMS, clone};
use crate::checkout::Checkout;

const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
const IMAGES: &str = "init --preset images --upstream https://images.example.com/v1 \
    --origin https://www.example.com --auth header:X-AUTH-TOKEN";

struct Written {
    whole: Value,
    secrets: Vec<(String, String)>,
}

impl Written {
    fn of(checkout: &Checkout) -> Self {
        let lines = checkout.text(".dev.vars");
        let line = |line: &str| {
            let (name, value) = line.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('\'').to_owned()))
        };
        Self { whole: checkout.configuration(), secrets: lines.lines().filter_map(line).collect() }
    }

    fn secret(&self, name: &str) -> &str {
        let found = self.secrets.iter().find(|(found, _)| found == name);
        &found.expect("a secret").1
    }

    fn config(&self) -> Config {
        Config::read(self).unwrap()
    }
}

impl Environment for Written {
    fn get(&self, name: &str) -> Option<Binding> {
        if let Some((_, secret)) = self.secrets.iter().find(|(found, _)| found == name) {
            return Some(Binding::Text(Secret::new(secret.as_str())));
        }
        let objects = self.whole["durable_objects"]["bindings"].as_array().unwrap();
        let kv = self.whole["kv_namespaces"].as_array().into_iter().flatten();
        if objects.iter().any(|binding| binding["name"] == name)
            || kv.into_iter().any(|binding| binding["binding"] == name)
        {
            return Some(Binding::Resource);
        }
        match self.whole["vars"].get(name)? {
            Value::String(text) => Some(Binding::Text(Secret::new(text.as_str()))),
            other => Some(Binding::Json(other.to_string())),
        }
    }
}

fn keys(config: &Config) -> Vec<&Key> {
    config.keys.values().map(|known| known.key()).collect()
}

#[test]
fn it_is_what_the_gate_takes() {
    let checkout = clone();
    let (token, first) = checkout.made(CMS);
    let written = Written::of(&checkout);
    let config = written.config();

    let held: Value = serde_json::from_str(written.secret("WRITE_TOKEN")).unwrap();
    assert_eq!(held["token"], token.as_str());
    let issued = held["issued_at"].as_str().unwrap();
    assert_eq!(issued.len(), "2026-11-22".len(), "{issued}");
    assert!(written.secret("SIGNING_SECRET").len() >= 64);

    assert_eq!(config.routes.len(), 1);
    let route = &config.routes[0];
    assert_eq!(route.upstream.origin(), "https://cms.example.com");
    assert_eq!(route.probe.as_deref(), Some("/articles"));
    assert!(config.replay && config.ledger && !config.registry);

    let id = KeyId::parse(first["id"].as_str().unwrap()).unwrap();
    let root = Secret::new(written.secret("SIGNING_SECRET"));
    assert_eq!(first["sk"].as_str(), derive_sk(&root, &id, 1).expose_str());
    let key = config.keys.get(&id).unwrap().key();
    assert_eq!(key.methods, Methods::of(["GET", "POST", "PUT", "PATCH"]));
    assert_eq!(key.paths.as_ref().unwrap()[0].to_string(), "/articles/*");
    let all = keys(&config);
    assert_eq!(all.len(), 3);
    assert_eq!(all.iter().filter(|key| key.admin).count(), 1);
    // The probe through the gate reaches what the route's own probe reaches, and nothing else.
    let probe = all.iter().find(|key| !key.admin && key.id != id).unwrap();
    assert_eq!(probe.methods, Methods::of(["GET"]));
    assert_eq!(probe.paths.as_ref().unwrap()[0].to_string(), "/articles");
    let session = checkout.prints(&format!("session mint --key {id}"));
    assert_eq!(Session::parse(&session).unwrap().key(), id.as_str());
}

#[test]
fn only_its_owner_reads_the_secrets() {
    let checkout = clone();
    checkout.made(CMS);
    let mode = |name| fs::metadata(checkout.0.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(".dev.vars"), 0o600);
    let names: Vec<_> = fs::read_dir(&checkout.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(!checkout.text("wrangler.toml").contains("sk_"));
}

#[test]
fn all_that_a_gate_needs_is_kept_of_the_shipped_configuration() {
    let shipped: Value = toml::from_str(super::SHIPPED).unwrap();
    for line in [
        CMS,
        &format!("init --preset workers-ai --account {ACCOUNT}"),
        "init --preset cloudflare-api --path '/client/v4/zones/*'",
        IMAGES,
    ] {
        let checkout = clone();
        checkout.made(line);
        let written = Written::of(&checkout);
        for (name, value) in shipped.as_object().unwrap() {
            if name != "vars" {
                assert_eq!(&written.whole[name], value, "{name} of {line}");
            }
        }
        written.config();
    }
}

#[test]
fn an_account_and_a_domain_are_written_and_an_api_found_by_its_account() {
    let checkout = clone();
    let more = "--domain gate.example.com --name ai-gate";
    checkout.made(&format!("init --preset workers-ai --account {ACCOUNT} {more}"));
    let written = Written::of(&checkout);
    assert_eq!(written.whole["name"], "ai-gate");
    assert_eq!(written.whole["account_id"], ACCOUNT);
    let routes = json!([{"pattern": "gate.example.com", "custom_domain": true}]);
    assert_eq!(written.whole["routes"], routes);
    assert_eq!(written.whole["workers_dev"], false);
    let config = written.config();
    let url = config.routes[0].upstream.join(Some("v1/embeddings"), None).unwrap();
    let expected =
        format!("https://api.cloudflare.com/client/v4/accounts/{ACCOUNT}/ai/v1/embeddings");
    assert_eq!(url, expected);
}

#[test]
fn pages_show_images_with_only_an_id() {
    let checkout = clone();
    let (_, first) = checkout.made(IMAGES);
    let written = Written::of(&checkout);
    let config = written.config();
    assert!(config.registry);
    assert_eq!(written.whole["ratelimits"][0]["name"], "RATE_STANDARD");
    let key = config.keys.get(&KeyId::parse(first["id"].as_str().unwrap()).unwrap()).unwrap().key();
    assert_eq!(key.schemes, [Scheme::PublicKey, Scheme::Url]);
    assert_eq!(key.rate.as_deref(), Some("standard"));
    let path = path::check("/img/1.png").unwrap();
    let route = route::find(&config.routes, &path).unwrap().unwrap();
    assert!(route.cache.is_some() && !route.takes("POST"));
    assert_eq!(route.auth.credential_header(), Some("x-auth-token"));
}

#[test]
fn the_operator_s_key_opens_what_its_commands_need() {
    let admin = |line: &str| {
        let checkout = clone();
        checkout.made(line);
        let config = Written::of(&checkout).config();
        let all = keys(&config);
        let admin = all.into_iter().find(|key| key.admin).unwrap();
        let paths = admin.paths.iter().flatten().map(ToString::to_string);
        (admin.methods.listed().collect::<Vec<_>>().join(" "), paths.collect::<Vec<_>>())
    };
    // Nothing is changed through a gate without a registry and a cache.
    let (methods, paths) = admin(CMS);
    assert_eq!(methods, "GET");
    assert_eq!(paths, ["/_gate/status", "/_gate/usage", "/_gate/usage/keys"]);
    let (methods, paths) = admin(IMAGES);
    for method in ["GET", "POST", "PATCH", "DELETE"] {
        assert!(methods.contains(method), "{methods}");
    }
    assert_eq!(paths, [""; 0]);

    // What `check` has against a fresh one.
    let checkout = clone();
    checkout.made(CMS);
    assert_eq!(checkout.json("check --json --only admin-keys")["status"], "ok");
}

#[test]
fn limits_of_the_first_key_are_those_that_were_said() {
    let checkout = clone();
    let init = "init --local --upstream https://api.example.com --method post --method DELETE --path /a --path '/b/*' \
        --origin 'https://*.example.com' --ip 203.0.113.0/24 --key-name 'A \"quoted\" name' --auth basic";
    let first = checkout.fed(init, "user:password-that-is-none").lines().remove(0);
    let written = Written::of(&checkout);
    let config = written.config();
    let key = config.keys.get(&KeyId::parse(first["id"].as_str().unwrap()).unwrap()).unwrap().key();
    assert_eq!(key.methods, Methods::of(["POST", "DELETE"]));
    let paths: Vec<_> = key.paths.iter().flatten().map(ToString::to_string).collect();
    assert_eq!(paths, ["/a", "/b/*"]);
    assert!(key.allowed_origins.is_some() && key.allowed_ips.is_some());
    assert_eq!(written.whole["vars"]["KEYS"][0]["name"], "A \"quoted\" name");
    // Without a probe nobody has to ask it.
    assert_eq!(config.keys.len(), 2);
}

#[test]
fn missing_features_of_a_gate_are_named() {
    for (line, shown, not_told) in [
        (CMS, "SIGNING_SECRET", ["--domain", "--probe"].as_slice()),
        (IMAGES, "--domain", &[]),
        (IMAGES, "--probe", &[]),
        (&format!("{IMAGES} --domain img.example.com"), "--probe", &["--domain"]),
    ] {
        let done = clone().fed(&format!("{line} --local"), "a-token-that-is-none");
        assert!(done.err.contains(shown), "{shown} in {}", done.err);
        for word in not_told {
            assert!(!done.err.contains(word), "{word} in {}", done.err);
        }
    }
}

#[test]
fn a_route_schemes_and_a_rate_are_as_asked_for() {
    let checkout = clone();
    let more = "--route '/cms/*' --path '/cms/articles/*' --schemes session,signature --rate 30/10";
    checkout.made(&format!("{} {more}", CMS.replace("--path '/articles/*' ", "")));
    let written = Written::of(&checkout);
    let config = written.config();
    assert_eq!(config.routes[0].path.to_string(), "/cms/*");
    let mut rates = written.whole["ratelimits"].clone();
    let id = rates[0]["namespace_id"].take();
    assert!(id.as_str().unwrap().parse::<u32>().unwrap() >= 1_000_000, "no other gate's: {id}");
    let rate = json!({"name": "RATE_STANDARD", "namespace_id": null, "simple": {"limit": 30, "period": 10}});
    assert_eq!(rates, json!([rate]));
    assert_eq!(written.whole["vars"]["RATES"], json!({"standard": {"limit": 30, "period": 10}}));
    let first = &written.whole["vars"]["KEYS"][0];
    assert_eq!(first["rate"], "standard");
    assert_eq!(first["schemes"], json!(["session", "signature"]));
    // The probe is on that route, too.
    let paths = keys(&config).into_iter().flat_map(|key| key.paths.iter().flatten());
    assert!(paths.map(ToString::to_string).any(|path| path == "/cms/articles"));
}

#[test]
fn a_path_that_the_address_has_already_is_named() {
    for (path, route, shown) in [
        ("/api/posts", "/*", true),
        ("/api/*", "/*", true),
        ("/apis/posts", "/*", false),
        ("/posts/api/*", "/*", false),
        ("/cms/api/posts", "/cms/*", true),
        ("/cms/posts", "/cms/*", false),
    ] {
        let api = "--preset cms --upstream https://cms.example.com/api";
        let init = format!("init --local {api} --route '{route}' --path '{path}'");
        let done = clone().fed(&init, "a-token-that-is-none");
        assert_eq!(done.err.contains("…/api/api/…"), shown, "{path}: {}", done.err);
        done.succeeded();
    }
}
