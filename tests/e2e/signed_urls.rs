//! Signed URLs.
