//! Every byte that a signature covers counts.
