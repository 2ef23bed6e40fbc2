//! Tools that every room uses and that know nothing of gates: JSON, time, secrets, requests.
//!
//! Nothing here imports another room of the crate.

pub mod day;
pub mod digits;
pub mod headers;
pub mod json;
pub mod lru;
pub mod mac;
pub mod methods;
pub mod percent;
pub mod request;
pub mod secret;
pub mod time;
