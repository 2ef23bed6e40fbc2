//! Signed requests.
