//! Just enough HTTP/1.1 to carry a benchmark over loopback: one message off a keep-alive connection,
//! its head kept, its body read and dropped. Both ends are ours or workerd's, so anything unexpected
//! is an error, never a guess.

use std::io::{self, BufRead, Read, Write};

/// No head that this benchmark exchanges is anywhere near this long.
const MAX_HEAD: usize = 64 * 1024;

/// Reads one message; its head, up to and with the empty line, is left in `head`. `false` means that
/// the peer closed the connection between two messages.
pub(crate) fn read_message(stream: &mut impl BufRead, head: &mut Vec<u8>) -> io::Result<bool> {
    read_into(stream, head, &mut io::sink())
}

/// The same, with its body written to `body`.
pub(crate) fn read_into(
    stream: &mut impl BufRead,
    head: &mut Vec<u8>,
    body: &mut impl Write,
) -> io::Result<bool> {
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
        copy_chunks(stream, body)?;
    } else if let Some(length) = header(head, "content-length") {
        let length = length.parse().map_err(|_| bad("a bad Content-Length"))?;
        copy(stream, length, body)?;
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

fn copy(stream: &mut impl BufRead, length: u64, body: &mut impl Write) -> io::Result<()> {
    if io::copy(&mut stream.take(length), body)? == length {
        Ok(())
    } else {
        Err(bad("a body that ends early"))
    }
}

fn copy_chunks(stream: &mut impl BufRead, body: &mut impl Write) -> io::Result<()> {
    let mut line = String::new();
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).map_err(|_| bad("a bad chunk"))?;
        copy(stream, size, body)?;
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
