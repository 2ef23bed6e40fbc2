//! The `writegate` command: builds, sets up and manages gates, and makes credentials for callers.
//!
//! It uses the library's own code for keys and sessions, so that the command and the gate can never
//! disagree. One file per subcommand; this one only reads the arguments.

#[macro_use]
mod output;

mod admin;
mod browser;
mod build;
mod check;
mod checkout;
mod clock;
mod cloudflare;
mod console;
mod demo;
mod edit;
mod error;
mod explain;
mod gate_error;
mod host;
mod http;
mod init;
mod input;
mod interrupt;
mod invocation;
mod key;
mod list;
mod manual;
mod migrate;
mod percent;
mod process;
mod progress;
mod project;
mod purge;
mod random;
mod redact;
mod replacement;
mod request;
mod route;
mod session;
mod settings;
mod setup;
mod target;
mod tls;
mod token;
mod token_patterns;
mod url;
mod usage;
mod usage_error;
mod utf16;
mod wrangler;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

/// Set up and manage a gate in front of a write API.
#[derive(Parser)]
#[command(name = "writegate", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Set up a new gate: wrangler.toml, .dev.vars, the secrets at Cloudflare, the first key
    Init(Box<init::Options>),
    /// Build the Worker, installing what that needs (wrangler.toml's [build] command)
    Build(build::Options),
    /// Run a gate in front of a small API, with everything set up
    Demo(demo::Options),
    /// Add an API behind the gate
    #[command(subcommand)]
    Route(route::Action),
    /// Create keys, show their secrets, and manage a gate's registry
    #[command(subcommand)]
    Key(key::Action),
    /// Make sessions
    #[command(subcommand)]
    Session(session::Action),
    /// Sign requests
    #[command(subcommand)]
    Request(request::Action),
    /// Sign URLs
    #[command(subcommand)]
    Url(url::Action),
    /// Set, check and replace the gate's upstream tokens
    #[command(subcommand)]
    Token(token::Action),
    /// Print what the keys of a running gate have used, by day
    Usage(usage::Options),
    /// Purge cached answers of a running gate
    Purge(purge::Options),
    /// Open the console of a running gate, with a session for it on standard output
    Console(console::Options),
    /// Explain which rule refused a request, and why
    Explain(explain::Options),
    /// Show what an upgraded gate needs in wrangler.toml: Durable Objects, migrations, static files
    Migrate(migrate::Options),
    /// Check what is missing before a launch: secrets, leaks, limits, logs, rotation
    Check(check::Options),
    /// Print a completion script for a shell
    Completions(manual::Completions),
    /// Write the man pages into a folder
    Man(manual::Man),
}

/// Returns true if the help or the version is to be shown.
const fn is_help(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}

/// Returns true if `--json` was given to the subcommand.
fn takes_json(matches: &ArgMatches) -> bool {
    match matches.subcommand() {
        Some((_, matches)) => takes_json(matches),
        None => matches.try_get_one("json").is_ok_and(|json| json == Some(&true)),
    }
}

fn main() -> ExitCode {
    let words = std::env::args_os().skip(1);
    let words: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let matches = Arguments::command().try_get_matches();
    let json = match &matches {
        Ok(matches) => takes_json(matches),
        // What is behind `--` is curl's.
        Err(_) => words.iter().take_while(|word| *word != "--").any(|word| word == "--json"),
    };
    let parsed = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
    let run = || match parsed {
        Ok(arguments) => run(arguments.command),
        Err(error) if is_help(error.kind()) => output::help(&error),
        Err(error) => {
            let mut command = Arguments::command();
            command.build();
            Err(error::Error::usage(usage_error::line(&error, &command, &words)))
        }
    };
    let done = output::catch(run);
    interrupt::yield_to_handler();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&error, json);
            ExitCode::from(error.code)
        }
    }
}

fn run(command: Command) -> error::Result<()> {
    match command {
        Command::Init(options) => init::run(&options),
        Command::Build(options) => build::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Route(action) => route::run(&action),
        Command::Key(action) => key::run(&action),
        Command::Session(action) => session::run(&action),
        Command::Request(action) => request::run(&action),
        Command::Url(action) => url::run(&action),
        Command::Token(action) => token::run(&action),
        Command::Usage(options) => usage::run(&options),
        Command::Purge(options) => purge::run(&options),
        Command::Explain(options) => explain::run(&options),
        Command::Console(options) => console::run(&options),
        Command::Migrate(options) => migrate::run(&options),
        Command::Check(options) => check::run(&options),
        Command::Completions(shell) => shell.run(Arguments::command()),
        Command::Man(man) => man.run(Arguments::command()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands that read no project of the caller.
    const WITHOUT_PROJECT: [&str; 4] = ["build", "demo", "completions", "man"];
    /// Commands whose output is always JSON, one object per line.
    const JSON_ANYWAY: [&str; 9] = [
        "key update", "key disable", "key enable", "key show", "key list", "key revoke",
        "key import", "usage", "purge",
    ];
    /// A command whose only output is a session.
    const NO_JSON: [&str; 1] = ["console"];

    fn leaves(command: &clap::Command, path: &str, all: &mut Vec<(String, clap::Command)>) {
        for one in command.get_subcommands() {
            let path = format!("{path} {}", one.get_name()).trim_start().to_owned();
            match one.has_subcommands() {
                true => leaves(one, &path, all),
                false => all.push((path, one.clone())),
            }
        }
    }

    #[test]
    fn every_command_takes_env_and_json_where_there_is_something_to_say_with_it() {
        let mut all = Vec::new();
        leaves(&Arguments::command(), "", &mut all);
        let (mut env, mut json) = (Vec::new(), Vec::new());
        for (path, command) in &all {
            let takes = |name| command.get_arguments().any(|one| one.get_long() == Some(name));
            // `build --env` prints variables, and is no environment's name.
            if !takes("env") || path == "build" {
                env.push(path.as_str());
            }
            if !takes("json") {
                json.push(path.as_str());
            }
        }
        assert_eq!(env, WITHOUT_PROJECT);
        let mut known = [&WITHOUT_PROJECT[..], &JSON_ANYWAY, &NO_JSON].concat();
        known.sort_unstable();
        json.sort_unstable();
        assert_eq!(json, known);
    }
}
