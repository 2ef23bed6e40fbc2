//! How the command calls others: one answer each, within a time, and nobody is followed elsewhere.

use std::time::Duration;

use crate::failure::Result;
use crate::tls;

/// An agent for this address, whose statuses are all answers.
pub(crate) fn agent(address: &str, limit: Duration) -> Result<ureq::Agent> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(limit))
        // What is sent is for this address alone: a session, a token.
        .max_redirects(0)
        .max_redirects_will_error(false);
    let config = match address.starts_with("http://") {
        // A proxy of the environment cannot reach this machine's loopback.
        true => config.proxy(None),
        false => config.tls_config(tls::config()?),
    };
    Ok(config.build().into())
}
