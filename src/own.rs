//! What the gate answers itself: preflights, and its own paths below `/_gate/` (contract sections 6 and
//! 7).

use crate::answer::{Own, Stop};
use crate::gateway::Raw;
use crate::problem::Refusal;

/// A CORS preflight (Fetch, section 4.8) is answered with what it asked for: it carries no
/// credential and grants nothing, for the request that follows is checked like any other.
pub(crate) fn preflight(raw: &Raw<'_>) -> Option<Own> {
    let header = |wanted: &str| {
        let mut headers = raw.headers.iter();
        headers
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| (*value).to_owned())
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
    Some(Own {
        status: 204,
        headers,
        body: String::new(),
    })
}

/// Answers a path below `/_gate/`, given without that.
pub(crate) fn path(path: &str, method: &str) -> Result<Own, Stop> {
    if path != "health" {
        return Err(Refusal::NoRoute.into());
    }
    if !matches!(method, "GET" | "HEAD") {
        return Err(Stop::method_not_allowed("GET, HEAD".to_owned()));
    }
    let version = env!("CARGO_PKG_VERSION");
    Ok(Own {
        status: 200,
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("cache-control", "no-store".to_owned()),
        ],
        body: format!(r#"{{"status":"ok","version":"{version}"}}"#),
    })
}
