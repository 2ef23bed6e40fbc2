//! Just enough HTTP/1.1 to carry a benchmark over loopback: one message off a keep-alive connection,
//! its head kept, its body read and dropped. Both ends are ours or workerd's, so anything unexpected
//! is an error, never a guess.

use std::io::{self, BufRead, Read};

/// No head that this benchmark exchanges is anywhere near this long.
const MAX_HEAD: usize = 64 * 1024;

/// Reads one message; its head, up to and with the empty line, is left in `head`. `false` means that
/// the peer closed the connection between two messages.
pub(crate) fn read_message(stream: &mut impl BufRead, head: &mut Vec<u8>) -> io::Result<bool> {
    head.clear();
    loop {
        let before = head.len();
        let n = stream.read_until(b'\n', head)?;
        if n == 0 && before == 0 {
            return Ok(false);
        }
        if n == 0 || head.len() > MAX_HEAD {
            return Err(bad("a message head that does not end"));
        }
        if head.get(before..) == Some(b"\r\n") {
            break;
        }
    }
    if header(head, "transfer-encoding").is_some() {
        skip_chunks(stream)?;
    } else if let Some(length) = header(head, "content-length") {
        let length = length.parse().map_err(|_| bad("a bad Content-Length"))?;
        skip(stream, length)?;
    }
    Ok(true)
}

/// The value of the first header of that name.
pub(crate) fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    headers(head).find_map(|(n, v)| n.eq_ignore_ascii_case(name).then_some(v))
}

/// Every header of a head, in order.
pub(crate) fn headers(head: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let text = std::str::from_utf8(head).unwrap_or_default();
    text.lines().skip(1).filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name, value.trim()))
    })
}

/// The status of a response's head.
pub(crate) fn status(head: &[u8]) -> Option<u16> {
    std::str::from_utf8(head.get(9..12)?).ok()?.parse().ok()
}

fn skip(stream: &mut impl BufRead, length: u64) -> io::Result<()> {
    let skipped = io::copy(&mut stream.take(length), &mut io::sink())?;
    if skipped == length {
        Ok(())
    } else {
        Err(bad("a body that ends early"))
    }
}

fn skip_chunks(stream: &mut impl BufRead) -> io::Result<()> {
    let mut line = String::new();
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).map_err(|_| bad("a bad chunk"))?;
        skip(stream, size)?;
        line.clear();
        stream.read_line(&mut line)?;
        if size == 0 {
            return Ok(());
        }
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
