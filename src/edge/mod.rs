//! The Worker: the handlers that the platform calls, and one file of Rust and one of JavaScript for each binding or concern.
//!
//! Nothing is decided here. Only `wire`, the format of the messages between the two languages, is built natively too, for its tests.

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
