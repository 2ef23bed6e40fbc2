//! Rate limits, quotas and usage: how much a key may do, and what it has done.
//!
//! The counting itself is the platform's: limiters and ledgers are called through `platform`.

pub mod quota;
pub mod rate;
pub mod usage;
