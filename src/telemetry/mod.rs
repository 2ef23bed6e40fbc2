//! The operator's view belongs here: the audit line of each request, and the age of tokens.
//!
//! The caller's view does not: problem documents, and the alarms that they raise, are in `problem`.

pub mod audit;
pub mod outcome;
pub mod token_age;
