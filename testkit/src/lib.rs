//! The gate on real workerd, callers that send raw bytes, and an upstream that records what arrives: for the tests, the
//! demo and the benchmark.
//!
//! It shares no code with the gate: what a caller signs is made here anew, after the wire contract.

pub mod admin_api;
pub mod bound;
pub mod cache;
pub mod check;
pub mod client;
pub mod docs;
pub mod gate;
pub mod links;
pub mod logs;
pub mod minting;
pub mod poll;
pub mod process;
pub mod program;
pub mod provocations;
pub mod random;
pub mod signing;
pub mod token;
pub mod upstream;
pub mod wire;
pub mod workerd;
pub mod wrangler;
