//! `cargo bench`: what the library measures.

use std::process::ExitCode;

fn main() -> ExitCode {
    writegate_bench::main()
}
