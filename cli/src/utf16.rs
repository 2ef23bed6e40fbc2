//! Text in UTF-16, as PowerShell and some browsers write it.

use std::borrow::Cow;

/// Returns what these bytes are in UTF-8, whatever encoding a byte order mark says, and without that mark.
pub(crate) fn unmarked(bytes: &[u8]) -> Cow<'_, [u8]> {
    match decoded(bytes) {
        Some(text) => Cow::Owned(text.into_bytes()),
        None => Cow::Borrowed(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)),
    }
}

/// Returns the text, if a byte order mark says that it is UTF-16.
pub(crate) fn decoded(bytes: &[u8]) -> Option<String> {
    let read = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return None,
    };
    let units = bytes.chunks_exact(2).skip(1).map(|pair| read([pair[0], pair[1]]));
    let text = char::decode_utf16(units);
    Some(text.map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}
