//! Unpacks gzip and ZIP files, as far as that is possible. A tar file holds its files as they are.

use std::io::Read as _;

use flate2::read::{DeflateDecoder, MultiGzDecoder};

use super::scan::Scanner;

/// Most that is unpacked of one file.
const MAX_UNPACKED: u64 = 64 * 1024 * 1024;
/// The beginning of each file in a ZIP file, and the length of what precedes its name.
const MEMBER: &[u8] = b"PK\x03\x04";
const HEADER: usize = 30;
const DEFLATED: u16 = 8;

/// Returns the content of a gzip file; `None` for another file.
pub(super) fn gunzipped(content: &[u8]) -> Option<Vec<u8>> {
    if !content.starts_with(&[0x1f, 0x8b]) {
        return None;
    }
    let mut unpacked = Vec::new();
    // A broken end does not take back what came before it.
    let _ = MultiGzDecoder::new(content).take(MAX_UNPACKED).read_to_end(&mut unpacked);
    Some(unpacked)
}

/// Returns the deflated files of a ZIP file, also of one that is broken or behind a program; those that are stored are in it as
/// they are. Files of a ZIP file within it are among them, one level deep.
pub(super) fn unzipped(content: &[u8]) -> Vec<Vec<u8>> {
    let mut left = MAX_UNPACKED;
    let mut files = members(content, &mut left);
    let inner: Vec<_> = files.iter().flat_map(|file| members(file, &mut left)).collect();
    files.extend(inner);
    files
}

fn members(content: &[u8], left: &mut u64) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    if !Scanner::is_binary(content) {
        return files;
    }
    let mut at = 0;
    // A loop: an iterator takes several times as long where it is not optimized.
    while at + HEADER <= content.len() && *left > 0 {
        if content[at] == MEMBER[0] && content[at..].starts_with(MEMBER) {
            let number = |from| u16::from_le_bytes([content[at + from], content[at + from + 1]]);
            let begin = at + HEADER + usize::from(number(26)) + usize::from(number(28));
            if number(8) == DEFLATED && begin < content.len() {
                let mut file = Vec::new();
                let _ = DeflateDecoder::new(&content[begin..]).take(*left).read_to_end(&mut file);
                *left = left.saturating_sub(u64::try_from(file.len()).unwrap_or(u64::MAX));
                files.push(file);
            }
        }
        at += 1;
    }
    files
}
