//! The end of a run at Cloudflare: the secrets are set, then the gate is deployed. A failure says what is done.

use writegate::Secret;
use writegate::config::Config;

use crate::check::unreachable;
use crate::error::{Error, Result};
use crate::project::{Project, USUAL as CONFIGURATION};
use crate::{input, interrupt, invocation};

use super::cloud::Cloud;
use super::prompt::Question;
use super::{Options, report};

/// Warns of every route that a deployed gate cannot serve; returns the warnings.
pub(super) fn warn_unreachable(config: &Config) -> Vec<String> {
    let warnings: Vec<String> = config.routes.iter().filter_map(unreachable).collect();
    report::warn(&warnings);
    warnings
}

/// Sets these secrets, one after another, and returns their names.
pub(super) fn set(
    cloud: &Cloud<'_>,
    project: &Project,
    secrets: &[(&str, &Secret)],
    before: &[&str],
) -> Result<Vec<String>> {
    let mut done = before.to_vec();
    for (name, secret) in secrets {
        interrupt::so_far(so_far(project, &done));
        cloud.put(name, secret).map_err(|error| {
            Error::new(format!("{}; {}", error.message, so_far(project, &done)))
        })?;
        done.push(name);
    }
    interrupt::so_far(deployable(project));
    Ok(secrets.iter().map(|(name, _)| (*name).to_owned()).collect())
}

/// Says that the files are written and that these secrets are at Cloudflare, and names the command that continues.
pub(super) fn so_far(project: &Project, done: &[&str]) -> String {
    let set = match done {
        [] => "no secret is set".to_owned(),
        done => format!("{} is set", done.join(", ")),
    };
    format!(
        "{CONFIGURATION} and {} are written, {set}: `{}{} init --secrets-only{}` continues",
        project.dev_vars(),
        invocation::change_to(&project.root),
        invocation::prefix(),
        project.env_option()
    )
}

/// Says that the secrets are set, and names the command that continues.
fn deployable(project: &Project) -> String {
    format!(
        "the files are written and the secrets are set: `{}npx wrangler deploy{}` continues",
        invocation::change_to(&project.root),
        project.env_option()
    )
}

/// Deploys a gate only if it has its secrets. A failure does not hide the key, because everything else is done.
pub(super) fn deploy(options: &Options, cloud: &Cloud<'_>, end: &report::End<'_>) -> Result<()> {
    let default = if input::is_terminal() { "y" } else { "n" };
    let question = Question::new("--deploy", "Deploy it now (y or n)", Some(default));
    let answer = if options.deploy { Ok(true) } else { question.yes() };
    if !matches!(answer, Ok(true)) {
        // Where nobody answers, all else is done, too.
        end.report(report::Online::Secrets)?;
        return answer.map(drop);
    }
    let Err(error) = cloud.deploy() else {
        return end.report(report::Online::Gate);
    };
    end.report(report::Online::Secrets)?;
    Err(Error::new(format!("{}; {}", error.message, deployable(end.project))))
}
