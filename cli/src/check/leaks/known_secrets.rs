//! The secrets of this very checkout, looked for as they are and in every encoding: all of them in one pass, and once more
//! where escapes are undone.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use writegate::Secret;

use super::dump::Dump;
use super::escapes;

/// Shortest secret that is looked for, in bytes: a shorter one would match unrelated text everywhere.
const WINDOW: usize = 8;
const SIEVE: usize = 1 << 16;

/// One secret that must not be found.
struct KnownSecret {
    /// Its first eight bytes.
    head: u64,
    secret: Secret,
    what: String,
    /// The encoding.
    how: &'static str,
}

/// A place where one was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'n> {
    pub(super) line: usize,
    pub(super) what: &'n str,
    pub(super) how: &'static str,
}

/// All secrets, by their first bytes.
pub(super) struct KnownSecrets {
    secrets: Vec<KnownSecret>,
    /// A filter of the possible first bytes, which excludes nearly every position at once.
    sieve: Vec<bool>,
}

impl KnownSecrets {
    pub(super) fn new(secrets: Vec<(String, Secret)>) -> Self {
        let mut known: Vec<KnownSecret> = secrets
            .iter()
            .flat_map(|(what, secret)| encodings(secret).into_iter().map(move |form| (what, form)))
            .filter_map(|(what, (how, secret))| {
                let head = u64::from_be_bytes(*secret.expose().first_chunk::<WINDOW>()?);
                Some(KnownSecret { head, secret, what: what.clone(), how })
            })
            .collect();
        known.sort_by_key(|known| known.head);
        known.dedup_by(|one, other| one.secret.expose() == other.secret.expose());
        let mut sieve = vec![false; SIEVE];
        for known in &known {
            sieve[slot(known.head)] = true;
        }
        Self { secrets: known, sieve }
    }

    /// Returns the length of the longest secret, with every byte escaped.
    pub(super) fn longest(&self) -> usize {
        let longest = self.secrets.iter().map(|known| known.secret.len()).max();
        longest.unwrap_or_default() * escapes::LONGEST
    }

    /// Returns the places of the secrets, each once per line.
    pub(super) fn places(&self, content: &[u8]) -> Vec<Place<'_>> {
        let mut places = Vec::new();
        self.find(content, |at, what, how| {
            let line = 1 + content[..at].iter().filter(|byte| **byte == b'\n').count();
            places.push(Place { line, what, how });
        });
        let mut layer = if self.secrets.is_empty() { None } else { escapes::undone(content) };
        for _ in 1..=escapes::LAYERS {
            let Some(text) = layer else {
                break;
            };
            self.find(text.bytes(), |at, what, _| {
                let line = text.line(at);
                let is_new = |known: &Place<'_>| known.line != line || known.what != what;
                if places.iter().all(is_new) {
                    places.push(Place { line, what, how: ", escaped or over several lines" });
                }
            });
            layer = text.undone();
        }
        for dump in if self.secrets.is_empty() { [].into() } else { Vec::from(Dump::read(content)) }
        {
            self.find(&dump.bytes, |at, what, _| {
                places.push(Place { line: dump.line(at), what, how: ", in a hex dump" });
            });
        }
        places.dedup();
        places
    }

    /// Calls `found` with the place, the kind and the encoding of each secret.
    fn find<'n>(&'n self, content: &[u8], mut found: impl FnMut(usize, &'n str, &'static str)) {
        if self.secrets.is_empty() {
            return;
        }
        let mut window = 0_u64;
        let mut end = 0;
        // No iterator: unoptimized, that takes several times as long.
        while end < content.len() {
            window = (window << 8) | u64::from(content[end]);
            end += 1;
            if !self.sieve[slot(window)] || end < WINDOW {
                continue;
            }
            let start = end - WINDOW;
            let first = self.secrets.partition_point(|known| known.head < window);
            let same = self.secrets.iter().skip(first);
            for known in same.take_while(|known| known.head == window) {
                if content[start..].starts_with(known.secret.expose()) {
                    found(start, &known.what, known.how);
                }
            }
        }
    }
}

/// Returns the secret as it is, and in the encodings that no escape undoes.
fn encodings(secret: &Secret) -> Vec<(&'static str, Secret)> {
    let bytes = secret.expose();
    if bytes.len() < WINDOW {
        return Vec::new();
    }
    let mut forms = vec![("", bytes.to_vec())];
    let units: Vec<u16> = String::from_utf8_lossy(bytes).encode_utf16().collect();
    for how in [u16::to_le_bytes, u16::to_be_bytes] {
        forms.push((", in UTF-16", units.iter().copied().flat_map(how).collect()));
    }
    let list = |number: &dyn Fn(&u8) -> String, joint: &str| -> Vec<u8> {
        bytes.iter().map(number).collect::<Vec<_>>().join(joint).into()
    };
    for joint in ["", " ", ":", "-", ",", ", ", ",0x", ", 0x"] {
        for hex in [|byte: &u8| format!("{byte:02x}"), |byte: &u8| format!("{byte:02X}")] {
            forms.push((", in hexadecimal", list(&hex, joint)));
        }
    }
    forms.extend([",", ", ", " "].map(|joint| (", as numbers", list(&u8::to_string, joint))));
    forms.extend(base32(bytes).map(|form| (", in base32", form)));
    forms.push((
        ", as a form's value",
        bytes.iter().map(|byte| if *byte == b' ' { b'+' } else { *byte }).collect(),
    ));
    // Of what is encoded twice: as in a Secret of Kubernetes that holds a Docker login, and PowerShell's commands.
    let utf16 = forms.iter().filter(|(how, _)| *how == ", in UTF-16").map(|(_, form)| form.clone());
    let once = base64(bytes);
    let twice: Vec<_> = once.iter().cloned().chain(utf16).flat_map(|form| base64(&form)).collect();
    forms.extend(once.into_iter().chain(twice).map(|form| (", in base64", form)));
    forms.into_iter().map(|(how, form)| (how, Secret::new(form))).collect()
}

/// Encodes these bytes in base64. Something may precede them, such as a user's name, so they may begin at three places: returns
/// the letters that are the same at each.
fn base64(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for before in 0..3_usize {
        let padded = [&vec![0; before][..], bytes].concat();
        let (from, to) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            forms.push(encoded.as_bytes().get(from..to).unwrap_or_default().to_vec());
        }
    }
    forms.dedup();
    forms
}

/// Encodes these bytes in base32, in capitals and in small letters. What precedes them has up to four bits of the first letter,
/// so they may begin at five places: returns the letters that are theirs.
fn base32(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    (0..5).flat_map(|before| {
        let bits: Vec<usize> = bytes
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |at| usize::from(byte >> at & 1)))
            .skip(before)
            .collect();
        let digit = |five: &[usize]| DIGITS[five.iter().fold(0, |sum, bit| sum * 2 + bit)];
        let form: Vec<u8> = bits.chunks_exact(5).map(digit).collect();
        [form.to_ascii_lowercase(), form]
    })
}

const fn slot(window: u64) -> usize {
    // Sixteen bits.
    (window.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize
}

#[cfg(test)]
mod tests;
