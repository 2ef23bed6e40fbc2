//! Percent-encoding (RFC 3986 section 2.1), decoded once and byte by byte, so that each reader decides what a broken escape
//! means to it.

/// A byte of a text that may be percent-encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Byte {
    /// It stands for itself.
    Plain(u8),
    /// An escape, `%` and two digits, stands for it.
    Escaped(u8),
    /// A `%` without two hexadecimal digits behind it.
    Broken,
}

impl Byte {
    /// Returns the byte; that of a broken escape is its `%`.
    pub const fn value(self) -> u8 {
        match self {
            Self::Plain(byte) | Self::Escaped(byte) => byte,
            Self::Broken => b'%',
        }
    }
}

/// Returns the bytes of `text`, decoded once.
pub fn decode(text: &str) -> impl Iterator<Item = Byte> {
    let mut rest = text.as_bytes();
    core::iter::from_fn(move || {
        let (&first, after) = rest.split_first()?;
        rest = after;
        if first != b'%' {
            return Some(Byte::Plain(first));
        }
        let [high, low, after @ ..] = after else { return Some(Byte::Broken) };
        let Some(byte) = hex_pair(*high, *low) else { return Some(Byte::Broken) };
        rest = after;
        Some(Byte::Escaped(byte))
    })
}

/// Returns the byte that two hexadecimal digits stand for.
pub fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let value = digit(high)?.checked_mul(16)?.checked_add(digit(low)?)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_escape_stays_and_nothing_is_decoded_twice() {
        for (text, decoded) in [
            ("a%2Fb%2f", "a/b/"),
            ("%252F", "%2F"),
            ("%", "%"),
            ("%4", "%4"),
            ("%4g%41", "%4gA"),
            ("%%41", "%A"),
            ("%+1", "%+1"),
        ] {
            let bytes: Vec<u8> = decode(text).map(Byte::value).collect();
            assert_eq!(bytes, decoded.as_bytes(), "{text}");
        }
        assert_eq!(decode("%zz").next(), Some(Byte::Broken));
        assert_eq!(decode("%00").next(), Some(Byte::Escaped(0)));
    }
}
