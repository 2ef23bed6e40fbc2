//! The Worker belongs here: the handlers that the platform calls, and one Rust file and one JavaScript
//! file for each binding or concern.
//!
//! Decisions do not belong here: they are in the other rooms. Only `wire`, the format of the messages
//! between the two languages, is also built natively, for its tests.

#[cfg(target_arch = "wasm32")]
mod bindings;
#[cfg(target_arch = "wasm32")]
mod clock;
#[cfg(target_arch = "wasm32")]
mod environment;
#[cfg(target_arch = "wasm32")]
mod exchange;
#[cfg(target_arch = "wasm32")]
mod flush;
#[cfg(target_arch = "wasm32")]
mod glue;
#[cfg(target_arch = "wasm32")]
mod handlers;
#[cfg(target_arch = "wasm32")]
mod platform;
#[cfg(target_arch = "wasm32")]
mod scheduled;
#[cfg(target_arch = "wasm32")]
mod task;
pub mod wire;
