//! The secrets of this very checkout, looked for as they are and in every encoding: all of them in one pass.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

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
            .iter()
            .flat_map(|(what, secret)| encodings(what, secret))
            .filter_map(|(what, secret)| {
                let head = secret.expose().first_chunk::<WINDOW>()?;
                Some(KnownSecret { head: u64::from_be_bytes(*head), secret, what })
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

    /// The length of the longest.
    pub(super) fn longest(&self) -> usize {
        self.secrets.iter().map(|known| known.secret.len()).max().unwrap_or_default()
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

/// The secret as it is, and in the forms that it takes in files of other kinds.
fn encodings(what: &str, secret: &Secret) -> Vec<(String, Secret)> {
    let bytes = secret.expose();
    let mut forms = vec![(String::new(), bytes.to_vec())];
    let mut add = |how: &str, form: Vec<u8>| {
        if form.len() >= WINDOW && !forms.iter().any(|(_, known)| *known == form) {
            forms.push((format!(", {how}"), form));
        }
    };
    if bytes.len() < WINDOW {
        return Vec::new();
    }
    for how in [u16::to_le_bytes, u16::to_be_bytes] {
        let units = String::from_utf8_lossy(bytes).into_owned();
        add("in UTF-16", units.encode_utf16().flat_map(how).collect());
    }
    for digits in ["0123456789ABCDEF", "0123456789abcdef"] {
        let hex = |byte: &u8| {
            let digits = digits.as_bytes();
            [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]
        };
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        let percent = |byte: &u8| match plain(byte) {
            true => vec![*byte],
            false => [&b"%"[..], &hex(byte)].concat(),
        };
        add("percent-encoded", bytes.iter().flat_map(percent).collect());
        add(
            "as a form's value",
            bytes
                .iter()
                .flat_map(|byte| match byte {
                    b' ' => vec![b'+'],
                    byte => percent(byte),
                })
                .collect(),
        );
        add("in hexadecimal", bytes.iter().flat_map(hex).collect());
    }
    if let Some(text) = secret.expose_str() {
        let quoted = |text: &str| {
            let json = serde_json::json!(text).to_string();
            json.get(1..json.len().saturating_sub(1)).unwrap_or_default().to_owned()
        };
        let (once, slashes) = (quoted(text), quoted(text).replace('/', "\\/"));
        add("in JSON", once.clone().into());
        add("in JSON", slashes.clone().into());
        add("in JSON within JSON", quoted(&once).into());
        add("in JSON within JSON", quoted(&slashes).into());
        add(
            "in HTML or XML",
            text.replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;")
                .into(),
        );
    }
    // Something may stand before it, such as a user's name: what is the same at each of the three places that it may begin at.
    for before in 0..3_usize {
        let padded = [&vec![0; before][..], bytes].concat();
        for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            let (from, to) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
            add("in base64", encoded.as_bytes().get(from..to).unwrap_or_default().to_vec());
        }
    }
    forms.into_iter().map(|(how, form)| (format!("{what}{how}"), Secret::new(form))).collect()
}

const fn slot(window: u64) -> usize {
    // Twelve bits.
    (window.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_encoding() {
        use base64::engine::general_purpose::{STANDARD, URL_SAFE};
        for secret in ["corr\"ect/ho+rse>?ba&tt", "8charact", "påsswörd äöü ÿÿÿ"] {
            let known = KnownSecrets::new(vec![("it".to_owned(), Secret::new(secret))]);
            let finds = |content: &[u8]| {
                let mut count = 0;
                known.find(content, |_, _| count += 1);
                count > 0
            };
            let json = serde_json::json!({"a": secret}).to_string();
            let mut contents: Vec<Vec<u8>> = vec![
                format!("x{secret}y").into(),
                format!("x{secret}y").encode_utf16().flat_map(u16::to_le_bytes).collect(),
                format!("x{secret}y").encode_utf16().flat_map(u16::to_be_bytes).collect(),
                json.replace('/', "\\/").into(),
                serde_json::json!({"b": json}).to_string().into(),
                json.into(),
                [&b"\0\xff"[..], secret.as_bytes(), b"\0"].concat(),
                secret.bytes().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
                secret.bytes().map(|byte| format!("{byte:02X}")).collect::<String>().into(),
                secret.replace('&', "&amp;").replace('>', "&gt;").replace('"', "&quot;").into(),
            ];
            let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            contents.push(percent.replace('+', "%20").into());
            contents.push(percent.into());
            for user in ["", "u", "us", "usr", "user:"] {
                for after in ["", "x", "xy"] {
                    let whole = format!("{user}{secret}{after}");
                    contents.push(STANDARD.encode(&whole).into());
                    contents.push(URL_SAFE.encode(&whole).into());
                }
            }
            for content in contents {
                assert!(finds(&content), "{secret}: {}", String::from_utf8_lossy(&content));
            }
            assert!(!finds(b"correct horse battery staple, 8 characters"));
        }
    }

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
