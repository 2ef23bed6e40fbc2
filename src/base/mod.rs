//! Code that every other room may use and that knows nothing about gates: JSON, times, secrets,
//! requests.
//!
//! Nothing that decides about a request belongs here, and nothing here imports another room.

pub mod day;
pub mod digits;
pub mod headers;
pub mod json;
pub mod json_writer;
pub mod lru;
pub mod mac;
pub mod methods;
pub mod percent;
pub mod request;
pub mod secret;
pub mod sorted_map;
pub mod time;
