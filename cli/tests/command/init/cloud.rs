//! The calls to Cloudflare: through a wrangler that writes down how it is called and answers as the test says.

use std::fs;

use serde_json::{Value, json};

use super::machine::{ACCOUNT, Machine, OTHER_ACCOUNT, about, in_two_accounts, not_found, refused};
use super::{CMS, SHIPPED};
use crate::checkout::{Done, random_secret};

#[test]
fn the_secrets_go_through_pipes_and_before_the_gate() {
    let machine = Machine::new();
    let done = machine.init("--deploy");
    let first = done.lines().remove(0);
    let expected =
        ["whoami", "secret list", "secret put SIGNING_SECRET", "secret put WRITE_TOKEN", "deploy"];
    assert_eq!(machine.names(), expected);
    assert_eq!(machine.put("SIGNING_SECRET"), [machine.root()]);
    let token: Value = serde_json::from_str(&machine.put("WRITE_TOKEN")[0]).unwrap();
    assert_eq!(token["token"], machine.token.as_str());

    let calls = machine.calls();
    assert_eq!(about(&calls[1]), ("writegate", Some(ACCOUNT)));
    // What is deployed is what was made.
    let written: Value = toml::from_str(calls[4]["checkout"].as_str().unwrap()).unwrap();
    assert_eq!(written["vars"]["KEYS"][0]["id"], first["id"]);
    for words in ["Keep SIGNING_SECRET", "password store", "cannot be read back", "check --gate"] {
        assert!(done.err.contains(words), "{words} in {}", done.err);
    }
    assert_eq!(done.err.matches("sk_").count(), 0, "{}", done.err);
    assert_eq!(done.out.matches("sk_").count(), 1);
}

#[test]
fn an_api_of_this_machine_is_named_before_the_gate_is_deployed() {
    let api = "--upstream http://127.0.0.1:9 --skip-probe";
    let init = format!("{} {api}", CMS.replace("--upstream https://cms.example.com/api ", ""));
    let words = "/* goes to http://127.0.0.1:9, this machine, which Cloudflare does not reach";
    let is_said_first = |done: &Done| {
        let (said, set) = (done.err.find(words), done.err.find("setting "));
        assert!(said.expect(&done.err) < set.expect(&done.err), "{}", done.err);
    };
    let machine = Machine::new();
    is_said_first(&machine.fed(&format!("{init} --deploy"), &machine.token));
    is_said_first(&machine.finish("--deploy"));
    let done = machine.finish("--json");
    assert!(done.lines()[0]["warnings"].to_string().contains(words), "{}", done.out);
    let local = Machine::new().fed(&format!("{init} --local"), &random_secret());
    assert!(local.code == Some(0) && !local.err.contains(words), "{}", local.err);
    assert!(!machine.init("--force").err.contains(words));
}

#[test]
fn nothing_is_deployed_unasked() {
    let machine = Machine::new();
    machine.answers("secret list", not_found("my-gate"));
    let done = machine.init("--name my-gate");
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(!machine.names().contains(&"deploy".to_owned()));
    assert_eq!(about(&machine.calls()[1]), ("my-gate", Some(ACCOUNT)));
    assert!(done.err.contains("npx wrangler deploy"), "{}", done.err);
}

#[test]
fn a_gate_that_works_is_not_taken_over() {
    let machine = Machine::new();
    let root = json!({"out": [{"name": "SIGNING_SECRET", "type": "secret_text"}]});
    machine.answers("secret list", root);
    machine.init("").refused(2, &["--name", "writegate", "--force"]);
    machine.checkout.assert_untouched();
    assert_eq!(machine.names(), ["whoami", "secret list"]);

    assert_eq!(machine.init("--force").code, Some(0));
    assert_eq!(machine.put("SIGNING_SECRET").len(), 1);

    // A Worker without a root is nobody's gate.
    let machine = Machine::new();
    machine.answers("secret list", json!({"out": [{"name": "OTHER", "type": "secret_text"}]}));
    assert_eq!(machine.init("").code, Some(0));
}

#[test]
fn another_thing_that_is_not_found_is_no_absent_worker() {
    let machine = Machine::new();
    let err = "\u{2718} [ERROR] Account not found [code: 7003]\n";
    machine.answers("secret list", json!({"code": 1, "err": err}));
    machine.init("").refused(1, &["7003"]);
    machine.checkout.assert_untouched();
}

#[test]
fn where_nobody_is_logged_in_nothing_is_written() {
    let machine = Machine::new();
    machine.answers("whoami", json!({"code": 1, "out": {"loggedIn": false}}));
    machine
        .init("")
        .refused(1, &["not logged in", "npx wrangler login", "CLOUDFLARE_API_TOKEN", "--local"]);
    machine.checkout.assert_untouched();
    let machine = Machine::new();
    machine.answers("secret list", refused());
    machine.init("").refused(1, &["secret list", "10000"]);
    machine.checkout.assert_untouched();
}

#[test]
fn one_of_several_accounts_has_to_be_named() {
    let machine = Machine::new();
    machine.answers("whoami", in_two_accounts());
    machine.init("").refused(2, &["--account is missing", &format!("{OTHER_ACCOUNT} (Theirs)")]);
    machine.checkout.assert_untouched();

    assert_eq!(machine.init(&format!("--account {OTHER_ACCOUNT}")).code, Some(0));
    let written = machine.checkout.configuration();
    assert_eq!(written["account_id"], OTHER_ACCOUNT);
    assert_eq!(about(&machine.calls()[2]), ("writegate", Some(OTHER_ACCOUNT)));
}

#[test]
fn the_only_account_is_where_the_models_are() {
    let machine = Machine::new();
    let done = machine.fed("init --preset workers-ai", &machine.token);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let written = machine.checkout.configuration();
    let upstream = written["vars"]["ROUTES"][0]["upstream"].as_str().unwrap();
    assert!(upstream.ends_with(&format!("/accounts/{ACCOUNT}/ai")), "{upstream}");
    // Without it wrangler would take the account of its last call in this folder.
    assert_eq!(written["account_id"], ACCOUNT);
    assert_eq!(machine.names()[0], "whoami");
    assert_eq!(machine.names().iter().filter(|name| *name == "whoami").count(), 1);
}

#[test]
fn a_token_for_wrangler_and_an_account_say_enough() {
    let machine = Machine::new();
    machine.answers("whoami", refused());
    let token = machine.checkout.file("token", &machine.token);
    let mut command = machine.checkout.command(CMS);
    command
        .env("CLOUDFLARE_API_TOKEN", random_secret())
        .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
        .stdin(fs::File::open(token).unwrap());
    Done::of(&mut command).succeeded();
    assert!(!machine.names().contains(&"whoami".to_owned()));
}

#[test]
fn what_broke_off_is_finished_with_the_same_secrets() {
    for (failing, shown, done_before) in [
        ("secret put SIGNING_SECRET", "no secret is set", false),
        ("secret put WRITE_TOKEN", "SIGNING_SECRET is set", true),
    ] {
        let machine = Machine::new();
        machine.answers(failing, refused());
        machine.init("--deploy").refused(1, &[failing, "10000", shown, "init --secrets-only"]);
        let root = machine.root();
        assert!(!machine.names().contains(&"deploy".to_owned()));

        // Again, and it fails again: nothing is worse than before.
        machine.finish("").refused(1, &[failing, shown]);

        machine.answers(failing, json!({}));
        if done_before {
            machine.answers("secret list", json!({"out": [{"name": "SIGNING_SECRET"}]}));
        }
        let done = machine.finish("--deploy");
        let first = done.lines().remove(0);
        let written = machine.checkout.configuration();
        assert_eq!(first["id"], written["vars"]["KEYS"][0]["id"]);
        assert_eq!(machine.root(), root);
        assert!(machine.put("SIGNING_SECRET").iter().all(|put| *put == root));
        let token: Value =
            serde_json::from_str(machine.put("WRITE_TOKEN").last().unwrap()).unwrap();
        assert_eq!(token["token"], machine.token.as_str());
        assert_eq!(machine.names().last().unwrap(), "deploy");
        if done_before {
            assert!(done.err.contains("set there already and stays"), "{}", done.err);
            let puts = machine.names();
            let last = &puts[puts.len() - 3..];
            assert_eq!(last, ["secret list", "secret put WRITE_TOKEN", "deploy"]);
        }
    }
}

#[test]
fn a_deployment_that_fails_says_what_is_left() {
    let machine = Machine::new();
    machine.answers("deploy", json!({"code": 3}));
    let done = machine.init("--deploy");
    let continues = "`npx wrangler deploy` continues";
    done.ended(1, &["npx wrangler deploy failed", "secrets are set", continues]);
    // All but that is done, and the key would not be printed again.
    assert_eq!(done.out.matches("sk_").count(), 1);
}

#[test]
fn only_secrets_of_a_gate_that_was_made_are_set() {
    let machine = Machine::new();
    machine.finish("").refused(2, &["still the shipped one", "init"]);
    machine.checkout.file("wrangler.toml", &SHIPPED.replace("\"writegate\"", "\"my-gate\""));
    machine.finish("").refused(2, &["SIGNING_SECRET is neither"]);
    machine.checkout.file(".dev.vars", &format!("SIGNING_SECRET='{}'\n", random_secret()));
    machine.finish("").refused(2, &["WRITE_TOKEN is neither", "token put"]);
    machine
        .finish("--upstream https://api.example.com")
        .refused(2, &["--secrets-only", "--upstream"]);
    assert_eq!(machine.names(), [""; 0]);

    // A token that a Secrets Store holds is not a secret of the Worker.
    let own = machine.checkout.text("wrangler.toml");
    let store = "[[secrets_store_secrets]]\nbinding = \"WRITE_TOKEN\"\nstore_id = \"a\"\nsecret_name = \"b\"\n";
    machine.checkout.file("wrangler.toml", &format!("{own}\n{store}"));
    machine.answers("secret list", json!({"out": []}));
    assert_eq!(machine.finish("").code, Some(0));
    assert_eq!(machine.names(), ["secret list", "secret put SIGNING_SECRET"]);
}

#[test]
fn another_gate_s_secrets_in_the_environment_are_not_sent() {
    let machine = Machine::new();
    machine.answers("secret put SIGNING_SECRET", refused());
    assert_eq!(machine.init("").code, Some(1));
    machine.answers("secret put SIGNING_SECRET", json!({}));
    let calls = machine.calls().len();
    for name in ["SIGNING_SECRET", "WRITE_TOKEN"] {
        let other = random_secret();
        let done = machine.finish_with(name, &other);
        done.failed(2, &[&format!("{name} in the environment"), ".dev.vars"]);
        assert!(!done.err.contains(&other), "{}", done.err);
        assert_eq!(machine.calls().len(), calls);
    }
    // The same one is nobody else's.
    let done = machine.finish_with("SIGNING_SECRET", &machine.root());
    assert!(!done.err.contains("the environment"), "{}", done.err);
    done.succeeded();

    // What `.dev.vars` has not is the environment's, which is reported.
    let token = random_secret();
    let root = format!("SIGNING_SECRET='{}'\n", machine.root());
    machine.checkout.file(".dev.vars", &root);
    let done = machine.finish_with("WRITE_TOKEN", &token);
    let shown = "with the WRITE_TOKEN of the environment";
    assert!(done.err.contains(shown), "{}", done.err);
    assert!(!done.err.contains(&token), "{}", done.err);
    done.succeeded();
    assert_eq!(machine.put("WRITE_TOKEN").last(), Some(&token));
}
