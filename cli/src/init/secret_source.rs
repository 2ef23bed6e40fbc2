//! The source of a secret on this machine. The environment wins over `.dev.vars`, but may still have another gate's
//! secret. So values that differ are refused, and a secret that only the environment has is reported.

use writegate::Secret;

use crate::error::{Error, Result};
use crate::project::{self, Project};

/// The place of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecretSource {
    /// Only the environment.
    Environment,
    /// `.dev.vars`, and the environment has no other value.
    File,
}

/// Returns a secret of this name and its place, if there is one.
pub(super) fn find(project: &Project, name: &str) -> Result<Option<(Secret, SecretSource)>> {
    let exported = project::exported(name);
    match (exported, project.secret_in_own_file(name)?) {
        (None, None) => Ok(None),
        (Some(secret), None) => Ok(Some((secret, SecretSource::Environment))),
        (Some(other), Some(secret)) if other.expose() != secret.expose() => {
            Err(Error::usage(format!(
                "{name} in the environment differs from the one in {}: remove the one that is not \
                 this gate's",
                project.dev_vars()
            )))
        }
        (_, Some(secret)) => Ok(Some((secret, SecretSource::File))),
    }
}
