//! The API behind the gate: routes, its URL, its token, and when a request is sent to it again.
//!
//! What is sent is made in `gateway::forward`; this room says where and with which credential.

pub mod echo;
pub mod retry;
pub mod route;
pub mod target;
pub mod token;
pub mod token_cache;
pub mod url;
