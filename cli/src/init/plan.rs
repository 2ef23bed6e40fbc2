//! The plan of a new gate: all the answers but the token.

use crate::error::Result;

use super::Options;
use super::account::Accounts;
use super::preset::{self, Address, Preset};
use super::prompt::Question;
use super::secrets::Dates;
use super::validate;

pub(super) struct Plan {
    pub(super) preset: &'static Preset,
    pub(super) name: String,
    /// Where one was named, or chosen among several.
    pub(super) account: Option<String>,
    pub(super) domain: Option<String>,
    pub(super) upstream: String,
    /// As `upstream_auth` stands in TOML.
    pub(super) auth: String,
    pub(super) probe: Option<String>,
    pub(super) key_name: String,
    pub(super) methods: Vec<String>,
    pub(super) paths: Vec<String>,
    pub(super) origins: Vec<String>,
    pub(super) ips: Vec<String>,
    pub(super) dates: Dates,
}

impl Plan {
    /// In the order in which a person is asked.
    pub(super) fn ask(options: &Options, accounts: &Accounts<'_>) -> Result<Self> {
        let preset = preset(options)?;
        let known = !matches!(preset.upstream, Address::Asked(_));
        Ok(Self {
            upstream: upstream(options, preset, accounts)?,
            auth: auth(options, known)?,
            probe: probe(options, preset, known)?,
            name: name(options)?,
            domain: domain(options, preset)?,
            key_name: key_name(options, preset)?,
            methods: methods(options, preset)?,
            paths: paths(options, preset)?,
            origins: origins(options, preset)?,
            ips: ips(options)?,
            dates: dates(options)?,
            account: accounts.written()?,
            preset,
        })
    }
}

fn preset(options: &Options) -> Result<&'static Preset> {
    let question = Question {
        flag: "--preset",
        prompt: "Which API: cms, workers-ai, cloudflare-api, images or other",
        default: Some("other"),
        quiet: options.upstream.is_some(),
    };
    let known = |name: &str| preset::named(name).map(|preset| preset.name.to_owned());
    let name = question.one(options.preset.as_deref(), known)?;
    Ok(preset::named(&name).unwrap_or(&preset::OTHER))
}

fn upstream(options: &Options, preset: &Preset, accounts: &Accounts<'_>) -> Result<String> {
    let prompt;
    let default = match preset.upstream {
        Address::Asked(example) => {
            prompt = format!("The API's address, such as {example}");
            None
        }
        Address::Fixed(address) => {
            prompt = String::new();
            Some(address.to_owned())
        }
        Address::OfAccount(pattern) => {
            prompt = String::new();
            match options.upstream {
                Some(_) => None,
                None => Some(pattern.replace("{account}", &accounts.id()?)),
            }
        }
    };
    let question = Question {
        flag: "--upstream",
        prompt: &prompt,
        default: default.as_deref(),
        quiet: default.is_some(),
    };
    question.one(options.upstream.as_deref(), validate::upstream)
}

fn auth(options: &Options, known: bool) -> Result<String> {
    let question = Question {
        flag: "--auth",
        prompt: "How it takes its token: bearer, basic, header:NAME or cloudflare-global-key",
        default: Some("bearer"),
        quiet: known,
    };
    question.one(options.auth.as_deref(), validate::auth)
}

fn probe(options: &Options, preset: &Preset, known: bool) -> Result<Option<String>> {
    let question = Question {
        flag: "--probe",
        prompt: "A path below it whose GET tells whether the token works, such as /me (empty: none)",
        default: Some(preset.probe.unwrap_or_default()),
        quiet: known,
    };
    question.maybe(options.probe.as_deref(), validate::probe)
}

fn name(options: &Options) -> Result<String> {
    let question = Question {
        flag: "--name",
        prompt: "The Worker's name",
        default: Some("writegate"),
        quiet: false,
    };
    question.one(options.name.as_deref(), validate::worker)
}

fn domain(options: &Options, preset: &Preset) -> Result<Option<String>> {
    let question = Question {
        flag: "--domain",
        prompt: "A host name of one of your zones for it, such as gate.example.com (empty: workers.dev, where nothing is cached)",
        default: Some(""),
        // Only what is cached needs one.
        quiet: !preset.limiter,
    };
    question.maybe(options.domain.as_deref(), validate::domain)
}

fn key_name(options: &Options, preset: &Preset) -> Result<String> {
    let question = Question {
        flag: "--key-name",
        prompt: "Who gets the first key",
        default: Some(preset.key_name),
        quiet: false,
    };
    question.one(options.key_name.as_deref(), validate::text)
}

fn methods(options: &Options, preset: &Preset) -> Result<Vec<String>> {
    let default = preset.methods.join(" ");
    let question = Question {
        flag: "--method",
        prompt: "The methods that it may use, such as POST",
        default: Some(default.as_str()).filter(|default| !default.is_empty()),
        quiet: false,
    };
    question.many(&options.methods, validate::method)
}

fn paths(options: &Options, preset: &Preset) -> Result<Vec<String>> {
    let default = preset.paths.join(" ");
    let prompt = match preset.path.strip_suffix("/*") {
        Some("") | None => "The paths that it may use, such as /posts /posts/*".to_owned(),
        Some(base) => format!("The paths that it may use at the gate, such as {base}/x {base}/x/*"),
    };
    let question = Question {
        flag: "--path",
        prompt: &prompt,
        default: Some(default.as_str()).filter(|default| !default.is_empty()),
        quiet: false,
    };
    question.many(&options.paths, |path| validate::path(path, preset))
}

fn origins(options: &Options, preset: &Preset) -> Result<Vec<String>> {
    let question = Question {
        flag: "--origin",
        prompt: match preset.origins {
            true => "The origins of the pages that may use it, such as https://www.example.com",
            false => "The origins of the pages that may use it (empty: any, and servers)",
        },
        default: (!preset.origins).then_some(""),
        quiet: false,
    };
    question.many(&options.origins, validate::origin)
}

fn ips(options: &Options) -> Result<Vec<String>> {
    let question = Question {
        flag: "--ip",
        prompt: "The addresses that may use it",
        default: Some(""),
        quiet: true,
    };
    question.many(&options.ips, validate::network)
}

fn dates(options: &Options) -> Result<Dates> {
    let date = |flag, given: &Option<String>| {
        let question = Question { flag, prompt: "A date", default: Some(""), quiet: true };
        question.maybe(given.as_deref(), validate::date)
    };
    let dates = Dates {
        issued: date("--issued-at", &options.issued_at)?,
        expires: date("--expires-at", &options.expires_at)?,
    };
    dates.check()?;
    Ok(dates)
}
