//! Versions: of crates whose private parts the Worker's entry uses, because no release notes name a change of them, and of the next
//! release.

use std::fs;

#[test]
fn the_entry_is_written_for_these_versions() {
    let lock: toml::Table = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock"))
        .unwrap()
        .parse()
        .unwrap();
    for (name, checked) in [("worker", "0.8.7"), ("wasm-bindgen", "0.2.130")] {
        let mut packages = lock["package"].as_array().unwrap().iter();
        let package = packages.find(|package| package["name"].as_str() == Some(name)).unwrap();
        assert_eq!(
            package["version"].as_str(),
            Some(checked),
            "{name} is another version than the one that src/edge/entry.js was written for: compare it with \
             src/js/shim.js of the worker-build of that release (`__worker_init_state`, `__wbg_reset_state`), run \
             `cargo test --test e2e panic`, then put the new version here"
        );
    }
}

#[test]
fn the_changelog_begins_with_this_version() {
    let text = include_str!("../../CHANGELOG.md");
    let newest = text.split("\n## ").nth(1).unwrap().lines().next();
    assert_eq!(newest, Some(env!("CARGO_PKG_VERSION")));
}
