//! The library without a platform: what it decides, what always holds, and the published vectors.

mod claims;
mod decisions;
mod docs;
mod exchanges;
mod headers;
mod imports;
mod javascript;
mod mac_vectors;
mod properties;
mod readings;
mod signature_vectors;
mod stored_tokens;
mod versions;
mod waits;
mod world;
