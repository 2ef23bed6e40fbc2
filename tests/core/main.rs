//! The library without a platform: what it decides, what always holds, and the published vectors.

mod decisions;
mod exchanges;
mod mac_vectors;
mod properties;
mod signature_vectors;
mod stored_tokens;
mod waits;
mod world;
