//! End-to-end tests: the gate on real workerd, callers that send raw bytes, and an upstream that records what arrives.
//! They are written to the wire contract and share no code with the gate.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test says by a panic that it failed"
)]

mod check;
mod client;
mod gate;
mod logs;
mod process;
mod token;
mod upstream;
mod wire;
#[path = "../../src/bin/writegate/workerd.rs"]
mod workerd;

mod audit;
mod bodies;
mod config;
mod cors;
mod datasette;
mod foreign_jwt;
mod forwarding;
mod harness;
mod headers;
mod keys;
mod narrowing;
mod panic;
mod paths;
mod places;
mod program;
mod refusals;
mod retries;
mod robustness;
mod rotation;
mod sessions;
mod streaming;
mod wrangler;
