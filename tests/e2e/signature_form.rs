//! Signature fields that are malformed.
