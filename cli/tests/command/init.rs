//! `writegate init`: what it asks, refuses, writes and sends.

mod cloud;
mod environment;
mod files;
mod form;
mod gate;
mod machine;
mod recipes;
mod refusals;
mod terminal;
mod tokens;

use std::fs;

use serde_json::Value;

use crate::checkout::{Checkout, Done, random_secret};

/// `wrangler.toml` as it is shipped.
pub(crate) use testkit::wrangler::SHIPPED;

/// The arguments that make a gate without a question.
pub(crate) const CMS: [&str; 9] = [
    "init", "--preset", "cms", "--upstream", "https://cms.example.com/api", "--path",
    "/articles/*", "--probe", "/articles",
];

/// Returns a fresh clone, as far as `init` looks at it.
pub(crate) fn clone() -> Checkout {
    Checkout::new(SHIPPED)
}

impl Checkout {
    /// Runs the command with this on its standard input.
    pub(crate) fn fed(&self, arguments: &[&str], input: &str) -> Done {
        let mut command = self.command(arguments);
        command.env_remove("CLOUDFLARE_ACCOUNT_ID").env_remove("CLOUDFLARE_API_TOKEN");
        Done::fed(&mut command, input)
    }

    /// Returns a gate made here without Cloudflare; its token, and the first key with its secret.
    pub(crate) fn made(&self, arguments: &[&str]) -> (String, Value) {
        let token = random_secret();
        let done = self.fed(&[arguments, &["--local"]].concat(), &format!("{token}\n"));
        assert!(!done.err.contains(&token), "{}", done.err);
        (token, serde_json::from_str(&done.succeeded()).unwrap())
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// Asserts that nothing was written.
    #[track_caller]
    pub(crate) fn assert_untouched(&self) {
        assert_eq!(self.text("wrangler.toml"), SHIPPED);
        for name in [".dev.vars", ".dev.vars.new", "wrangler.toml.new"] {
            assert!(!self.0.join(name).exists(), "{name} is there");
        }
    }
}
