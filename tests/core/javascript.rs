//! The JavaScript of the edge that needs no platform, run by Node.

use std::path::Path;
use std::process::Command;

#[test]
fn what_an_isolate_remembers_of_answers_is_bounded() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/core/memory.mjs");
    let ran = Command::new("node").arg(script).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
}
