//! What the operator is told: the audit line of each request, alarms, and the age of tokens.
//!
//! What the caller is told is in `problem`.

pub mod audit;
pub mod token_age;
