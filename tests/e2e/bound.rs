//! Sessions that are bound to a proof.
