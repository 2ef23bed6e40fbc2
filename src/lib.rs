//! writegate: a gate in front of a write API.
//!
//! A request passes these modules in this order, and the result of each is a type that only that
//! module can make:
//!
//! [`request`] → [`credential`] → [`policy`] → [`admission`] → [`forward`] → [`exchange`] with the upstream → [`reply`] → [`audit`]
//!
//! [`gateway`] is the whole story in numbered steps. Everything here but `edge` is free of I/O,
//! clocks and randomness, and is built and tested natively; `edge` is the Worker and exists on
//! wasm32 alone.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    reason = "nothing a caller sends may panic, and every new variant must be thought of"
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::disallowed_methods,
        reason = "a test may fail"
    )
)]

pub mod admission;
pub mod answer;
pub mod audit;
mod authentication;
pub mod cache;
pub mod config;
pub mod credential;
pub mod day;
pub mod exchange;
pub mod forward;
pub mod gateway;
pub mod json;
pub mod key;
pub mod known_key;
pub mod lru;
mod own;
pub mod platform;
pub mod policy;
pub mod problem;
pub mod quota;
pub mod rates;
pub mod registry;
pub mod reply;
pub mod request;
pub mod retry;
pub mod rotation;
pub mod route;
pub mod secret;
pub mod time;
pub mod token;
pub mod upstream;
pub mod usage;
pub mod vault;

#[cfg(target_arch = "wasm32")]
pub mod edge;
