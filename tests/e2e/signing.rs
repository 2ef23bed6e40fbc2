//! Signed requests, made by code that shares nothing with the gate.
