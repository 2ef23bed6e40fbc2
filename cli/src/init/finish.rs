//! `writegate init --secrets-only`: finishes a run that was interrupted.

use writegate::TokenSource;

use crate::error::{Error, Result};
use crate::invocation;
use crate::progress::Progress;
use crate::project::{Project, USUAL as CONFIGURATION};

use super::cloud::Cloud;
use super::online::{self, deploy, set};
use super::proof::{self, Secrets};
use super::secret_source::{self, SecretSource};
use super::secrets::{ROOT, TURNSTILE};
use super::template::is_shipped;
use super::{Options, report};

/// Sets the secrets that the files and the environment have, and deploys.
pub(super) fn finish(options: &Options, project: &Project, progress: &Progress) -> Result<()> {
    let wanted = |what: &str| {
        Error::usage(format!("--secrets-only: {what}; begin with `{} init`", invocation::prefix()))
    };
    let text = project
        .text(CONFIGURATION)?
        .filter(|text| !is_shipped(text))
        .ok_or_else(|| wanted("wrangler.toml is still the shipped one"))?;
    let environment = project.environment.as_deref();
    project.document()?;
    let whole = proof::parse(&text, environment)?;
    let secrets = project.dev_vars();
    let name = whole["name"].as_str().ok_or_else(|| wanted("wrangler.toml names no Worker"))?;
    let (root, from) = secret_source::find(project, ROOT)?
        .ok_or_else(|| wanted(&format!("{ROOT} is neither in the environment nor in {secrets}")))?;
    let mut exported: Vec<String> = Vec::new();
    if from == SecretSource::Environment {
        exported.push(ROOT.to_owned());
    }
    let mut known = Secrets::from([(ROOT.to_owned(), root.clone())]);
    let config = proof::read(&text, environment, &known)?;
    // A token of a Secrets Store is no secret of the Worker.
    let is_own = |source: &TokenSource| !matches!(source, TokenSource::Stored { .. });
    let tokens = config.tokens.iter().filter(|(_, source)| is_own(source));
    let mut names: Vec<String> = tokens.map(|(name, _)| name.clone()).collect();
    if config.keys.values().any(|known| known.key().mint.is_some()) {
        names.push(TURNSTILE.to_owned());
    }
    for secret in names {
        let put = if secret == TURNSTILE {
            "npx wrangler secret put".to_owned()
        } else {
            format!("{} token put --secret", invocation::prefix())
        };
        let Some((token, from)) = secret_source::find(project, &secret)? else {
            return Err(Error::usage(format!(
                "--secrets-only: {secret} is neither in the environment nor in {secrets}; set it with `{put} {secret}{}`",
                project.env_option()
            )));
        };
        if from == SecretSource::Environment {
            exported.push(secret.clone());
        }
        known.insert(secret, token);
    }
    proof::read(&text, environment, &known)?;
    let mut warnings = Vec::from_iter(report::exported(&exported, &secrets));
    report::warn(&warnings);
    warnings.extend(online::warn_unreachable(&config));

    let cloud = Cloud::find(project, progress)?;
    let account = whole["account_id"].as_str();
    let there = !options.force && cloud.has_root(name, account)?;
    if there {
        let warning = format!("{ROOT} is set there already and stays; --force replaces it");
        report::warn([&warning]);
        warnings.push(warning);
        known.remove(ROOT);
    }
    let mut list: Vec<_> = known.iter().map(|(name, secret)| (name.as_str(), secret)).collect();
    // The root secret first, because nothing works without it.
    list.sort_by_key(|(name, _)| *name != ROOT);
    let done: &[&str] = if there { &[ROOT] } else { &[] };
    let put = set(&cloud, project, &list, done)?;
    let end = report::End {
        project,
        whole: &whole,
        root: &root,
        publishing: None,
        json: options.json,
        put,
        warnings,
    };
    deploy(options, &cloud, &end)
}
