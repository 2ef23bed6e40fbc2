//! Dumps of files in hexadecimal, as `xxd`, `hexdump` and `od` print them: an address, then the bytes of a line, then perhaps
//! their characters.

use std::io::BufRead as _;

/// Fewest digits of an address.
const ADDRESS: usize = 6;
/// Most bytes of a line.
const WIDTH: usize = 64;

/// The bytes of the dumps in a text, and where in them its lines begin.
#[derive(Default)]
pub(super) struct Dump {
    pub(super) bytes: Vec<u8>,
    /// The first byte of a line, and the line's number.
    lines: Vec<(usize, usize)>,
}

impl Dump {
    /// Returns the line that this byte is in.
    pub(super) fn line(&self, at: usize) -> usize {
        let after = self.lines.partition_point(|(first, _)| *first <= at);
        after.checked_sub(1).map_or(1, |index| self.lines[index].1)
    }

    /// Returns the dumps of a text with their words as they are, and with the two bytes of each swapped, as `hexdump` and
    /// `od -x` print them.
    pub(super) fn read(text: &[u8]) -> [Self; 2] {
        let mut dumps = [Self::default(), Self::default()];
        let (mut rest, mut number) = (text, 1);
        let mut before: Option<(usize, Vec<u8>, bool)> = None;
        loop {
            let line = row(rest);
            if let Some((address, mut bytes, are_words)) = before.take() {
                // What follows the bytes may look like more of them; the next address says how many there are.
                let next = line.as_ref().and_then(|(next, ..)| next.checked_sub(address));
                bytes.truncate(next.filter(|next| *next > 0).unwrap_or(bytes.len()));
                dumps[0].add(number - 1, &bytes);
                if are_words {
                    bytes.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
                    dumps[1].add(number - 1, &bytes);
                }
            }
            before = line;
            number += 1;
            // The standard library's search is fast, also where the rest is not optimized.
            if !rest.skip_until(b'\n').is_ok_and(|skipped| skipped > 0) {
                return dumps;
            }
        }
    }

    fn add(&mut self, line: usize, bytes: &[u8]) {
        self.lines.push((self.bytes.len(), line));
        self.bytes.extend(bytes);
    }
}

/// Parses the line of a dump that a text begins with: its address, its bytes, and if they are printed in pairs.
fn row(text: &[u8]) -> Option<(usize, Vec<u8>, bool)> {
    if !text.first()?.is_ascii_hexdigit() {
        return None;
    }
    let line = text.split(|byte| *byte == b'\n').next()?;
    let digits = line.iter().take(17).take_while(|byte| byte.is_ascii_hexdigit()).count();
    if digits < ADDRESS || !matches!(line.get(digits), Some(b':' | b' ' | b'\t')) {
        return None;
    }
    let address = usize::from_str_radix(std::str::from_utf8(&line[..digits]).ok()?, 16).ok()?;
    let mut bytes = Vec::new();
    let mut are_words = false;
    let words = line[digits + 1..].split(|byte| matches!(byte, b' ' | b'\t'));
    for word in words.filter(|word| !word.is_empty()) {
        let is_hex = word.len() % 2 == 0 && word.iter().all(u8::is_ascii_hexdigit);
        if !is_hex || bytes.len() >= WIDTH {
            break;
        }
        are_words |= word.len() == 4;
        for pair in word.chunks_exact(2) {
            bytes.extend(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16));
        }
    }
    (!bytes.is_empty()).then_some((address, bytes, are_words))
}
