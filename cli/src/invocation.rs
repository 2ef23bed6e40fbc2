//! The command as its caller types it, for hints.

use std::env;

/// Set by the script of the npm package.
const VARIABLE: &str = "WRITEGATE_COMMAND";

/// Returns the beginning of a command line: `npx writegate`, `cargo run --` or `writegate`.
pub(crate) fn prefix() -> &'static str {
    // Cargo names itself to the programs that it runs.
    match (env::var_os(VARIABLE), env::var_os("CARGO")) {
        (Some(named), _) if named == "npx writegate" => "npx writegate",
        (_, Some(_)) => "cargo run --",
        (_, None) => "writegate",
    }
}
