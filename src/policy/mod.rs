//! Patterns of paths, origins and networks, and what they match.
//!
//! Whether a key or a session allows a request is decided in `gateway::authorize`.

pub mod network;
pub mod origin;
pub mod path;
