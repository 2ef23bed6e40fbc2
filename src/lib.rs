//! writegate: a gate in front of a write API.
