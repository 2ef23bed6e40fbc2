//! `writegate check`: the list before a launch, one row each with its status, the evidence and the
//! hint.
//!
//! A row is a small function of the gathered facts. If a fact is not known, the row warns, and says why and which
//! option helps.

mod configuration;
mod deployment;
mod dev_vars;
mod keys;
mod leaks;
mod local;
mod logpush;
mod privilege;
mod rotation;
mod row;
mod secrets;
mod turnstile;

use std::cell::OnceCell;

use clap::Args;
use clap::builder::PossibleValuesParser;
use writegate::FieldError;
use writegate::Timestamp;
use writegate::config::Config;

use crate::admin::GateOptions;
use crate::clock;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::project::{Document, Project, ProjectOptions};

pub(crate) use configuration::unreachable;
use local::Local;
use row::{Status, Verdict};
use secrets::Remote;

#[derive(Args)]
// Every other row works without a gate.
#[command(mut_arg("gate", |gate| gate.required(false)))]
#[command(mut_arg("admin", |admin| admin.requires("gate")))]
pub(crate) struct Options {
    #[command(flatten)]
    which: Option<GateOptions>,
    #[command(flatten)]
    project: ProjectOptions,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    /// A warning fails too
    #[arg(long)]
    strict: bool,
    /// Only this check; may be repeated, or several with commas
    #[arg(long, value_name = "CHECK", value_delimiter = ',', value_parser = names())]
    only: Vec<String>,
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(CHECKS.iter().map(|(name, _)| *name))
}

/// A row's name, and the function that makes it.
type Check = (&'static str, fn(&Gathered<'_>) -> Verdict);

/// Every row, in the order in which they are printed.
const CHECKS: [Check; 22] = [
    ("configuration", |all| all.configuration()),
    ("upstream", |all| all.config(|_, config| configuration::upstream(config))),
    ("environments", |all| all.document(configuration::environments)),
    ("compatibility-date", |all| {
        all.document(|document| deployment::compatibility_date(document, all.now))
    }),
    ("preview-urls", |all| all.document(deployment::preview_urls)),
    ("workers-dev", |all| all.config(deployment::workers_dev)),
    ("schedule", |all| all.document(deployment::schedule)),
    ("audit-log", |all| all.document(deployment::audit_log)),
    ("logpush", |all| all.document(|document| logpush::row(document, &all.local))),
    ("bindings", |all| all.config(|document, config| keys::bindings(document, config, all.now))),
    ("open-keys", |all| all.config(|_, config| keys::open(config, all.now))),
    ("admin-keys", |all| all.config(|_, config| keys::admin(config, all.now))),
    ("example-key", |all| all.config(|_, config| keys::example(config, all.now))),
    ("secrets", |all| {
        all.document(|document| secrets::row(document, all.config.as_ref().ok(), all.remote()))
    }),
    ("previous-root", |all| all.document(|document| secrets::previous(document, all.remote()))),
    ("root-length", |all| secrets::root(&all.local)),
    ("turnstile", |all| all.config(|_, config| turnstile::row(config, &all.local, all.now))),
    ("dev-vars", |all| dev_vars::row(all.project, &all.local)),
    ("leaks-in-tree", |all| all.scanner(|scanner| leaks::in_tree(&all.project.root, scanner))),
    ("leaks-in-history", |all| {
        all.scanner(|scanner| {
            let note = |text: String| Progress::new().note(&text);
            leaks::in_history(&all.project.root, scanner, note)
        })
    }),
    ("rotation", |all| rotation::row(all.options.which.as_ref().map(|which| (all.project, which)))),
    ("token-privilege", |all| all.config(|_, config| privilege::row(config, &all.local, all.now))),
];

pub(crate) fn run(options: &Options) -> Result<()> {
    let project = options.project.find()?;
    let gathered = Gathered::new(options, &project)?;
    let width = CHECKS.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut bad = Vec::new();
    let least = if options.strict { Status::Warn } else { Status::Fail };
    for (name, check) in &CHECKS {
        if !options.only.is_empty() && !options.only.iter().any(|only| only == name) {
            continue;
        }
        let secrets: Vec<_> = gathered.local.all().map(|(_, secret)| secret).collect();
        let verdict = check(&gathered).shown(&secrets);
        if options.json {
            println!("{}", verdict.json(name));
        } else {
            println!("{}", verdict.text(name, width));
        }
        if verdict.status >= least {
            bad.push(*name);
        }
    }
    match bad.as_slice() {
        [] => Ok(()),
        bad => {
            Err(Error::new(format!("{} of the checks did not pass: {}", bad.len(), bad.join(", "))))
        }
    }
}

/// The input of the rows. Slow parts are gathered when the first row needs them.
struct Gathered<'a> {
    options: &'a Options,
    project: &'a Project,
    now: Timestamp,
    document: Result<Document>,
    config: std::result::Result<Config, FieldError>,
    local: Local,
    remote: OnceCell<Remote>,
    scanner: OnceCell<std::result::Result<leaks::Scanner, String>>,
}

impl<'a> Gathered<'a> {
    fn new(options: &'a Options, project: &'a Project) -> Result<Self> {
        let document = project.unchecked_document();
        if let Ok(document) = &document {
            document.check_environment()?;
        }
        let local = Local::read(project, document.as_ref().ok())?;
        let config = match &document {
            Ok(document) => configuration::read(document, &|name| local.get(name).cloned()),
            Err(error) => Err(FieldError::new(project.name(), error.message.as_str())),
        };
        Ok(Self {
            options,
            project,
            now: clock::now()?,
            document,
            config,
            local,
            remote: OnceCell::new(),
            scanner: OnceCell::new(),
        })
    }

    fn configuration(&self) -> Verdict {
        let document = match &self.document {
            Ok(document) => document,
            Err(error) => {
                return Verdict::fail(
                    format!("wrangler does not read it: {}", error.message),
                    format!("fix that line of {}", self.project.name()),
                );
            }
        };
        let others = self.project.others();
        configuration::row(document, &self.config, &others)
    }

    /// Returns a row about the text of `wrangler.toml`.
    fn document(&self, row: impl Fn(&Document) -> Verdict) -> Verdict {
        match &self.document {
            Ok(document) => row(document),
            Err(_) => unread(),
        }
    }

    /// Returns a row about the configuration as the gate reads it.
    fn config(&self, row: impl Fn(&Document, &Config) -> Verdict) -> Verdict {
        match (&self.document, &self.config) {
            (Ok(document), Ok(config)) => row(document, config),
            _ => unread(),
        }
    }

    fn remote(&self) -> &Remote {
        self.remote.get_or_init(|| Remote::ask(self.project))
    }

    fn scanner(&self, row: impl Fn(&leaks::Scanner) -> Verdict) -> Verdict {
        let scanner = self.scanner.get_or_init(|| {
            leaks::scanner(&self.project.root, &self.local, self.config.as_ref().ok())
        });
        match scanner {
            Ok(scanner) => row(scanner),
            Err(why) => leaks::unusable(why),
        }
    }
}

fn unread() -> Verdict {
    Verdict::warn(
        "not checked, because the gate cannot read this configuration",
        "fix what the check `configuration` names",
    )
}
