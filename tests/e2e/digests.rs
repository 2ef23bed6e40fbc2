//! Content-Digest.
