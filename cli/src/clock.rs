//! The time, which the core does without.

use std::time::{SystemTime, UNIX_EPOCH};

use writegate::Timestamp;

use crate::error::{Error, Result};

/// Now.
pub(crate) fn now() -> Result<Timestamp> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_error| Error::new("this machine's clock stands before 1970"))?;
    Ok(Timestamp::from_millis(since.as_millis().try_into().unwrap_or(i64::MAX)))
}
