//! The command as its caller types it, for hints.

use std::env;
use std::path::Path;

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

/// Returns a command of this program in the form in which its caller can type it.
pub(crate) fn hint(line: &str) -> String {
    format!("`{} {line}`", prefix())
}

/// Returns the place of a page of `docs/`, which the npm package has, too.
pub(crate) fn page(name: &str) -> String {
    let package = if prefix() == "npx writegate" { "node_modules/writegate/" } else { "" };
    format!("{package}docs/{name}")
}

/// Returns the folder to change to before a command for the gate in this one, if it is below the current folder.
pub(crate) fn below(root: &Path) -> Option<String> {
    let below = root.strip_prefix(env::current_dir().ok()?).ok()?;
    let name = below.display().to_string();
    match name.contains(char::is_whitespace) {
        true => Some(format!("\"{name}\"")),
        false => (!name.is_empty()).then_some(name),
    }
}

/// Returns the `cd` to that folder, before a command.
pub(crate) fn change_to(root: &Path) -> String {
    below(root).map(|folder| format!("cd {folder} && ")).unwrap_or_default()
}
