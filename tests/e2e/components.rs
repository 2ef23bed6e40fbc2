//! What a signature may cover.
