//! Signatures that other libraries made.
