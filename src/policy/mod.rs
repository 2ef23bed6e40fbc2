//! Patterns of paths, origins and networks, and which values match them.
//!
//! Deciding whether a key or a session allows a request does not belong here but in
//! `gateway::authorize`.

pub mod network;
pub mod origin;
pub mod path;
