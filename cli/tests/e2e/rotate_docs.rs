//! The hooks of `docs/rotation.md` and of the recipe for Vault, taken out by their fences and run unchanged against doubles
//! of GitLab's tokens and of Vault, by the command that the page shows.

use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use testkit::docs::{examples, fences};
use testkit::program::{found, run};
use testkit::token::fresh;
use testkit::upstream::{Reply, Seen, Upstream};

use crate::cloudflare::World;
use crate::rotate_stage::{Stage, deployed};

const TOKENS: &str = "/projects/7/access_tokens";

/// GitLab's tokens: each one's name, and its id and its value where the API behind the gate knows it.
struct Gitlab {
    world: Arc<World>,
    admin: String,
    all: Mutex<Vec<(String, (String, String))>>,
}

impl Gitlab {
    fn make(&self, name: &str) -> (usize, String) {
        let known = self.world.tokens.lock().unwrap().by_hand(false, name, 0);
        let mut all = self.all.lock().unwrap();
        all.push((name.to_owned(), known.clone()));
        (all.len() - 1, known.1)
    }

    fn live(&self) -> Vec<usize> {
        let (all, tokens) = (self.all.lock().unwrap(), self.world.tokens.lock().unwrap());
        let live = |number: &usize| tokens.has(&all[*number].1.0);
        (0..all.len()).filter(live).collect()
    }

    fn answer(&self, seen: &Seen) -> Reply {
        let token = seen.header("private-token").unwrap_or_default();
        let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
        if path == "/personal_access_tokens/self" {
            let all = self.all.lock().unwrap();
            let number = all.iter().position(|(_, (_, value))| *value == token);
            return number.map_or(Reply::new(401), |id| Reply::ok(&json!({"id": id}).to_string()));
        }
        if token != self.admin {
            return Reply::new(401);
        }
        match (seen.method.as_str(), path) {
            ("POST", TOKENS) => {
                let asked: Value = serde_json::from_slice(&seen.body).unwrap();
                assert_eq!(asked["scopes"], json!(["api"]));
                let (id, value) = self.make(asked["name"].as_str().unwrap());
                let made = json!({"id": id, "token": value, "expires_at": asked["expires_at"], "active": true});
                Reply::new(201).body(made.to_string())
            }
            ("GET", TOKENS) => {
                assert!(query.contains("state=active"), "{query}");
                let live = self.live();
                let all = self.all.lock().unwrap();
                let shown = live.iter().map(|id| json!({"id": id, "name": all[*id].0}));
                Reply::ok(&shown.collect::<Value>().to_string())
            }
            ("DELETE", path) => {
                let number: usize = path[TOKENS.len() + 1..].parse().unwrap();
                let id = self.all.lock().unwrap()[number].1.0.clone();
                let mut tokens = self.world.tokens.lock().unwrap();
                tokens.manage(false, "DELETE", &format!("/{id}"), "", &Value::Null).unwrap();
                Reply::new(204)
            }
            _ => Reply::new(404),
        }
    }
}

/// Returns the options of the page's last `token rotate`, behind its gate.
fn hooks(page: &str) -> Vec<String> {
    let rotates = |code: &String| code.contains("token rotate --gate") && code.contains("--hook");
    let mut commands = examples(page).into_iter().map(|example| example.code).filter(rotates);
    let command = commands.next_back().expect("a rotation with a hook");
    let script = format!("npx() {{ printf '%s\\n' \"$@\"; }}\n{command}");
    let words = run(Command::new("sh").args(["-euc", &script]), "");
    let mut words = words.lines().map(str::to_owned);
    assert!(words.any(|word| word == "https://gate.example.com"), "{command}");
    words.collect()
}

#[test]
fn the_hook_for_vault_brings_the_token_that_vault_has() {
    if !found(&["curl", "jq"], "the hook for Vault") {
        return;
    }
    let stage = Stage::new();
    let token = stage.tokens().by_hand(false, "made by Vault", 0).1;
    let vaults = fresh();
    let (held, expected) = (token.clone(), vaults.clone());
    let vault = Upstream::answering(move |seen, _| {
        let is_asked = seen.target == "/v1/secret/data/cms";
        match is_asked && seen.header("x-vault-token").as_ref() == Some(&expected) {
            true => Reply::ok(
                &json!({"data": {"data": {"token": held}, "metadata": {"version": 2}}}).to_string(),
            ),
            false => Reply::new(403),
        }
    });
    let [hook] = fences("recipes/vault.md", "sh").try_into().unwrap();
    stage.folder.file("vault-token", &hook);
    let hooks = hooks("docs/recipes/vault.md");
    let rotate = |secret: &str| {
        let mut command = stage.command(&hooks.iter().map(String::as_str).collect::<Vec<_>>());
        command.env("VAULT_ADDR", vault.url()).env("VAULT_TOKEN", secret);
        stage.run(command, None)
    };
    rotate("another").is(1, &[]);
    assert_ne!(deployed(&stage)["token"], token.as_str());
    rotate(&vaults).is(0, &["done"]);
    assert_eq!(deployed(&stage)["token"], token.as_str());
    stage.assert_unharmed();
}

#[test]
fn the_hooks_make_a_token_and_revoke_the_others() {
    if !found(&["curl", "jq"], "the hooks of docs/rotation.md") {
        return;
    }
    let stage = Stage::new();
    let gitlab = Arc::new(Gitlab {
        world: Arc::clone(&stage.cloud.world),
        admin: fresh(),
        all: Mutex::default(),
    });
    gitlab.make("of somebody else");
    gitlab.make("writegate");
    let shared = Arc::clone(&gitlab);
    let server = Upstream::answering(move |seen, _| shared.answer(seen));

    let [make, revoke] = fences("rotation.md", "sh").try_into().unwrap();
    stage.folder.file("rotate-make", &make);
    stage.folder.file("rotate-revoke", &revoke);
    let hooks = hooks("docs/rotation.md");
    let mut command = stage.command(&hooks.iter().map(String::as_str).collect::<Vec<_>>());
    command.env("GITLAB", server.url()).env("PROJECT", "7").env("GITLAB_ADMIN", &gitlab.admin);
    stage.run(command, None).is(0, &["done"]);
    stage.assert_unharmed();
    assert_eq!(gitlab.live(), [0, 2], "somebody else's, and the new one");
    let secret = deployed(&stage);
    assert_eq!(secret["token"], gitlab.all.lock().unwrap()[2].1.1.as_str());
    assert!(secret["expires_at"].is_string(), "{secret}");
}
