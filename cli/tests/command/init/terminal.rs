//! A person at a terminal: a real one, of which Python's `pty` holds the other end.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::process::Command;

use serde_json::{Value, json};
use testkit::program::{found, run};

use super::machine::{Machine, OTHER_ACCOUNT, in_two_accounts, refused};
use super::{CMS, clone};
use crate::checkout::{Checkout, random_secret};

const TERMINAL: &str = include_str!("terminal.py");

/// The options for all else that a person would be asked.
const REST: &str = "--key-name CMS --method POST --auth bearer --name writegate";

/// In the questions for what must not be shown.
const SECRET: &str = "write token";
const HIDDEN: [&str; 3] = [SECRET, "Turnstile's secret key", "the token for WRITE_TOKEN"];

/// A session at a terminal: what was on the screen at its end, and the exit code.
struct Session {
    screen: String,
    code: i64,
    /// The terminal has its echo, and whatever else it had.
    restored: bool,
}

/// A command line in a checkout, and its talk: whenever the screen shows the first of a pair, the second is typed.
type Run<'r> = (&'r Checkout, &'r str, Vec<(&'r str, &'r str)>);

/// Runs these one after another, in one Python, which takes longest to start. Returns nothing without Python.
fn sessions(runs: &[Run<'_>]) -> Vec<Session> {
    if !found(&["python3"], "the command at a terminal") {
        return Vec::new();
    }
    let order = |(checkout, line, talk): &Run<'_>| {
        let mut command = checkout.command(line);
        command.env("PATH", path(checkout));
        for name in ["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"] {
            command.env_remove(name);
        }
        let text = |text: &OsStr| text.to_str().unwrap().to_owned();
        let words = [command.get_program()].into_iter().chain(command.get_args());
        let program: Vec<_> = words.map(text).collect();
        let variables = command.get_envs().map(|(name, value)| (text(name), value.map(text)));
        let environment: BTreeMap<_, _> = variables.collect();
        json!({"program": program, "talk": talk, "hidden": HIDDEN, "folder": checkout.0, "environment": environment})
    };
    let orders: Value = runs.iter().map(order).collect();
    let printed = run(Command::new("python3").args(["-c", TERMINAL]), &orders.to_string());
    let ends: Vec<(String, i64, bool)> = serde_json::from_str(&printed).unwrap();
    ends.into_iter().map(|(screen, code, restored)| Session { screen, code, restored }).collect()
}

/// Runs one of them.
fn session(checkout: &Checkout, line: &str, talk: &[(&str, &str)]) -> Option<Session> {
    sessions(&[(checkout, line, talk.to_vec())]).pop()
}

/// Returns the path with the checkout's own programs before the others.
fn path(checkout: &Checkout) -> OsString {
    let others = env::var_os("PATH").unwrap_or_default();
    let own = [checkout.0.join("bin")].into_iter();
    env::join_paths(own.chain(env::split_paths(&others))).unwrap()
}

#[test]
fn a_person_is_asked_for_everything_and_the_token_is_not_shown() {
    let checkout = clone();
    let token = random_secret();
    let talk = [
        // The presets are described first.
        ("  workers-ai      ", "wordpress"),
        // A wrong answer is asked for again, with what is wanted.
        ("expected cms", ""),
        ("API's address", "http://api.example.com"),
        ("use https", "https://api.example.com/v1"),
        ("takes its token", "header:X-AUTH-TOKEN"),
        ("if the token works", "/me"),
        ("Worker's name [writegate]", "my-gate"),
        ("Who gets the first key", ""),
        // So is an empty one.
        ("methods", ""),
        ("expected at least one", "post, PATCH"),
        ("paths", "/posts /posts/*"),
        ("origins", ""),
        (SECRET, ""),
        (SECRET, &token),
        ("When it was issued", "2026-01-02"),
        ("When it ends", ""),
    ];
    let Some(session) = session(&checkout, "init --local", &talk) else {
        return;
    };
    assert_eq!(session.code, 0, "{}", session.screen);
    assert!(!session.screen.contains(&token), "{}", session.screen);
    assert_eq!(session.screen.matches("sk_").count(), 1, "{}", session.screen);

    let written = checkout.configuration();
    assert_eq!(written["name"], "my-gate");
    let vars = &written["vars"];
    assert_eq!(vars["ROUTES"][0]["upstream"], "https://api.example.com/v1");
    assert_eq!(vars["ROUTES"][0]["upstream_auth"]["name"], "X-AUTH-TOKEN");
    assert_eq!(vars["KEYS"][0]["methods"], json!(["POST", "PATCH"]));
    assert_eq!(vars["KEYS"][0]["paths"], json!(["/posts", "/posts/*"]));
    assert_eq!(vars["KEYS"][0]["allowed_origins"], Value::Null);
    let secrets = checkout.text(".dev.vars");
    assert!(secrets.contains(&format!("{{\"token\":\"{token}\",\"issued_at\":\"2026-01-02\"}}")));
}

#[test]
fn what_a_preset_or_a_flag_says_is_not_asked() {
    let checkout = clone();
    let token = random_secret();
    let init = "init --local --preset cloudflare-api --path '/client/v4/zones/*' --name dns-gate --key-name DNS \
        --method GET --issued-at 2026-01-02";
    let talk = [("origins", ""), (SECRET, token.as_str()), ("When it ends", "")];
    let Some(session) = session(&checkout, init, &talk) else {
        return;
    };
    assert_eq!(session.code, 0, "{}", session.screen);
    for prompt in
        ["Which API", "The API's address", "Worker's name", "methods", "paths that", "was issued"]
    {
        assert!(!session.screen.contains(prompt), "{prompt} in {}", session.screen);
    }
}

#[test]
fn a_person_may_log_in_choose_and_deploy_on_the_way() {
    let machine = Machine::new();
    machine.answers("whoami", refused());
    machine.answers("login", json!({"then": {"whoami": in_two_accounts()}}));
    let talk = [
        ("Log in now", "y"),
        ("Ours), ", OTHER_ACCOUNT),
        ("origins", ""),
        (SECRET, machine.token.as_str()),
        ("When it was issued", ""),
        ("When it ends", ""),
        ("Deploy it now", "y"),
    ];
    let Some(session) = session(&machine.checkout, &format!("{CMS} {REST}"), &talk) else {
        return;
    };
    assert_eq!(session.code, 0, "{}", session.screen);
    let calls = [
        "whoami", "login", "whoami", "secret list", "secret put SIGNING_SECRET",
        "secret put WRITE_TOKEN", "deploy",
    ];
    assert_eq!(machine.names(), calls);
    let written = machine.checkout.text("wrangler.toml");
    assert!(written.contains(&format!("account_id = \"{OTHER_ACCOUNT}\"")), "{written}");
}

/// The ways to leave a question without an answer, the exit code, and the words that are said then: the terminal's end
/// of input, Ctrl-C, and the signals of somebody else.
const GONE: [(&str, i64, &str); 4] = [
    ("\u{4}", 2, ": the input ended"),
    ("\u{3}", 130, "writegate: interrupted"),
    ("kill 2", 130, "writegate: interrupted"),
    ("kill 15", 130, "writegate: interrupted"),
];

/// Goes away at each of these questions in every way. The last words end like this; looks at what is left of it.
fn leaves(
    line: &str,
    talk: &[(&str, &str)],
    at: impl IntoIterator<Item = usize>,
    end: &str,
    begin: impl Fn() -> Checkout,
    look: impl Fn(&Checkout, usize),
) {
    let joint = if end.is_empty() { "" } else { "; " };
    let ways: Vec<_> = at.into_iter().flat_map(|at| GONE.map(|gone| (at, gone, begin()))).collect();
    let mut runs: Vec<Run<'_>> = Vec::new();
    for (at, (gone, ..), checkout) in &ways {
        runs.push((checkout, line, [&talk[..*at], &[(talk[*at].0, *gone)]].concat()));
    }
    for ((at, (gone, code, said), checkout), session) in ways.iter().zip(sessions(&runs)) {
        let (question, screen) = (talk[*at].0, session.screen.trim_end());
        assert_eq!(session.code, *code, "{gone:?} at {question:?}: {screen}");
        assert!(session.restored, "{gone:?} at {question:?}: {screen}");
        let last = screen.lines().last().unwrap();
        assert!(last.starts_with("writegate: "), "{screen}");
        assert!(last.contains(&format!("{said}{joint}")) && last.ends_with(end), "{screen}");
        look(checkout, *at);
    }
}

#[test]
fn who_goes_away_at_any_question_leaves_nothing_behind() {
    let token = random_secret();
    let talk = [
        ("Which API", "form"),
        ("API's address", "https://api.example.com/v1"),
        ("takes its token", "bearer"),
        ("A path below it", "/me"),
        ("Worker's name", "my-gate"),
        ("Who gets the first key", "Forms"),
        ("methods", "POST"),
        ("paths", "/posts"),
        ("origins", "https://www.example.com"),
        ("site key", "0x4AAAAAAADnPIDROrmt1Wwj"),
        (SECRET, token.as_str()),
        ("Turnstile's secret key", "turnstile-secret"),
        ("When it was issued", "2026-01-02"),
        ("When it ends", ""),
    ];
    let untouched = |checkout: &Checkout, _| checkout.assert_untouched();
    leaves("init --local", &talk, 0..talk.len(), "nothing is written", clone, untouched);
}

#[test]
fn an_interrupt_at_the_login_or_the_account_leaves_nothing() {
    let begin = || {
        let machine = Machine::new();
        machine.answers("whoami", refused());
        machine.answers("login", json!({"then": {"whoami": in_two_accounts()}}));
        machine.checkout
    };
    let talk = [("Log in now", "y"), ("Ours), ", OTHER_ACCOUNT)];
    let untouched = |checkout: &Checkout, _| checkout.assert_untouched();
    leaves(CMS, &talk, 0..talk.len(), "nothing is written", begin, untouched);
}

/// In place of npm, which would ask the internet.
const NPM: &str = "case $* in *writegate@*) mkdir -p node_modules/writegate && echo {} > node_modules/writegate/package.json;; \
     *wrangler@*) mkdir -p node_modules/wrangler && echo {} > node_modules/wrangler/package.json;; esac";

#[test]
fn an_interrupt_in_a_new_folder_says_to_run_it_again() {
    let begin = || {
        let checkout = clone();
        checkout.program("npm", NPM);
        checkout
    };
    let init = format!("{CMS} {REST} --local --skip-probe").replace("init", "init my-gate");
    let talk = [
        ("origins", ""),
        (SECRET, "a-token-of-an-example"),
        ("When it was issued", ""),
        ("When it ends", ""),
    ];
    let last = talk.len() - 1;
    let told = "my-gate has its npm packages, but no gate yet: run this again";
    leaves(&init, &talk, [0, last], told, begin, |checkout, at| {
        let folder = checkout.0.join("my-gate");
        for name in ["wrangler.toml", ".dev.vars", ".dev.vars.new", "README.md", ".github"] {
            assert!(!folder.join(name).exists(), "{name}");
        }
        if at < last {
            return;
        }
        let again = self::session(checkout, &init, &talk).unwrap();
        assert_eq!(again.code, 0, "{}", again.screen);
        assert!(folder.join("wrangler.toml").exists() && folder.join(".dev.vars").exists());
    });
}

#[test]
fn an_interrupt_of_npm_says_that_the_folder_is_begun() {
    let checkout = clone();
    // The command is npm's parent.
    checkout.program("npm", "kill -2 $PPID; while kill -0 $PPID 2>/dev/null; do :; done");
    let init = format!("{CMS} --local").replace("init", "init my-gate");
    let Some(session) = session(&checkout, &init, &[]) else {
        return;
    };
    let screen = session.screen.trim_end();
    assert_eq!(session.code, 130, "{screen}");
    assert!(screen.ends_with("my-gate is not finished: run this again"), "{screen}");
}

#[test]
fn an_interrupt_after_the_secrets_names_what_is_left() {
    let init = format!("{CMS} {REST} --origin https://a.example");
    let talk = [
        (SECRET, "a-token-of-an-example"),
        ("When it was issued", ""),
        ("When it ends", ""),
        ("Deploy it now", ""),
    ];
    let begin = || Machine::new().checkout;
    let continues = "the secrets are set: `npx wrangler deploy` continues";
    leaves(&init, &talk, [3], continues, begin, |checkout, _| {
        assert!(checkout.text(".dev.vars").contains("SIGNING_SECRET="));
        // The files are whole, and the key can be shown.
        let id = checkout.configuration()["vars"]["KEYS"][0]["id"].clone();
        checkout.prints(&format!("key show {}", id.as_str().unwrap()));
    });
}

#[test]
fn a_secret_s_question_leaves_the_terminal_as_it_was_in_other_commands_too() {
    let begin = || {
        let machine = Machine::new();
        machine.init("--local");
        machine.checkout
    };
    leaves("token put", &[("the token for WRITE_TOKEN", "")], [0], "", begin, |_, _| {});
}
