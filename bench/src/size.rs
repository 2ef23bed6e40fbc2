//! The Worker's size as Cloudflare counts it: gzipped, each module by itself.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Most bytes that the Worker may have.
pub(crate) const GOAL: usize = 230_000;

/// Returns how many bytes `writegate build` made, after gzip: of Wasm and of JavaScript.
pub(crate) fn of(build: &Path) -> io::Result<[usize; 2]> {
    let [wasm, script] = ["index_bg.wasm", "index.js"].map(|name| gzipped(&build.join(name)));
    Ok([wasm?, script?])
}

fn gzipped(file: &Path) -> io::Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&fs::read(file)?)?;
    Ok(encoder.finish()?.len())
}
