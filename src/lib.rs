//! writegate: a gate in front of a write API.
//!
//! A request passes these rooms in this order. The result of each step is a type that only that step can
//! make, so code that forwards an unverified request does not compile:
//!
//! - `base`: the request, parsed; and JSON, times, secrets
//! - [`policy`]: patterns of paths, origins and networks
//! - `keys`: key records, their derived secrets, and this isolate's memory of the registry
//! - [`credential`]: the caller's credential, parsed, selected and verified
//! - `gateway`: the whole story in numbered steps, with the checks that lead to a forwarded request
//! - `limits`: rate limits, quotas and usage
//! - `upstream`: routes, the upstream's URL and token, retries
//! - `cache`: the cache key of a read, and the lifetime of its entry
//! - `admin`: the gate's own paths, in the place of an upstream
//! - `problem`: refusals and faults, their documents and alarms
//! - `telemetry`: the audit line, and the age of tokens
//!
//! [`config`] reads the settings once. [`platform`] lists the operations that are awaited; `edge`, the
//! Worker, implements them. Everything except `edge` is free of I/O, clocks and randomness, and is built
//! and tested natively.
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
#![deny(unused_results, reason = "a check whose result nobody looks at is no check")]
#![cfg_attr(
    test,
    allow(
        unused_results,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::disallowed_methods,
        reason = "a test may fail"
    )
)]

mod admin;
mod base;
mod cache;
pub mod config;
pub mod credential;
mod gateway;
mod keys;
mod limits;
pub mod platform;
pub mod policy;
mod problem;
mod telemetry;
mod upstream;

#[cfg(any(target_arch = "wasm32", test))]
mod edge;

pub use base::day::Day;
pub use base::json::{self, FieldError};
pub use base::mac::{MacKey, TAG_LEN, hkdf_sha256};
pub use base::methods::{METHODS, METHODS_HINT, Methods};
pub use base::request::{Head, Raw};
pub use base::secret::{Fingerprint, Secret};
pub use base::time::Timestamp;
pub use cache::CacheEntry;
pub use gateway::exchange::{Exchange, Failure, Step};
pub use gateway::response::GateResponse;
pub use gateway::{Decision, Gate};
pub use keys::{
    DerivedKey, Key, KeyId, RootSecrets, Scheme, begins_like_secret, derive_sk, derive_ss, registry,
};
pub use limits::rate;
pub use problem::page::html as problems_page;
pub use problem::{Alarm, Problem, Refusal};
pub use telemetry::audit::Context;
pub use telemetry::token_age;
pub use upstream::route;
pub use upstream::token::{Token, TokenSource};
pub use upstream::url::{Upstream, UpstreamAuth};
