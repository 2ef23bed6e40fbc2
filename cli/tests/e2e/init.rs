//! From a fresh clone to a gate: `init` with the real wrangler, against a double of the Cloudflare API; then what it wrote,
//! under `wrangler dev` and as a deployment would take it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use testkit::client::Request;
use testkit::docs::fences;
use testkit::gate::Setup;
use testkit::process::{root, scratch};
use testkit::program::run;
use testkit::token::fresh;
use testkit::upstream::{Reply, Seen, Upstream};
use testkit::wrangler::{SHIPPED, beside, dev_with, dry_run};

use crate::Folder;

pub(crate) const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";

/// Returns a fresh clone with its npm packages.
fn clone() -> Folder {
    let folder = Folder::of(SHIPPED);
    let modules = folder.0.join("node_modules");
    fs::create_dir_all(modules.join(".cache/wrangler")).unwrap();
    let wrangler = root().join("node_modules/wrangler");
    std::os::unix::fs::symlink(wrangler, modules.join("wrangler")).unwrap();
    // wrangler keeps the account of its last call there.
    let other = json!({"account": {"id": "f".repeat(32), "name": ""}});
    fs::write(modules.join(".cache/wrangler/wrangler-account.json"), other.to_string()).unwrap();
    folder
}

/// Returns the command, without a root secret.
fn writegate(folder: &Folder, line: &str) -> Command {
    let mut command = folder.command("");
    command.args(line.split(' ')).env_remove("SIGNING_SECRET");
    command
}

fn init(folder: &Folder, more: &str) -> Command {
    let api = "--upstream https://cms.example.com/api";
    writegate(folder, &format!("init --preset cms --path /articles {api} {more}"))
}

/// Lets wrangler ask this API, with a login to it.
fn online(command: &mut Command, api: &Upstream, folder: &Folder) {
    command
        .env("CLOUDFLARE_API_BASE_URL", format!("{}/client/v4", api.url()))
        .env("CLOUDFLARE_API_TOKEN", fresh())
        .env("WRANGLER_SEND_METRICS", "false")
        .env("WRANGLER_LOG_PATH", folder.0.join("logs"))
        .env("no_proxy", "127.0.0.1")
        .env("NO_PROXY", "127.0.0.1");
}

/// Returns the Cloudflare API, as far as wrangler asks it for secrets and for who is logged in: an account that has
/// no Worker until it is put.
pub(crate) fn cloudflare() -> Upstream {
    let there = Arc::new(Mutex::new(BTreeSet::new()));
    Upstream::answering(move |seen, _| {
        let script = script(seen);
        let mut there = there.lock().unwrap();
        if seen.method == "PUT" && !seen.target.contains("/secrets") {
            there.extend(script.clone());
        }
        let result = match (&script, seen.target.as_str()) {
            (Some(_), _) => json!({"bindings": []}),
            (None, "/client/v4/user") => json!({"id": "1", "email": "somebody@example.com"}),
            _ => {
                json!([{"id": ACCOUNT, "name": "Ours", "account": {"id": ACCOUNT, "name": "Ours"}}])
            }
        };
        let (status, answer) = match script.is_none_or(|script| there.contains(&script)) {
            true => (200, json!({"success": true, "errors": [], "messages": [], "result": result})),
            false => {
                let error = json!({"code": 10007, "message": "This Worker does not exist on your account."});
                (404, json!({"success": false, "errors": [error], "messages": [], "result": null}))
            }
        };
        Reply::new(status).body(answer.to_string()).header("Content-Type", "application/json")
    })
}

/// Returns the Worker that a call is about.
fn script(seen: &Seen) -> Option<String> {
    let scripts = format!("/client/v4/accounts/{ACCOUNT}/workers/scripts/");
    let rest = seen.target.strip_prefix(&scripts)?;
    rest.split(['/', '?']).next().map(str::to_owned)
}

/// Returns the secrets that were set there.
pub(crate) fn secrets(seen: &[Seen]) -> Vec<(String, String)> {
    let set = seen.iter().filter(|seen| seen.method == "PUT" && seen.target.ends_with("/secrets"));
    let secret = |seen: &Seen| {
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        (text("name"), text("text"))
    };
    set.map(secret).collect()
}

#[test]
fn the_real_wrangler_sets_the_secrets_of_a_worker_that_is_not_there_yet() {
    let (folder, api, token) = (clone(), cloudflare(), fresh());
    let mut command = init(&folder, "--name my-gate");
    online(&mut command, &api, &folder);
    let printed = run(command.env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT), &token);
    let first: Value = serde_json::from_str(&printed).unwrap();

    // Asked for and not there; made by the first secret, which is then sent again.
    let set = secrets(&api.seen());
    let names: Vec<_> = set.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["SIGNING_SECRET", "SIGNING_SECRET", "WRITE_TOKEN"]);
    for path in folder.files() {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let hidden = path.ends_with(".dev.vars");
        for (_, secret) in &set {
            assert!(hidden || !text.contains(secret.as_str()), "{}", path.display());
        }
        assert!(hidden || !text.contains(&token), "{}", path.display());
    }

    // A gate of what was written and sent takes what its first key's holder makes.
    let written =
        toml::from_str(&fs::read_to_string(folder.0.join("wrangler.toml")).unwrap()).unwrap();
    let upstream = Upstream::start();
    let mut setup = Setup::of(&written, &upstream);
    for (name, secret) in &set {
        setup = setup.env(name, secret.as_str());
    }
    let gate = setup.start();
    let id = first["id"].as_str().unwrap();
    let session = run(&mut writegate(&folder, &format!("session mint --key {id}")), "");
    Request::post("/articles").bearer(&session).send(&gate).passed();
    let seen = upstream.only();
    assert_eq!(seen.target, "/api/articles");
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {token}")));
    Request::post("/users").bearer(&session).send(&gate).refused(403, "path-denied");
    assert_eq!(testkit::token::sk(&set[0].1, id, 1), first["sk"].as_str().unwrap());
}

#[test]
fn the_real_wrangler_sets_the_secrets_of_an_environment_s_own_worker() {
    let (folder, api) = (clone(), cloudflare());
    run(&mut init(&folder, "--name my-gate --local"), &fresh());
    // wrangler refuses an environment that is not there, as this one is not while it is asked who is logged in.
    let mut command = init(&folder, "--env staging");
    online(&mut command, &api, &folder);
    run(command.env_remove("CLOUDFLARE_ACCOUNT_ID"), &fresh());
    let seen = api.seen();
    assert!(seen.iter().any(|seen| script(seen).is_none()), "it asks who is logged in");
    let mut workers: Vec<_> = seen.iter().filter_map(script).collect();
    workers.dedup();
    assert_eq!(workers, ["my-gate-staging"]);
    let names: BTreeSet<_> = secrets(&seen).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["SIGNING_SECRET", "WRITE_TOKEN"].map(str::to_owned).into());
}

#[test]
fn the_real_wrangler_cuts_white_space_off_one_secret_and_not_off_a_file_of_them() {
    let (folder, api) = (Folder::of("name = \"my-gate\"\n"), cloudflare());
    let sent = |arguments: &[&str], input: &str| {
        let before = api.seen().len();
        let mut node = Command::new("node");
        node.arg(root().join("node_modules/wrangler/bin/wrangler.js")).args(arguments);
        online(&mut node, &api, &folder);
        run(node.current_dir(&folder).env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT), input);
        let bodies = api.seen().split_off(before).into_iter();
        let bodies = bodies.filter(|seen| seen.method == "PUT" || seen.method == "PATCH");
        bodies.map(|seen| String::from_utf8_lossy(&seen.body).into_owned()).collect::<String>()
    };
    // One call for all of them, because each takes seconds: what is not cut off would keep what is before it.
    let ends = [" ", "\t", "\r\n", "\u{feff}", "\u{a0}", "\u{2028}"];
    let put = sent(&["secret", "put", "WRITE_TOKEN"], &format!("example{}", ends.concat()));
    assert!(put.contains("\"text\":\"example\""), "{put}");
    for end in ends {
        // The command reads one likewise: its keys are the same.
        let show = |root: String| {
            run(folder.command(&root).args(["key", "show", "pk_a", "--unknown-key"]), "")
        };
        let root = fresh() + &fresh();
        assert_eq!(show(format!("{root}{end}")), show(root), "{end:?}");
    }
    let kept = json!("example \t").to_string();
    let bulk = sent(&["secret", "bulk"], &json!({"WRITE_TOKEN": "example \t"}).to_string());
    assert!(bulk.contains(&format!("\"text\":{kept}")), "{bulk}");
    let file = folder.file("secrets.env", "WRITE_TOKEN=\"example \t\"\n");
    let bulk = sent(&["secret", "bulk", &file], "");
    assert!(bulk.contains(&format!("\"text\":{kept}")), "{bulk}");
}

#[test]
fn what_was_written_works_under_wrangler_dev_with_its_dev_vars() {
    let folder = clone();
    // Characters that mean something in a file of variables.
    let token = format!("{}'\"#$HOME\\n`x`", fresh());
    let first = run(&mut init(&folder, "--local"), &token);
    let first: Value = serde_json::from_str(&first).unwrap();
    let config = beside(&fs::read_to_string(folder.0.join("wrangler.toml")).unwrap());
    let secrets = fs::read_to_string(folder.0.join(".dev.vars")).unwrap();
    let upstream = Upstream::start();
    let route = json!([{"path": "/*", "upstream": upstream.url()}]);
    let (_server, port) = dev_with(&folder.0, &config, &secrets, &[format!("ROUTES:{route}")]);

    let root_secret =
        secrets.lines().find_map(|line| line.strip_prefix("SIGNING_SECRET='")).unwrap();
    let root_secret = root_secret.strip_suffix('\'').unwrap();
    let session = testkit::token::Session::new(root_secret, first["id"].as_str().unwrap()).mint();
    Request::post("/articles").bearer(&session).send_to(port).passed();
    let sent = upstream.only().header("authorization");
    assert_eq!(sent, Some(format!("Bearer {token}")));
    fs::remove_file(config).unwrap();
}

#[test]
fn the_recipe_with_every_binding_can_be_deployed() {
    let folder = scratch("online-dry-run");
    let config = beside(&fences("recipes/images.md", "toml").remove(0));
    let said = dry_run(&config, &folder);
    for binding in ["env.KEY_REGISTRY", "env.RATE_STANDARD", "env.LEDGER", "env.ROUTES", "env.KEYS"]
    {
        assert!(said.contains(binding), "{binding} in {said}");
    }
    fs::remove_file(config).unwrap();
}
