//! `writegate init`: from nothing to a gate with its secrets in place.
//!
//! Everything is asked and checked before anything is written; both files are written before anything is
//! sent; the secrets are set before the gate is deployed. A failure in between says what is done and
//! how to continue.

mod account;
mod cloud;
mod files;
mod finish;
mod online;
mod package;
mod plan;
mod preset;
mod prompt;
mod proof;
mod report;
mod secret_source;
mod secrets;
mod template;
pub(crate) mod validate;

use std::env;
use std::path::{Path, PathBuf};

use clap::Args;
use writegate::Secret;
use writegate::config::Config;

use crate::error::{Context as _, Error, Result};
use crate::invocation;
use crate::progress::Progress;
use crate::project::{Project, ProjectOptions, USUAL as CONFIGURATION};
use crate::token::{self, Tried};
use crate::{edit, input, interrupt, list, random};

use account::Accounts;
use cloud::Cloud;
use finish::finish;
use plan::Plan;
use proof::Secrets;
use secrets::{ROOT, TOKEN};
pub(crate) use template::SHIPPED;
use template::{Base, Ids, Source};

/// On a terminal it asks for what no option says; elsewhere the write token comes through standard input.
#[derive(Args)]
pub(crate) struct Options {
    /// A new folder for the gate, with everything from npm; without it, the gate is set up here
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Its purpose: cms, form, images, workers-ai, cloudflare-api or other (see docs/recipes)
    #[arg(long, value_name = "NAME", value_parser = preset::name)]
    preset: Option<String>,
    /// The API's address
    #[arg(long, value_name = "URL", value_parser = validate::upstream)]
    upstream: Option<String>,
    /// The scheme of the API's token: bearer, basic, header:NAME or cloudflare-global-key [default: bearer]
    #[arg(long, value_name = "SCHEME", value_parser = validate::auth_of_new)]
    auth: Option<String>,
    /// A path below the API whose GET shows if the token works
    #[arg(long, value_name = "PATH", value_parser = validate::maybe(validate::probe))]
    probe: Option<String>,
    /// The paths at the gate that go to the API [default: /*, or the preset's]
    #[arg(long, value_name = "PATH", value_parser = validate::route)]
    route: Option<String>,
    /// The Worker's name [default: writegate]
    #[arg(long, value_name = "WORKER", value_parser = validate::worker)]
    name: Option<String>,
    /// The Cloudflare account's id [default: the login's only one]
    #[arg(long, value_name = "ID", value_parser = validate::account)]
    account: Option<String>,
    /// A host name of one of your zones for the gate [default: workers.dev]
    #[arg(long, value_name = "HOST", value_parser = validate::maybe(validate::domain))]
    domain: Option<String>,
    /// Who gets the first key
    #[arg(long, value_name = "TEXT", value_parser = validate::text)]
    key_name: Option<String>,
    /// A method that the first key may use; may be repeated, or several with commas
    #[arg(long = "method", value_name = "METHOD", value_delimiter = ',', value_parser = validate::method)]
    methods: Vec<String>,
    /// A path at the gate that it may use; with a final /*, everything below it; may be repeated
    #[arg(long = "path", value_name = "PATH", value_parser = list::one_path)]
    paths: Vec<String>,
    /// An origin whose pages may use it; may be repeated, or several with commas [default: any]
    #[arg(long = "origin", value_name = "ORIGIN", value_delimiter = ',', value_parser = validate::origin)]
    origins: Vec<String>,
    /// An address or network that may use it; may be repeated, or several with commas [default: any]
    #[arg(long = "ip", value_name = "NETWORK", value_delimiter = ',', value_parser = validate::network)]
    ips: Vec<String>,
    /// A kind of credential that the first key accepts: session, signature, url, waf-url or public-key; may
    /// be repeated, or several with commas [default: session, or the preset's]
    #[arg(long = "scheme", alias = "schemes", value_name = "SCHEME", value_delimiter = ',', value_parser = validate::scheme)]
    schemes: Vec<String>,
    /// The first key's rate limit, such as 100/60: the number of requests in 10 or 60 seconds, in each data centre
    #[arg(long, value_name = "LIMIT/SECONDS", value_parser = validate::rate)]
    rate: Option<(u32, u32)>,
    /// Turnstile's site key of the pages, for the preset form. Its secret key comes from TURNSTILE_SECRET in the
    /// environment, a question, or a second line of standard input
    #[arg(long, value_name = "KEY", value_parser = validate::site_key)]
    site_key: Option<String>,
    /// When the write token was issued [default: today]
    #[arg(long, value_name = "DATE", value_parser = validate::maybe(validate::date))]
    issued_at: Option<String>,
    /// When the write token ends [default: never]
    #[arg(long, value_name = "DATE", value_parser = validate::maybe(validate::date))]
    expires_at: Option<String>,
    /// Do not try the write token at the API before anything is written
    #[arg(long)]
    skip_probe: bool,
    /// Write the files and do nothing at Cloudflare
    #[arg(long, conflicts_with_all = ["deploy", "secrets_only"])]
    local: bool,
    /// Deploy the gate when its secrets are set
    #[arg(long)]
    deploy: bool,
    /// Only set the secrets of .dev.vars (or the environment) at Cloudflare, to finish an interrupted run
    #[arg(long, conflicts_with_all = [
        "preset", "upstream", "auth", "probe", "route", "name", "account", "domain", "key_name", "methods", "paths", "origins",
        "ips", "schemes", "rate", "site_key", "issued_at", "expires_at", "skip_probe",
    ])]
    secrets_only: bool,
    /// Replace existing files, and a root secret at Cloudflare. Keeps SIGNING_SECRET of .dev.vars
    #[arg(long)]
    force: bool,
    /// Print what was made as one JSON object, without the key's secret
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    project: ProjectOptions,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    interrupt::so_far("nothing is written");
    let progress = Progress::new();
    let project = find(options, &progress)?;
    match options.secrets_only {
        true => finish(options, &project, &progress),
        false => begin(options, &project, &progress),
    }
}

/// Finds the folder of the gate, and makes it if it is a new one.
fn find(options: &Options, progress: &Progress) -> Result<Project> {
    let here = env::current_dir().context("finding the current directory")?;
    let root = match &options.folder {
        Some(folder) => here.join(folder),
        None if package::is_installed(&here) => here,
        None => {
            let project = options.project.find().map_err(|error| {
                let prefix = invocation::prefix();
                Error::usage(format!("{}; for a new gate: {prefix} init my-gate", error.message))
            })?;
            check(options, &project)?;
            return Ok(project);
        }
    };
    // Before anything is installed there.
    let project = Project::at(&root, options.project.environment())?;
    check(options, &project)?;
    project.check_new()?;
    interrupt::so_far(format!("{} is not finished: run this again", root.display()));
    package::prepare(&root, progress)?;
    interrupt::so_far(format!(
        "{} has its npm packages, but no gate yet: run this again",
        root.display()
    ));
    Ok(project)
}

/// Refuses options and folders that cannot work, before anything is written or asked.
fn check(options: &Options, project: &Project) -> Result<()> {
    if project.name() != CONFIGURATION {
        return Err(Error::usage(format!(
            "init writes {CONFIGURATION}, but wrangler would read {} instead: move that file away",
            project.name()
        )));
    }
    if options.secrets_only {
        return Ok(());
    }
    if !options.force {
        files::refuse_loss(project)?;
    }
    plan::check(options)
}

/// Returns the source that the gate in this folder gets its Worker from.
fn source(root: &Path) -> Source {
    if package::is_installed(root) {
        return Source::Npm;
    }
    // A checkout has the file, too, once it was built.
    let is_built = root.join("build/index.js").is_file();
    if is_built && !root.join("src").is_dir() { Source::Release } else { Source::Checkout }
}

/// Makes a new gate.
fn begin(options: &Options, project: &Project, progress: &Progress) -> Result<()> {
    let environment = project.environment.as_deref();
    let base = environment.map(|name| base(project, name)).transpose()?;
    files::refuse_exposure(project)?;
    let (root, kept) = match secret_source::find(project, ROOT)? {
        Some((root, origin)) => (root, Some(origin)),
        None => (Secret::new(random::text(48)?), None),
    };
    secrets::check_root(&root)?;

    let cloud = match options.local {
        true => None,
        false => Some(Cloud::find(project, progress)?),
    };
    let above = base.as_deref().map(|base| proof::parse(base, None)).transpose()?;
    let above = above.unwrap_or_default();
    let accounts = Accounts::new(options, above["account_id"].as_str(), cloud.as_ref());
    if input::is_terminal() {
        // Now, so that nobody answers every question in vain.
        accounts.written()?;
    }
    let worker = environment.and_then(|name| Some(format!("{}-{name}", above["name"].as_str()?)));
    let plan = Plan::ask(options, &accounts, worker.as_deref().unwrap_or("writegate"))?;
    let mut warnings = plan.doubled_paths();
    report::warn(&warnings);
    let ids = Ids {
        first: random::key_id()?,
        admin: random::key_id()?,
        probe: random::key_id()?,
        limiter: random::limiter_id()?,
    };
    let base = base.as_deref().zip(environment);
    let base = base.map(|(text, environment)| Base { text, environment });
    let configuration = template::render(&plan, &ids, source(&project.root), base.as_ref());
    let mut known = Secrets::from([(ROOT.to_owned(), root.clone())]);
    proof::read(&configuration, environment, &known)?;
    if let Some(cloud) = &cloud
        && !options.force
        && cloud.has_root(&plan.name, accounts.named()?.as_deref())?
    {
        return Err(Error::usage(format!(
            "--name: a Worker {} is at Cloudflare already, with a SIGNING_SECRET that its keys depend on: choose another name (--force replaces it)",
            plan.name
        )));
    }

    let given = secrets::ask(project, &plan.dates, plan.site_key.as_deref())?;
    known.extend(given.iter().map(|(name, secret)| ((*name).to_owned(), secret.clone())));
    let config = proof::read(&configuration, environment, &known)?;
    if cloud.is_some() {
        warnings.extend(online::warn_unreachable(&config));
    }
    let tried = if options.skip_probe { None } else { try_token(&config)? };
    let list: Vec<(&str, &Secret)> = std::iter::once((ROOT, &root))
        .chain(given.iter().map(|(name, secret)| (*name, secret)))
        .collect();
    let file = project.dev_vars_with(secrets::HEAD, &list)?;
    // The workflows are those of the top level.
    let is_npm = source(&project.root) == Source::Npm && environment.is_none();
    if is_npm {
        // Before the secrets, so that nothing of a gate is there without the rest.
        package::finish(&project.root, &plan.name)?;
    }
    files::write(project, &configuration, file.expose())?;
    interrupt::so_far(online::so_far(project, &[]));
    report::written(project, kept);
    match tried {
        Some(Tried::Works) => eprintln!("writegate: the API accepts the write token"),
        Some(Tried::Unknown(why)) => {
            let warning = format!("it is not known if the API accepts the write token: {why}");
            report::warn([&warning]);
            warnings.push(warning);
        }
        Some(Tried::Refused(_)) | None => {}
    }

    let whole = proof::parse(&configuration, environment)?;
    let publishing = is_npm.then(|| package::publishing(&whole));
    // Its configuration is there now.
    let project = &Project::at(&project.root, environment)?;
    let mut end = report::End {
        project,
        whole: &whole,
        root: &root,
        publishing,
        json: options.json,
        put: Vec::new(),
        warnings,
    };
    match &cloud {
        None => end.report(report::Online::No),
        Some(cloud) => {
            end.put = online::set(cloud, project, &list, &[])?;
            online::deploy(options, cloud, &end)
        }
    }
}

/// Returns the configuration that gets an environment of this name, without what `--force` replaces.
fn base(project: &Project, name: &str) -> Result<String> {
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Err(Error::usage("--env: a new environment's name is letters, digits, - and _"));
    }
    let text = project.text(CONFIGURATION)?.filter(|text| text != SHIPPED);
    let text = text.ok_or_else(|| {
        Error::usage(format!(
            "--env: an environment is added to a gate, and there is none yet: begin with `{} init`",
            invocation::prefix()
        ))
    })?;
    edit::without_environment(&text, name)
}

/// Refuses a token that the API does not accept.
fn try_token(config: &Config) -> Result<Option<Tried>> {
    match token::try_once(config, TOKEN) {
        Some(Tried::Refused(why)) => Err(Error::usage(format!(
            "the API does not accept the write token ({why}), so nothing is written: pass another \
             token, --auth or --probe, or --skip-probe to continue with it"
        ))),
        tried => Ok(tried),
    }
}
