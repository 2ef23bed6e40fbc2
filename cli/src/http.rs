//! The command's HTTP client: one answer to each request, within a time, and no redirect is followed.

use std::io::ErrorKind;
use std::time::Duration;

use serde_json::Value;
use writegate::Secret;

use crate::error::Result;
use crate::tls;

/// Returns an agent for this address, whose statuses are all answers.
pub(crate) fn agent(address: &str, limit: Duration) -> Result<ureq::Agent> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(limit))
        // A session or a token is only for this address.
        .max_redirects(0)
        .max_redirects_will_error(false);
    let config = match address.starts_with("http://") {
        // A proxy of the environment cannot reach this machine's loopback.
        true => config.proxy(None),
        false => config.tls_config(tls::config()?),
    };
    Ok(config.build().into())
}

/// Sends a request with this token and, if given, this JSON. Returns the status and the text of the answer.
pub(crate) fn ask(
    agent: &ureq::Agent,
    method: &str,
    url: &str,
    token: &Secret,
    body: Option<&Value>,
) -> std::result::Result<(u16, String), ureq::Error> {
    let token = token.expose_str().unwrap_or_default();
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(url)
        .header("Authorization", format!("Bearer {token}"));
    let mut response = match body {
        Some(body) => {
            let request = request.header("Content-Type", "application/json");
            agent.run(request.body(body.to_string())?)?
        }
        None => agent.run(request.body(())?)?,
    };
    let text = response.body_mut().read_to_string()?;
    Ok((response.status().as_u16(), text))
}

/// Returns the reason why there was no answer.
pub(crate) fn why(error: &ureq::Error) -> String {
    tls::explained(error).unwrap_or_else(|| {
        let text = error.to_string();
        text.strip_prefix("io: ").unwrap_or(&text).to_owned()
    })
}

/// Returns true if there was no connection, so that nothing was sent.
pub(crate) fn is_unsent(error: &ureq::Error) -> bool {
    use ureq::{Error, Timeout};
    match error {
        Error::HostNotFound | Error::ConnectionFailed | Error::BadUri(_) | Error::Http(_) => true,
        Error::Timeout(phase) => matches!(phase, Timeout::Resolve | Timeout::Connect),
        Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => true,
        error => tls::explained(error).is_some(),
    }
}
