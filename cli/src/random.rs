//! Randomness, which the core does without.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Error, Result};

/// Returns so many random bytes as base64url.
pub(crate) fn text(bytes: usize) -> Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random)
        .map_err(|error| Error::new(format!("the system gives no randomness: {error}")))?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

/// Returns the name of a new session secret: `s_` and 22 characters.
pub(crate) fn session_kid() -> Result<String> {
    Ok(format!("s_{}", text(16)?))
}

/// Returns a new key's id: `pk_` and 22 characters.
pub(crate) fn key_id() -> Result<String> {
    Ok(format!("pk_{}", text(16)?))
}
