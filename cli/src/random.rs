//! Randomness, which the core does without.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Error, Result};

/// Returns so many random bytes as base64url.
pub(crate) fn text(bytes: usize) -> Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(no_randomness)?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

/// Returns the name of a new session secret: `s_` and 22 characters.
pub(crate) fn session_kid() -> Result<String> {
    Ok(format!("s_{}", text(16)?))
}

/// Returns a number of seven digits or more for a rate limiter, so that another gate of the account hardly has the same.
pub(crate) fn limiter_id() -> Result<u32> {
    let random = getrandom::u32().map_err(no_randomness)?;
    Ok(1_000_000 + random % 1_000_000_000)
}

/// Returns a new key's id: `pk_` and 22 characters.
pub(crate) fn key_id() -> Result<String> {
    Ok(format!("pk_{}", text(16)?))
}

fn no_randomness(error: getrandom::Error) -> Error {
    Error::new(format!("the system's random numbers failed: {error}"))
}
