//! Rate limits, quotas and usage belong here: the most that a key may use, and what it has used.
//!
//! The counting itself does not: rate limiters and ledgers are the platform's, called through
//! `platform`.

pub mod quota;
pub mod rate;
pub mod usage;
