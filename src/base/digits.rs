//! Numbers of ASCII digits: no sign, no space, nothing else, as every format here has them.

use core::str::FromStr;

/// Returns the number; `None` for a text that is empty, has anything but digits, or is too large for `T`.
pub fn parse<T: FromStr>(text: &str) -> Option<T> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_are_a_number() {
        for (text, number) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("255", Some(255)),
            ("256", None),
            ("", None),
            ("+1", None),
            ("-1", None),
            (" 1", None),
            ("1_0", None),
            ("١", None),
        ] {
            assert_eq!(parse::<u8>(text), number, "{text}");
        }
    }
}
