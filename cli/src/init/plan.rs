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
    /// Set if an option named it, or a person chose it among several.
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
        let is_known = !matches!(preset.upstream, Address::Asked(_));
        let upstream = upstream(options, preset, accounts)?;
        let route = options.route.clone().unwrap_or_else(|| preset.path.to_owned());
        let ask = Question::new;
        let auth = "How it takes its token: bearer, basic, header:NAME or cloudflare-global-key";
        let probe = "A path below it whose GET shows if the token works, such as /me (empty: none)";
        let domain = "A host name of one of your zones for it, such as gate.example.com (empty: workers.dev, where nothing is cached)";
        let origins = match preset.origins {
            true => "The origins of the pages that may use it, such as https://www.example.com",
            false => "The origins of the pages that may use it (empty: any, and servers)",
        };
        let default_methods = preset.methods.join(" ");
        let dates =
            Dates { issued: given(&options.issued_at), expires: given(&options.expires_at) };
        dates.check()?;
        Ok(Self {
            auth: ask("--auth", auth, Some("bearer"))
                .unless(is_known)
                .one(options.auth.as_ref(), validate::auth_of_new)?,
            probe: ask("--probe", probe, preset.probe)
                .unless(is_known)
                .maybe(options.probe.as_ref(), validate::probe)?,
            name: ask("--name", "The Worker's name", Some(worker))
                .one(options.name.as_ref(), validate::worker)?,
            // Only what is cached needs one.
            domain: ask("--domain", domain, None)
                .unless(!preset.cached)
                .maybe(options.domain.as_ref(), validate::domain)?,
            key_name: ask("--key-name", "Who gets the first key", Some(preset.key_name))
                .one(options.key_name.as_ref(), validate::text)?,
            methods: ask(
                "--method",
                "The methods that it may use, such as POST",
                some(&default_methods),
            )
            .many(&options.methods, validate::method)?,
            paths: paths(options, preset, &route)?,
            origins: ask("--origin", origins, (!preset.origins).then_some(""))
                .many(&options.origins, validate::origin)?,
            ips: options.ips.clone(),
            schemes: options.schemes.clone(),
            limiters: limiters(options, preset),
            site_key: site_key(options, preset)?,
            account: accounts.written()?,
            dates,
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

/// Returns an answer that is not empty.
fn given(answer: &Option<String>) -> Option<String> {
    answer.clone().filter(|answer| !answer.is_empty())
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// Refuses flags that are wrong together, before npm has installed anything and before anybody is asked.
pub(super) fn check(options: &Options) -> Result<()> {
    let preset = options.preset.as_deref().and_then(|name| preset::named(name).ok());
    let route = options.route.as_deref().or(preset.map(|preset| preset.path));
    for path in &options.paths {
        validate::path(path, route.unwrap_or(preset::OTHER.path))
            .map_err(|hint| Error::usage(format!("--path: {hint}")))?;
    }
    match missing(options, preset) {
        missing if missing.is_empty() || input::is_terminal() => Ok(()),
        missing => Err(Error::usage(format!(
            "the command cannot ask without a terminal: add {}",
            missing.join(" ")
        ))),
    }
}

/// Returns the flags that are required without a terminal, each with an example.
fn missing(options: &Options, preset: Option<&Preset>) -> Vec<&'static str> {
    let is_so = |of: fn(&Preset) -> bool| preset.is_some_and(of);
    let has_upstream = |preset: &Preset| !matches!(preset.upstream, Address::Asked(_));
    let needed = [
        ("--upstream https://api.example.com", options.upstream.is_none() && !is_so(has_upstream)),
        ("--method POST", options.methods.is_empty() && !is_so(|one| !one.methods.is_empty())),
        ("--path /posts", options.paths.is_empty() && !is_so(|one| !one.paths.is_empty())),
        (
            "--origin https://www.example.com",
            options.origins.is_empty() && is_so(|one| one.origins),
        ),
        ("--site-key TURNSTILE_SITE_KEY", options.site_key.is_none() && is_so(|one| one.mint)),
    ];
    needed.into_iter().filter(|(_, is_missing)| *is_missing).map(|(flag, _)| flag).collect()
}

fn preset(options: &Options) -> Result<&'static Preset> {
    let quiet = options.upstream.is_some();
    if options.preset.is_none() && !quiet && input::is_terminal() {
        eprint!("Which API is it?\n{}", preset::descriptions());
    }
    let prompt = format!("Which API: {}", preset::names());
    let question = Question::new("--preset", &prompt, Some("other")).unless(quiet);
    let name = question.one(options.preset.as_ref(), preset::name)?;
    Ok(preset::named(&name).unwrap_or(&preset::OTHER))
}

fn upstream(options: &Options, preset: &Preset, accounts: &Accounts<'_>) -> Result<String> {
    let given = options.upstream.as_ref();
    match preset.upstream {
        Address::Asked(example) => {
            let prompt = format!("The API's address, such as {example}");
            Question::new("--upstream", &prompt, None).one(given, validate::upstream)
        }
        Address::Fixed(address) => Ok(given.map_or(address, String::as_str).to_owned()),
        Address::OfAccount(pattern) => match given {
            Some(given) => Ok(given.clone()),
            None => Ok(pattern.replace("{account}", &accounts.id()?)),
        },
    }
}

/// Returns the limiters: the rate that was asked for replaces the preset's own.
fn limiters(options: &Options, preset: &Preset) -> Vec<Limiter> {
    let mut limiters: Vec<Limiter> = preset.limiter.into_iter().collect();
    if let Some((limit, period)) = options.rate {
        limiters.retain(|limiter| limiter.name != preset::STANDARD.name);
        limiters.push(Limiter { limit, period, ..preset::STANDARD });
    }
    limiters
}

fn paths(options: &Options, preset: &Preset, route: &str) -> Result<Vec<String>> {
    // Those of the preset lie on its own route.
    let known = if route == preset.path { preset.paths.join(" ") } else { String::new() };
    let prompt = match route.strip_suffix("/*") {
        Some("") | None => "The paths that it may use, such as /posts /posts/*".to_owned(),
        Some(base) => format!("The paths that it may use at the gate, such as {base}/x {base}/x/*"),
    };
    Question::new("--path", &prompt, some(&known))
        .many(&options.paths, |path| validate::path(path, route))
}

/// Returns the site key of the widget, which is public: it goes into the page, beside the key's id.
fn site_key(options: &Options, preset: &Preset) -> Result<Option<String>> {
    let prompt =
        "Turnstile's site key for these pages (dash.cloudflare.com, Turnstile, Add widget)";
    match (preset.mint, &options.site_key) {
        (false, Some(_)) => Err(Error::usage("--site-key goes with --preset form")),
        (false, None) => Ok(None),
        (true, given) => Question::new("--site-key", prompt, None)
            .one(given.as_ref(), validate::site_key)
            .map(Some),
    }
}
