//! What the gate answers itself: preflights, and its own paths below `/_gate/` (contract sections 6 and
//! 7).
//!
//! In scope: which paths there are, who may use them, reading what they are asked. Out of scope: who
//! calls (`authentication`), and the platform's part (`platform`).

mod handler;
mod keys;
mod purge;
mod record;
mod response;
mod status;
mod usage;

use crate::base::request::Raw;
use crate::keys::KeyId;
use crate::problem::Refusal;
use crate::problem::Rejection;

pub(crate) use handler::{AdminHandler, BODY_TIMEOUT_MS, MAX_BODY_BYTES};
pub(crate) use response::LocalResponse;

/// One of the gate's own paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// Whether the gate works; for anyone.
    Health,
    /// Something that needs a key.
    Guarded(Task),
}

/// What a key may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
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
    /// `POST purge`.
    Purge,
    /// `GET status`.
    Status,
}

impl Task {
    /// Whether a key that is no admin's may ask for it, of itself.
    pub(crate) const fn is_self_service(&self) -> bool {
        match self {
            Self::Usage => true,
            Self::ListKeys
            | Self::CreateKeys
            | Self::ShowKey(_)
            | Self::ChangeKey(_)
            | Self::DeleteKey(_)
            | Self::Purge
            | Self::Status => false,
        }
    }

    /// Returns true if the body says what to do.
    pub(crate) const fn takes_body(&self) -> bool {
        match self {
            Self::CreateKeys | Self::ChangeKey(_) | Self::Purge => true,
            Self::ListKeys | Self::ShowKey(_) | Self::DeleteKey(_) | Self::Usage | Self::Status => {
                false
            }
        }
    }
}

/// The service at a path below `/_gate/`, given without that.
///
/// # Errors
/// `no-route`, `method-not-allowed`.
pub(crate) fn find(path: &str, method: &str) -> Result<Service, Rejection> {
    let guarded = |task| Ok(Service::Guarded(task));
    let reads = matches!(method, "GET" | "HEAD");
    let (first, rest) = match path.split_once('/') {
        None => (path, None),
        Some((first, rest)) => (first, Some(rest)),
    };
    match (first, rest.map(KeyId::parse), method) {
        ("health", None, _) if reads => Ok(Service::Health),
        ("status", None, _) if reads => guarded(Task::Status),
        ("usage", None, _) if reads => guarded(Task::Usage),
        ("health" | "status" | "usage", None, _) => not_allowed("GET, HEAD"),
        ("purge", None, "POST") => guarded(Task::Purge),
        ("purge", None, _) => not_allowed("POST"),
        ("keys", None, _) if reads => guarded(Task::ListKeys),
        ("keys", None, "POST") => guarded(Task::CreateKeys),
        ("keys", None, _) => not_allowed("GET, HEAD, POST"),
        ("keys", Some(Some(id)), _) if reads => guarded(Task::ShowKey(id)),
        ("keys", Some(Some(id)), "PATCH") => guarded(Task::ChangeKey(id)),
        ("keys", Some(Some(id)), "DELETE") => guarded(Task::DeleteKey(id)),
        ("keys", Some(Some(_)), _) => not_allowed("GET, HEAD, PATCH, DELETE"),
        _ => Err(Refusal::NoRoute.into()),
    }
}

fn not_allowed(allow: &str) -> Result<Service, Rejection> {
    Err(Rejection::method_not_allowed(allow.to_owned()))
}

/// A CORS preflight (Fetch, section 4.8) is answered with what it asked for: it carries no
/// credential and grants nothing, for the request that follows is checked like any other.
pub(crate) fn preflight(raw: &Raw<'_>) -> Option<LocalResponse> {
    let header = |wanted: &str| {
        let mut headers = raw.headers.iter();
        headers.find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned())
    };
    let method = header("access-control-request-method").filter(|_| raw.method == "OPTIONS")?;
    header("origin")?;
    let mut headers = vec![
        ("access-control-allow-methods", method),
        ("access-control-max-age", "600".to_owned()),
    ];
    headers.extend(
        header("access-control-request-headers")
            .map(|asked| ("access-control-allow-headers", asked)),
    );
    Some(LocalResponse { status: 204, headers, body: String::new() })
}

/// `GET health`.
pub(crate) fn health() -> LocalResponse {
    let version = env!("CARGO_PKG_VERSION");
    LocalResponse::json(200, &serde_json::json!({"status": "ok", "version": version}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_its_methods() {
        let id = KeyId::parse("pk_a").unwrap();
        let task = |path: &str, method: &str| find(path, method).ok();
        assert_eq!(task("health", "HEAD"), Some(Service::Health));
        for (path, method, wanted) in [
            ("keys", "GET", Task::ListKeys),
            ("keys", "POST", Task::CreateKeys),
            ("keys/pk_a", "GET", Task::ShowKey(id.clone())),
            ("keys/pk_a", "PATCH", Task::ChangeKey(id.clone())),
            ("keys/pk_a", "DELETE", Task::DeleteKey(id)),
            ("status", "GET", Task::Status),
            ("usage", "HEAD", Task::Usage),
            ("purge", "POST", Task::Purge),
        ] {
            assert_eq!(task(path, method), Some(Service::Guarded(wanted)), "{path}");
        }
        for (path, method) in [
            ("", "GET"),
            ("keys/", "GET"),
            ("keys/a/b", "GET"),
            ("keys/a%20", "GET"),
            ("health/", "GET"),
            ("status/x", "GET"),
            ("keys/pk_a", "POST"),
            ("keys", "DELETE"),
        ] {
            assert_eq!(task(path, method), None, "{path}");
        }
    }
}
