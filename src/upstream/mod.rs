//! The API behind the gate belongs here: routes, its URL, its token and credential, and the decision to
//! send a request again.
//!
//! Building a request for the upstream does not (see `gateway::forward`), nor reading its response
//! (`gateway::reply`).

pub mod echo;
pub mod retry;
pub mod route;
pub mod target;
pub mod token;
pub mod token_cache;
pub mod url;
