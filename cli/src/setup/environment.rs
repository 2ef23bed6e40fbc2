//! The environment of the programs that install and build: a list of the variables that they may have, and
//! no others, because npm packages run scripts, crates run code when they are built, and whatever is in
//! the environment of this command may be a secret.

use std::env;
use std::ffi::OsStr;
use std::process::Command;

/// Variables that installers and compilers get, if they are set.
const ALLOWED: &[&str] = &[
    // Where programs and files are.
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "LD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    // The same on Windows, where Node does not start without some of them.
    "APPDATA", "COMSPEC", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "NUMBER_OF_PROCESSORS", "OS",
    "PATHEXT", "PROCESSOR_ARCHITECTURE", "PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)",
    "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "TMP", "USERNAME", "USERPROFILE", "WINDIR",
    // Language and terminal.
    "LANG", "LANGUAGE", "LC_*", "TZ", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "CI",
    "DEBIAN_FRONTEND", // The way to the registries.
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "CURL_CA_BUNDLE", "NIX_SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "NODE_OPTIONS",
    "NPM_CONFIG_CACHE", "NPM_CONFIG_CAFILE", "NPM_CONFIG_GLOBALCONFIG", "NPM_CONFIG_HTTPS_PROXY",
    "NPM_CONFIG_NOPROXY", "NPM_CONFIG_PREFIX", "NPM_CONFIG_PROXY", "NPM_CONFIG_REGISTRY",
    "NPM_CONFIG_STRICT_SSL", "NPM_CONFIG_USERCONFIG", "CARGO_HTTP_*", "CARGO_NET_*",
    "CARGO_SOURCE_*", // Rust and the C compiler that it links with.
    "CARGO_HOME", "CARGO_BUILD_*", "CARGO_INCREMENTAL", "CARGO_PROFILE_*", "CARGO_TARGET_*",
    "CARGO_TERM_*", "CARGO_ENCODED_RUSTFLAGS", "RUSTC", "RUSTC_WRAPPER", "RUSTFLAGS", "RUSTUP_*",
    "RUST_BACKTRACE", "CC", "CFLAGS", "DEVELOPER_DIR", "MACOSX_DEPLOYMENT_TARGET", "SDKROOT",
];

/// Returns a command that has none of this process's variables but those on the list.
///
/// The list leaves out what cargo tells this process about the package that it runs, because another cargo
/// below would take it for its own.
pub(super) fn clean(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    command.envs(env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_allowed)));
    command
}

/// Returns true if a variable is on the list, in capitals or, as npm and curl have it, without.
fn is_allowed(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ALLOWED.iter().any(|allowed| match allowed.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == *allowed,
    })
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn an_installer_gets_what_is_on_the_list() {
        for name in [
            "PATH", "Path", "SystemRoot", "ProgramFiles(x86)", "LC_ALL", "https_proxy",
            "npm_config_registry", "CARGO_NET_OFFLINE", "TMPDIR", "HOME", "RUSTUP_HOME",
        ] {
            assert!(is_allowed(name), "{name}");
        }
        for name in [
            "WRITE_TOKEN",
            "CLOUDFLARE_API_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "GITHUB_TOKEN",
            "NPM_TOKEN",
            "npm_config__auth",
            "npm_config_//registry.example/:_authToken",
            "CARGO_REGISTRY_TOKEN",
            "CARGO_REGISTRIES_OWN_TOKEN",
            "CARGO_MANIFEST_DIR",
            "CARGO",
            "PATH_TO_SECRETS",
            "LC",
            "",
        ] {
            assert!(!is_allowed(name), "{name}");
        }
    }
}
