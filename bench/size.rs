//! The Worker's size as Cloudflare counts it: gzipped, each module by itself.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Bytes after gzip.
pub(crate) struct Size {
    pub(crate) wasm: u32,
    pub(crate) script: u32,
}

/// Compresses what `writegate build` made.
pub(crate) fn of(build: &Path) -> io::Result<Size> {
    Ok(Size {
        wasm: gzipped(&build.join("index_bg.wasm"))?,
        script: gzipped(&build.join("index.js"))?,
    })
}

fn gzipped(file: &Path) -> io::Result<u32> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&fs::read(file)?)?;
    u32::try_from(encoder.finish()?.len()).map_err(io::Error::other)
}
