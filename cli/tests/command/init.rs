//! `writegate init`: what it asks, refuses, writes and sends.

mod cloud;
mod environment;
mod files;
mod form;
mod gate;
pub(crate) mod machine;
mod npm;
mod recipes;
mod refusals;
mod terminal;
mod tokens;

use serde_json::Value;

use crate::checkout::{Checkout, Done, random_secret, rows};

/// `wrangler.toml` as it is shipped.
pub(crate) use testkit::wrangler::SHIPPED;

/// The command that makes a gate without a question.
pub(crate) const CMS: &str = "init --preset cms --upstream https://cms.example.com/api --path '/articles/*' --probe /articles";

/// Returns a fresh clone, as far as `init` looks at it.
pub(crate) fn clone() -> Checkout {
    Checkout::new(SHIPPED)
}

impl Checkout {
    /// Runs the command with this on its standard input.
    pub(crate) fn fed(&self, line: &str, input: &str) -> Done {
        let mut command = self.command(line);
        command.env_remove("CLOUDFLARE_ACCOUNT_ID").env_remove("CLOUDFLARE_API_TOKEN");
        Done::fed(&mut command, input)
    }

    /// Returns a gate made here without Cloudflare; its token, and the first key with its secret.
    pub(crate) fn made(&self, line: &str) -> (String, Value) {
        let token = random_secret();
        let done = self.fed(&format!("{line} --local"), &format!("{token}\n"));
        assert!(!done.err.contains(&token), "{}", done.err);
        (token, serde_json::from_str(&done.succeeded()).unwrap())
    }

    /// Runs each line of a table with this on standard input: it is refused in one line that has the words and not the
    /// input, and nothing is written.
    #[track_caller]
    pub(crate) fn refuses_fed(&self, input: &str, table: &str) {
        for (line, words) in rows(table) {
            let done = self.fed(line, input);
            eprintln!("{line}");
            done.failed(2, &words);
            assert!(
                input.split_whitespace().all(|secret| !done.err.contains(secret)),
                "{}",
                done.err
            );
            self.assert_untouched();
        }
    }

    /// Returns the value of a secret that was written, which is in single quotes.
    pub(crate) fn held(&self, name: &str) -> String {
        let (text, opening) = (self.text(".dev.vars"), format!("{name}='"));
        let line = text.lines().find_map(|line| line.strip_prefix(&opening));
        line.expect(name).strip_suffix('\'').unwrap().to_owned()
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
