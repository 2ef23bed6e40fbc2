//! The `writegate` command.
fn main() {}
