//! The gate's own responses belong here: preflights, and its own paths below `/_gate/`
//! (docs/wire-contract.md, "The gate's own paths"). Authenticating the caller does not (see `gateway`),
//! nor talking to bindings (`platform`).

mod handler;
mod keys;
mod purge;
mod record;
mod response;
mod status;
mod usage;

use crate::base::request::Raw;
use crate::keys::KeyId;
use crate::problem::{Refusal, Rejection};

pub(crate) use handler::{AdminHandler, BODY_TIMEOUT_MS, MAX_BODY_BYTES};
pub(crate) use response::LocalResponse;

/// One of the gate's own paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AdminEndpoint {
    /// The health check, for anyone.
    Health,
    /// `POST session`: a page asks for a session, and brings a solved challenge in place of a credential.
    Session,
    /// A task for which a credential is needed.
    Authenticated(AdminTask),
}

/// A task that a caller with a key may request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AdminTask {
    /// `GET keys`.
    ListKeys,
    /// `POST keys`.
    CreateKeys,
    /// `GET keys/<id>`.
    ShowKey(KeyId),
    /// `PATCH keys/<id>`.
    ChangeKey(KeyId),
    /// `DELETE keys/<id>`.
    DeleteKey(KeyId),
    /// `GET usage`.
    Usage,
    /// `GET usage/keys`.
    UsageOfKeys,
    /// `POST purge`.
    Purge,
    /// `GET status`.
    Status,
}

impl AdminTask {
    /// Returns true if a key that is not an admin's may request the task for itself.
    pub(crate) const fn is_self_service(&self) -> bool {
        match self {
            Self::Usage => true,
            Self::ListKeys
            | Self::CreateKeys
            | Self::ShowKey(_)
            | Self::ChangeKey(_)
            | Self::DeleteKey(_)
            | Self::UsageOfKeys
            | Self::Purge
            | Self::Status => false,
        }
    }

    /// Returns true if the task needs the request's body.
    pub(crate) const fn takes_body(&self) -> bool {
        match self {
            Self::CreateKeys | Self::ChangeKey(_) | Self::Purge => true,
            Self::ListKeys
            | Self::ShowKey(_)
            | Self::DeleteKey(_)
            | Self::Usage
            | Self::UsageOfKeys
            | Self::Status => false,
        }
    }
}

/// Finds the endpoint at `path`, which is without `/_gate/`.
///
/// # Errors
/// `no-route`, `method-not-allowed`.
pub(crate) fn find(path: &str, method: &str) -> Result<AdminEndpoint, Rejection> {
    let authenticated = |task| Ok(AdminEndpoint::Authenticated(task));
    let reads = matches!(method, "GET" | "HEAD");
    let (first, rest) = match path.split_once('/') {
        None => (path, None),
        Some((first, rest)) => (first, Some(rest)),
    };
    match (first, rest.map(KeyId::parse), method) {
        ("health", None, _) if reads => Ok(AdminEndpoint::Health),
        ("status", None, _) if reads => authenticated(AdminTask::Status),
        ("usage", None, _) if reads => authenticated(AdminTask::Usage),
        ("usage", Some(Some(part)), _) if part.as_str() == "keys" => match reads {
            true => authenticated(AdminTask::UsageOfKeys),
            false => not_allowed("GET, HEAD"),
        },
        ("health" | "status" | "usage", None, _) => not_allowed("GET, HEAD"),
        ("session", None, "POST") => Ok(AdminEndpoint::Session),
        ("session", None, _) => not_allowed("POST"),
        ("purge", None, "POST") => authenticated(AdminTask::Purge),
        ("purge", None, _) => not_allowed("POST"),
        ("keys", None, _) if reads => authenticated(AdminTask::ListKeys),
        ("keys", None, "POST") => authenticated(AdminTask::CreateKeys),
        ("keys", None, _) => not_allowed("GET, HEAD, POST"),
        ("keys", Some(Some(id)), _) if reads => authenticated(AdminTask::ShowKey(id)),
        ("keys", Some(Some(id)), "PATCH") => authenticated(AdminTask::ChangeKey(id)),
        ("keys", Some(Some(id)), "DELETE") => authenticated(AdminTask::DeleteKey(id)),
        ("keys", Some(Some(_)), _) => not_allowed("GET, HEAD, PATCH, DELETE"),
        _ => Err(Refusal::NoRoute.into()),
    }
}

fn not_allowed(allow: &str) -> Result<AdminEndpoint, Rejection> {
    Err(Rejection::method_not_allowed(allow.to_owned()))
}

/// Answers a CORS preflight (Fetch, section 4.8) with what it asks for. It carries no credential and
/// grants nothing: the request that follows is checked like any other.
pub(crate) fn preflight(raw: &Raw<'_>) -> Option<LocalResponse> {
    let header = |name: &str| {
        let mut headers = raw.headers.iter();
        headers.find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
    };
    let method = header("access-control-request-method").filter(|_| raw.method == "OPTIONS")?;
    let _ = header("origin")?;
    let mut headers = vec![
        ("access-control-allow-methods", method),
        ("access-control-max-age", "600".to_owned()),
    ];
    headers.extend(
        header("access-control-request-headers")
            .map(|requested| ("access-control-allow-headers", requested)),
    );
    Some(LocalResponse { status: 204, headers, body: String::new() })
}

/// Answers `GET health`.
pub(crate) fn health() -> LocalResponse {
    let body = concat!(r#"{"status":"ok","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);
    LocalResponse::text(200, body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_its_methods() {
        let id = KeyId::parse("pk_a").unwrap();
        let task = |path: &str, method: &str| find(path, method).ok();
        assert_eq!(task("health", "HEAD"), Some(AdminEndpoint::Health));
        assert_eq!(task("session", "POST"), Some(AdminEndpoint::Session));
        for (path, method, wanted) in [
            ("keys", "GET", AdminTask::ListKeys),
            ("keys", "POST", AdminTask::CreateKeys),
            ("keys/pk_a", "GET", AdminTask::ShowKey(id.clone())),
            ("keys/pk_a", "PATCH", AdminTask::ChangeKey(id.clone())),
            ("keys/pk_a", "DELETE", AdminTask::DeleteKey(id)),
            ("status", "GET", AdminTask::Status),
            ("usage", "HEAD", AdminTask::Usage),
            ("usage/keys", "GET", AdminTask::UsageOfKeys),
            ("purge", "POST", AdminTask::Purge),
        ] {
            assert_eq!(task(path, method), Some(AdminEndpoint::Authenticated(wanted)), "{path}");
        }
        for (path, method) in [
            ("", "GET"),
            ("keys/", "GET"),
            ("keys/a/b", "GET"),
            ("keys/a%20", "GET"),
            ("health/", "GET"),
            ("status/x", "GET"),
            ("usage/x", "GET"),
            ("usage/keys/x", "GET"),
            ("usage/keys", "POST"),
            ("keys/pk_a", "POST"),
            ("keys", "DELETE"),
            ("session", "GET"),
            ("session/", "POST"),
        ] {
            assert_eq!(task(path, method), None, "{path}");
        }
    }
}
