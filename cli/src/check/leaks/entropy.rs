//! Distinguishes random texts, such as tokens, from those that people write.

/// Shortest text that is judged, in bytes.
pub(super) const LEAST: usize = 20;
/// Bits for each byte that a random text of that length has nearly always.
const LEAST_BITS: f64 = 3.0;
/// The fewest alternations between letters and digits: words rarely have any.
const LEAST_TURNS: usize = 3;
/// Words that take the place of a token in examples.
const PLACEHOLDERS: [&str; 13] = [
    "example", "placeholder", "changeme", "change-me", "change_me", "redacted", "xxxx", "your",
    "dummy", "0123456789", "1234567890", "abcdefgh", "00000000",
];

/// Returns true if this text, which has the pattern of a token, is random and not an example.
pub(super) fn not_an_example(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    let lower = String::from_utf8_lossy(&lower);
    bits(text) >= LEAST_BITS && !PLACEHOLDERS.iter().any(|word| lower.contains(word))
}

/// Returns true if this looks like a token of an unknown pattern.
pub(super) fn is_random(text: &[u8]) -> bool {
    text.len() >= LEAST && turns(text) >= LEAST_TURNS && not_an_example(text)
}

/// Returns Shannon's entropy of its bytes, for each byte.
fn bits(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text {
        counts[usize::from(*byte)] += 1;
    }
    let length = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    let shares = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / length);
    -shares.map(|share| share * share.log2()).sum::<f64>()
}

fn turns(text: &[u8]) -> usize {
    let kinds = text.iter().filter(|byte| byte.is_ascii_alphanumeric());
    let digits: Vec<bool> = kinds.map(u8::is_ascii_digit).collect();
    digits.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_and_words_differ() {
        for random in [
            "8f14e45fceea167a5a36dedd4bea2543",
            "Zk3vQ9pLx7Rt2WmYb5Nc",
            "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ",
        ] {
            assert!(is_random(random.as_bytes()), "{random}");
        }
        for words in [
            "a_minted_session_passes_the_gate",
            "crate::credential::session",
            "src/bin/writegate/check/leaks/entropy.rs",
            "xxxxxxxx1x2x3x4x5x6xxxxxxxx",
            "YOUR8f14e45fceea167a5a36dedd4bea",
            "1a1a1a1a1a1a1a1a1a1a1a1a1a1a",
            "Zk3vQ9pLx7Rt2WmYb5N",
        ] {
            assert!(!is_random(words.as_bytes()), "{words}");
        }
    }
}
