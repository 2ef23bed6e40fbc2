//! The secrets of this very checkout, looked for as they are: all of them in one pass.

use writegate::Secret;

/// Shortest secret that is looked for, in bytes: a shorter one would be found everywhere by chance.
const WINDOW: usize = 8;
const SIEVE: usize = 4096;

/// One secret that must not be found.
struct KnownSecret {
    /// Its first eight bytes.
    head: u64,
    secret: Secret,
    what: String,
}

/// All of them, by their heads.
pub(super) struct KnownSecrets {
    secrets: Vec<KnownSecret>,
    /// Which heads there may be: nearly every window is out at once.
    sieve: Vec<bool>,
}

impl KnownSecrets {
    pub(super) fn new(secrets: Vec<(String, Secret)>) -> Self {
        let mut known: Vec<KnownSecret> = secrets
            .into_iter()
            .filter_map(|(what, secret)| {
                let head = secret.expose().first_chunk::<WINDOW>()?;
                Some(KnownSecret { head: u64::from_be_bytes(*head), secret, what })
            })
            .collect();
        known.sort_by_key(|known| known.head);
        let mut sieve = vec![false; SIEVE];
        for known in &known {
            sieve[slot(known.head)] = true;
        }
        Self { secrets: known, sieve }
    }

    /// Calls `found` with the place of each and what it is.
    pub(super) fn find<'n>(&'n self, content: &[u8], mut found: impl FnMut(usize, &'n str)) {
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
                    found(start, &known.what);
                }
            }
        }
    }
}

const fn slot(window: u64) -> usize {
    // Twelve bits.
    (window.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_where_it_stands_and_no_other() {
        let secret = |what: &str, text: &str| (what.to_owned(), Secret::new(text));
        let known = KnownSecrets::new(vec![
            secret("a", "correct horse"),
            secret("b", "correct horse battery"),
            secret("short", "abc"),
            secret("c", "12345678"),
        ]);
        let find = |text: &str| {
            let mut found = Vec::new();
            known.find(text.as_bytes(), |place, what| found.push((place, what.to_owned())));
            found
        };
        assert_eq!(find("x correct horses, abc"), [(2, "a".to_owned())]);
        let both = find("correct horse battery");
        assert_eq!(both.len(), 2, "{both:?}");
        assert_eq!(find("12345678"), [(0, "c".to_owned())]);
        assert!(find("correct hors 1234567 abc").is_empty());
        assert!(find("").is_empty());
    }
}
