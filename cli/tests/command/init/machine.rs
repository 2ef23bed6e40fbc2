//! A machine with a wrangler that tells how it is called.

use std::fs;

use serde_json::{Value, json};

use super::{CMS, clone};
use crate::checkout::{Checkout, Done, random_secret};

const WRANGLER: &str = include_str!("wrangler.js");
pub(crate) const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const OTHER_ACCOUNT: &str = "fedcba9876543210fedcba9876543210";

/// A fresh clone with its npm packages, logged in to one account, at which there is nothing yet.
pub(crate) struct Machine {
    pub(crate) checkout: Checkout,
    pub(crate) token: String,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let machine = Self::of(clone());
        machine.answers("whoami", logged_in(&[(ACCOUNT, "Ours")]));
        machine.answers("secret list", not_found("writegate"));
        machine
    }

    /// Puts that wrangler into a checkout.
    pub(crate) fn of(checkout: Checkout) -> Self {
        let bin = checkout.0.join("node_modules/wrangler/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("wrangler.js"), WRANGLER).unwrap();
        Self { checkout, token: random_secret() }
    }

    /// Sets wrangler's answer to this call from now on.
    pub(crate) fn answers(&self, call: &str, answer: Value) {
        let name = call.replace(' ', "-");
        self.checkout.file(&format!("{name}.answer.json"), &answer.to_string());
    }

    pub(crate) fn init(&self, more: &str) -> Done {
        self.fed(&format!("{CMS} {more}"), &self.token)
    }

    pub(crate) fn finish(&self, more: &str) -> Done {
        self.fed(&format!("init --secrets-only {more}"), "")
    }

    pub(crate) fn fed(&self, line: &str, input: &str) -> Done {
        let done = self.checkout.fed(line, input);
        self.keeps_its_secrets(&done);
        done
    }

    /// Returns the end of a run that finishes one, with this variable in the environment.
    pub(crate) fn finish_with(&self, name: &str, value: &str) -> Done {
        Done::of(self.checkout.command("init --secrets-only").env(name, value))
    }

    /// Returns the arguments, environment and input of every call of wrangler, which was about no environment of its.
    pub(crate) fn calls(&self) -> Vec<Value> {
        let about = |(call, environment): (Value, String)| {
            assert_eq!(environment, "", "{call}");
            call
        };
        self.calls_about().into_iter().map(about).collect()
    }

    /// Returns them for any of wrangler's environments, with its name.
    pub(crate) fn calls_about(&self) -> Vec<(Value, String)> {
        let text = fs::read_to_string(self.checkout.0.join("calls.jsonl")).unwrap_or_default();
        let call = |line| {
            let mut call: Value = serde_json::from_str(line).unwrap();
            let args = call["args"].as_array_mut().unwrap();
            // The configuration and the environment are named each time.
            let last = args.pop().unwrap();
            let environment = match last.as_str() {
                Some("--env=") => String::new(),
                name => {
                    assert_eq!(args.pop(), Some(json!("--env")));
                    name.unwrap().to_owned()
                }
            };
            let configuration = json!(self.checkout.0.join("wrangler.toml"));
            if args.last() == Some(&configuration) {
                args.truncate(args.len() - 2);
            } else {
                assert_eq!(args.last(), Some(&json!("--config=")), "{args:?}");
            }
            (call, environment)
        };
        text.lines().map(call).collect()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.calls().iter().map(name).collect()
    }

    /// Returns the values that were put under this name.
    pub(crate) fn put(&self, name: &str) -> Vec<String> {
        let calls = self.calls();
        let puts = calls.iter().filter(|call| call["args"] == json!(["secret", "put", name]));
        puts.map(|call| call["input"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn root(&self) -> String {
        self.checkout.held("SIGNING_SECRET")
    }

    /// Asserts that no secret is on a command line, in an environment, on a terminal, or in a file that git does not
    /// ignore.
    #[track_caller]
    pub(crate) fn keeps_its_secrets(&self, done: &Done) {
        let mut secrets = vec![self.token.clone()];
        if self.checkout.0.join(".dev.vars").exists() {
            secrets.push(self.root());
        }
        let committed = self.checkout.text("wrangler.toml");
        for secret in &secrets {
            for text in [&done.out, &done.err, &committed] {
                assert!(!text.contains(secret), "{text}");
            }
            for (call, _) in self.calls_about() {
                for part in ["args", "environment"] {
                    assert!(!call[part].to_string().contains(secret), "{}", call[part]);
                }
            }
        }
    }
}

/// Returns the Worker and the account of a call that reads no configuration.
pub(crate) fn about(call: &Value) -> (&str, Option<&str>) {
    let args: Vec<&str> =
        call["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(args[args.len() - 3], "--name", "{args:?}");
    (args[args.len() - 2], call["environment"]["CLOUDFLARE_ACCOUNT_ID"].as_str())
}

/// Returns the words of a call before its first option.
pub(crate) fn name(call: &Value) -> String {
    let words = call["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
    words.take_while(|word| !word.starts_with('-')).collect::<Vec<_>>().join(" ")
}

pub(crate) fn not_found(worker: &str) -> Value {
    let mark = "\u{1b}[31m\u{2718} \u{1b}[41;31m[\u{1b}[41;97mERROR\u{1b}[41;31m]\u{1b}[0m";
    let what = format!("\u{1b}[1mWorker \"{worker}\" not found.\u{1b}[0m");
    json!({"code": 1, "err": format!("{mark} {what}\n\nIf this is a new Worker, run `wrangler deploy` first.\n")})
}

/// Returns the answer of `whoami` for these accounts.
pub(crate) fn logged_in(accounts: &[(&str, &str)]) -> Value {
    let accounts: Vec<_> =
        accounts.iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
    json!({"out": {"loggedIn": true, "accounts": accounts}})
}

/// Returns that of two of them.
pub(crate) fn in_two_accounts() -> Value {
    logged_in(&[(ACCOUNT, "Ours"), (OTHER_ACCOUNT, "Theirs")])
}

pub(crate) fn refused() -> Value {
    json!({"code": 1, "err": "\u{2718} [ERROR] A request to the Cloudflare API (/accounts/x) failed.\n\n  Authentication error [code: 10000]\n"})
}
