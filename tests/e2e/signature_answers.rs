//! What a refused signature is told.
