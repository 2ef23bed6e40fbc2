//! The little of HTTP/1.1 that both ends of the tests share: heads and bodies as bytes, nothing normalised.

use std::io::{BufRead, Read};

/// Header fields in the order of the wire, names as they were written.
pub type Headers = Vec<(String, String)>;

/// The rule that tells the end of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Neither a length nor chunks are announced.
    None,
    /// As many bytes as `Content-Length` says.
    Length(usize),
    /// Chunks, up to an empty one.
    Chunked,
}

/// Returns all values of a field, joined as RFC 9110 joins them.
pub fn header(headers: &Headers, name: &str) -> Option<String> {
    let all: Vec<&str> = headers
        .iter()
        .filter(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, v)| v.as_str())
        .collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// Returns the first line and the fields; `None` where the connection ended before the head did.
pub fn read_head(input: &mut impl BufRead) -> Option<(String, Headers)> {
    let first = read_line(input)?;
    let mut headers = Headers::new();
    loop {
        let line = read_line(input)?;
        if line.is_empty() {
            return Some((first, headers));
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.into(), value.trim().into()));
    }
}

/// Returns the framing of a request (a response without one lasts until the connection ends).
pub fn framing(headers: &Headers) -> Framing {
    if header(headers, "transfer-encoding")
        .is_some_and(|v| v.to_ascii_lowercase().ends_with("chunked"))
    {
        Framing::Chunked
    } else {
        header(headers, "content-length")
            .and_then(|v| v.parse().ok())
            .map_or(Framing::None, Framing::Length)
    }
}

/// Hands each piece of a body to `keep` as it arrives; `true` if the body came to its end.
pub fn read_body(input: &mut impl BufRead, framing: Framing, mut keep: impl FnMut(&[u8])) -> bool {
    match framing {
        Framing::None => true,
        Framing::Length(length) => copy(input, length, &mut keep),
        Framing::Chunked => loop {
            let Some(line) = read_line(input) else {
                return false;
            };
            let size = line.split(';').next().unwrap_or_default();
            let Ok(size) = usize::from_str_radix(size.trim(), 16) else {
                return false;
            };
            if size > 0 && !copy(input, size, &mut keep) {
                return false;
            }
            if read_line(input) != Some(String::new()) {
                return false;
            }
            if size == 0 {
                return true;
            }
        },
    }
}

fn copy(input: &mut impl BufRead, length: usize, keep: &mut impl FnMut(&[u8])) -> bool {
    let mut left = length;
    let mut buffer = vec![0; 65_536];
    while left > 0 {
        let most = left.min(buffer.len());
        match input.read(&mut buffer[..most]) {
            Ok(0) | Err(_) => return false,
            Ok(got) => {
                keep(&buffer[..got]);
                left -= got;
            }
        }
    }
    true
}

fn read_line(input: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    // A head line longer than this is no head line of these tests.
    input.by_ref().take(1 << 20).read_until(b'\n', &mut line).ok()?;
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Some(line.iter().map(|&byte| char::from(byte)).collect())
}
