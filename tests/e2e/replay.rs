//! Nonces.
