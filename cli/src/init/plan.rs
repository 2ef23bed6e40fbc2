//! The plan of a new gate: all the answers but the token.

use writegate::Upstream;
use writegate::policy::path::Pattern;

use crate::error::{Error, Result};
use crate::input;

use super::account::Accounts;
use super::preset::{self, Address, Limiter, Preset};
use super::prompt::Question;
use super::secrets::Dates;
use super::{Options, validate};

pub(super) struct Plan {
    pub(super) preset: &'static Preset,
    pub(super) name: String,
    /// Where one was named, or chosen among several.
    pub(super) account: Option<String>,
    pub(super) domain: Option<String>,
    pub(super) upstream: String,
    /// The paths at the gate that go to the API.
    pub(super) route: String,
    /// The value of `upstream_auth` in TOML.
    pub(super) auth: String,
    pub(super) probe: Option<String>,
    pub(super) key_name: String,
    pub(super) methods: Vec<String>,
    pub(super) paths: Vec<String>,
    pub(super) origins: Vec<String>,
    pub(super) ips: Vec<String>,
    /// Empty: the preset's, or the gate's default.
    pub(super) schemes: Vec<String>,
    /// The limits of the first key's requests, and of those for sessions of it.
    pub(super) limiters: Vec<Limiter>,
    /// Turnstile's site key, where the first key mints.
    pub(super) site_key: Option<String>,
    pub(super) dates: Dates,
}

impl Plan {
    /// Asks a person, in this order.
    pub(super) fn ask(options: &Options, accounts: &Accounts<'_>, worker: &str) -> Result<Self> {
        let preset = preset(options)?;
        let known = !matches!(preset.upstream, Address::Asked(_));
        let upstream = upstream(options, preset, accounts)?;
        let route = route(options, preset)?;
        Ok(Self {
            auth: auth(options, known)?,
            probe: probe(options, preset, known)?,
            name: name(options, worker)?,
            domain: domain(options, preset)?,
            key_name: key_name(options, preset)?,
            methods: methods(options, preset)?,
            paths: paths(options, preset, &route)?,
            origins: origins(options, preset)?,
            ips: ips(options)?,
            schemes: schemes(options)?,
            limiters: limiters(options, preset)?,
            site_key: site_key(options, preset)?,
            dates: dates(options)?,
            account: accounts.written()?,
            upstream,
            route,
            preset,
        })
    }

    /// Returns the path of a request for the API's `/…` at the gate.
    pub(super) fn at_the_gate(&self, path: &str) -> Option<String> {
        let route = Pattern::parse(&self.route)?;
        Some(format!("{}{}", route.stem(), path.strip_prefix('/')?))
    }

    /// Names the paths that the address has already: `/api/posts` at the gate would be `…/api/api/posts` at the API.
    pub(super) fn doubled_paths(&self) -> Vec<String> {
        let Ok(upstream) = Upstream::parse(&self.upstream) else {
            return Vec::new();
        };
        let last = upstream.base().rsplit('/').next().unwrap_or_default();
        let Some(doubled) = self.at_the_gate(&format!("/{last}/")).filter(|_| !last.is_empty())
        else {
            return Vec::new();
        };
        let probe = self.probe.as_deref().and_then(|probe| self.at_the_gate(probe));
        let paths = self.paths.iter().chain(&probe).filter(|path| path.starts_with(&doubled));
        let warning = |path: &String| {
            format!(
                "{path} is …/{last}/{last}/… at the API, because its address ends with /{last} already; leave it out of one of the two"
            )
        };
        paths.map(warning).collect()
    }
}

/// Refuses a flag that is wrong whatever else is answered, before npm has installed anything and before anybody is asked.
pub(super) fn check(options: &Options) -> Result<()> {
    let wrong = |flag: &str, hint: String| Error::usage(format!("{flag}: {hint}"));
    let preset = match options.preset.as_deref() {
        Some(name) => Some(preset::named(name).map_err(|hint| wrong("--preset", hint))?),
        None => None,
    };
    let route = options.route.as_deref().or(preset.map(|preset| preset.path));
    let path = |path: &str| validate::path(path, route.unwrap_or(preset::OTHER.path));
    type Rule<'r> = (&'r str, &'r [String], &'r dyn Fn(&str) -> validate::Checked);
    let lists: [Rule<'_>; 5] = [
        ("--method", &options.methods, &validate::method),
        ("--path", &options.paths, &path),
        ("--origin", &options.origins, &validate::origin),
        ("--ip", &options.ips, &validate::network),
        ("--scheme", &options.schemes, &validate::scheme),
    ];
    type One<'r> = (&'r str, &'r Option<String>, &'r dyn Fn(&str) -> validate::Checked);
    let rate = |text: &str| validate::rate(text).map(|_| text.to_owned());
    let texts: [One<'_>; 12] = [
        ("--upstream", &options.upstream, &validate::upstream),
        ("--auth", &options.auth, &validate::auth_of_new),
        ("--probe", &options.probe, &validate::probe),
        ("--route", &options.route, &validate::route),
        ("--name", &options.name, &validate::worker),
        ("--account", &options.account, &validate::account),
        ("--domain", &options.domain, &validate::domain),
        ("--key-name", &options.key_name, &validate::text),
        ("--rate", &options.rate, &rate),
        ("--site-key", &options.site_key, &validate::site_key),
        ("--issued-at", &options.issued_at, &validate::date),
        ("--expires-at", &options.expires_at, &validate::date),
    ];
    // An empty text answers some questions.
    let given = texts.iter().filter_map(|(flag, given, check)| {
        Some((*flag, given.as_deref().filter(|text| !text.is_empty())?, *check))
    });
    let many = lists
        .iter()
        .flat_map(|(flag, given, check)| given.iter().map(|text| (*flag, text.as_str(), *check)));
    for (flag, text, check) in given.chain(many) {
        check(text).map_err(|hint| wrong(flag, hint))?;
    }
    if input::is_terminal()
        || preset.is_some_and(|preset| !matches!(preset.upstream, Address::Asked(_)))
    {
        return Ok(());
    }
    // Nobody can be asked.
    for (flag, is_given) in [
        ("--upstream", options.upstream.is_some()),
        (
            "--method",
            !options.methods.is_empty() || preset.is_some_and(|preset| !preset.methods.is_empty()),
        ),
        (
            "--path",
            !options.paths.is_empty() || preset.is_some_and(|preset| !preset.paths.is_empty()),
        ),
    ] {
        if !is_given {
            return Err(Error::usage(format!("{flag} is missing, and nobody can be asked here")));
        }
    }
    Ok(())
}

fn preset(options: &Options) -> Result<&'static Preset> {
    let quiet = options.upstream.is_some();
    if options.preset.is_none() && !quiet && input::is_terminal() {
        eprint!("Which API is it?\n{}", preset::descriptions());
    }
    let prompt = format!("Which API: {}", preset::names());
    let question = Question { flag: "--preset", prompt: &prompt, default: Some("other"), quiet };
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
    question.one(options.auth.as_deref(), validate::auth_of_new)
}

fn probe(options: &Options, preset: &Preset, known: bool) -> Result<Option<String>> {
    let question = Question {
        flag: "--probe",
        prompt: "A path below it whose GET shows if the token works, such as /me (empty: none)",
        default: Some(preset.probe.unwrap_or_default()),
        quiet: known,
    };
    question.maybe(options.probe.as_deref(), validate::probe)
}

fn name(options: &Options, default: &str) -> Result<String> {
    let question = Question {
        flag: "--name",
        prompt: "The Worker's name",
        default: Some(default),
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
        quiet: !preset.cached,
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

fn route(options: &Options, preset: &Preset) -> Result<String> {
    let question = Question {
        flag: "--route",
        prompt: "The paths at the gate that go to it",
        default: Some(preset.path),
        quiet: true,
    };
    question.one(options.route.as_deref(), validate::route)
}

fn schemes(options: &Options) -> Result<Vec<String>> {
    let question =
        Question { flag: "--scheme", prompt: "Its credentials", default: Some(""), quiet: true };
    question.many(&options.schemes, validate::scheme)
}

/// Returns the limiters: the rate that was asked for replaces the preset's own.
fn limiters(options: &Options, preset: &Preset) -> Result<Vec<Limiter>> {
    let mut limiters: Vec<Limiter> = preset.limiter.into_iter().collect();
    if let Some(rate) = &options.rate {
        let (limit, period) =
            validate::rate(rate).map_err(|hint| Error::usage(format!("--rate: {hint}")))?;
        limiters.retain(|limiter| limiter.name != preset::STANDARD.name);
        limiters.push(Limiter { limit, period, ..preset::STANDARD });
    }
    Ok(limiters)
}

fn paths(options: &Options, preset: &Preset, route: &str) -> Result<Vec<String>> {
    // Those of the preset lie on its own route.
    let known = if route == preset.path { preset.paths } else { &[] };
    let default = known.join(" ");
    let prompt = match route.strip_suffix("/*") {
        Some("") | None => "The paths that it may use, such as /posts /posts/*".to_owned(),
        Some(base) => format!("The paths that it may use at the gate, such as {base}/x {base}/x/*"),
    };
    let question = Question {
        flag: "--path",
        prompt: &prompt,
        default: Some(default.as_str()).filter(|default| !default.is_empty()),
        quiet: false,
    };
    question.many(&options.paths, |path| validate::path(path, route))
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

/// Returns the site key of the widget, which is public: it goes into the page, beside the key's id.
fn site_key(options: &Options, preset: &Preset) -> Result<Option<String>> {
    let given = options.site_key.as_deref();
    if !preset.mint {
        return match given {
            Some(_) => Err(Error::usage("--site-key goes with --preset form")),
            None => Ok(None),
        };
    }
    let question = Question {
        flag: "--site-key",
        prompt: "Turnstile's site key for these pages (dash.cloudflare.com, Turnstile, Add widget)",
        default: None,
        quiet: false,
    };
    question.one(given, validate::site_key).map(Some)
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
