//! The secrets of this very checkout, looked for as they are and in every encoding: all of them in one pass, and once more
//! where escapes are undone.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use writegate::Secret;

use super::dump::Dump;
use super::escapes;

/// Shortest secret that is looked for, in bytes: a shorter one would be found everywhere by chance.
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

    /// Returns the length of the longest, with every byte escaped.
    pub(super) fn longest(&self) -> usize {
        let longest = self.secrets.iter().map(|known| known.secret.len()).max();
        longest.unwrap_or_default() * escapes::LONGEST
    }

    /// Returns where they are, each once a line.
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

    /// Calls `found` with the place of each, what it is and how it is encoded.
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
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_encoding() {
        use base64::engine::general_purpose::{STANDARD, URL_SAFE};
        for secret in ["corr\"ect/ho+rse>?ba&tt", "8charact", "påsswörd äöü ÿÿÿ"] {
            let known = KnownSecrets::new(vec![("it".to_owned(), Secret::new(secret))]);
            let finds = |content: &[u8]| !known.places(content).is_empty();
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
            let numbers = |before: &str, joint: &str| -> Vec<u8> {
                let each = secret.bytes().map(|byte| format!("{before}{byte:02x}"));
                each.collect::<Vec<_>>().join(joint).into()
            };
            let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            contents.push(percent.replace('+', "%20").into());
            contents.push(percent.clone().into());
            for user in ["", "u", "us", "usr", "user:"] {
                for after in ["", "x", "xy"] {
                    let whole = format!("{user}{secret}{after}");
                    contents.push(STANDARD.encode(&whole).into());
                    contents.push(URL_SAFE.encode(&whole).into());
                }
            }
            let escaped = |escape: &dyn Fn(u32) -> String| -> Vec<u8> {
                secret.encode_utf16().map(|unit| escape(unit.into())).collect::<String>().into()
            };
            contents.extend([
                // encodeURIComponent, .NET, Python, JavaScript, templates of HTML, YAML and shells.
                percent.replace("%21", "!").replace("%2B", "%2b").replace("%3E", "%3e").into(),
                percent.replace("%2F", "/").into(),
                escaped(&|unit| format!("\\u{unit:04x}")),
                escaped(&|unit| format!("\\u{unit:04X}")),
                secret.chars().map(|c| format!("&#{};", u32::from(c))).collect::<String>().into(),
                secret
                    .chars()
                    .map(|c| format!("&#x{:X};", u32::from(c)))
                    .collect::<String>()
                    .into(),
                secret.bytes().map(|byte| format!("\\x{byte:02x}")).collect::<String>().into(),
                format!("a: \"{}\\\n    {}\"", &secret[..4], &secret[4..]).into(),
                format!("{}\r\n\t{}", &secret[..4], &secret[4..]).into(),
                STANDARD.encode(format!("user:{secret}")).replace('+', "%2B").into(),
                STANDARD
                    .encode(format!("user:{secret}"))
                    .encode_utf16()
                    .flat_map(u16::to_be_bytes)
                    .collect(),
                STANDARD
                    .encode(format!("user:{secret}"))
                    .chars()
                    .flat_map(|c| [c, '\n'])
                    .collect::<String>()
                    .into(),
                // Octal, JavaScript's, mail's; strings that are joined; base64 within base64, and of UTF-16.
                secret.bytes().map(|byte| format!("\\{byte:03o}")).collect::<String>().into(),
                secret
                    .chars()
                    .map(|c| format!("\\u{{{:x}}}", u32::from(c)))
                    .collect::<String>()
                    .into(),
                format!(
                    "Content-Transfer-Encoding: Quoted-Printable\r\n\r\n{}=\r\n{}",
                    secret[..4].bytes().map(|byte| format!("={byte:02X}")).collect::<String>(),
                    secret[4..].bytes().map(|byte| format!("={byte:02X}")).collect::<String>(),
                )
                .into(),
                numbers("", " "),
                numbers("", ":"),
                numbers("0x", ", "),
                numbers("0x", ",\n  "),
                // As `xxd -i` and formatters of programs break lines.
                format!("{:?}", secret.as_bytes()).replacen(", ", ",\n    ", 3).into(),
                secret
                    .chars()
                    .map(|c| format!("\\U{:08x}", u32::from(c)))
                    .collect::<String>()
                    .into(),
                secret
                    .chars()
                    .map(|c| format!("\\x{{{:x}}}", u32::from(c)))
                    .collect::<String>()
                    .into(),
                escaped(&|unit| format!("%u{unit:04x}")),
                format!("{:?}", secret.as_bytes()).into(),
                secret.replace('?', "&quest;").replace('+', "&plus;").replace('/', "&sol;").into(),
                serde_json::to_vec_pretty(&serde_json::json!({"data": secret.as_bytes()})).unwrap(),
                secret.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(" ").into(),
                STANDARD.encode(format!("x{}", STANDARD.encode(format!("user:{secret}")))).into(),
                STANDARD
                    .encode(
                        format!("$x='{secret}'")
                            .encode_utf16()
                            .flat_map(u16::to_le_bytes)
                            .collect::<Vec<u8>>(),
                    )
                    .into(),
                secret
                    .chars()
                    .map(|c| format!("\\{c}"))
                    .collect::<String>()
                    .replace("\\r", "r")
                    .replace("\\t", "t")
                    .replace("\\u", "u")
                    .into(),
            ]);
            for joint in ["\" + \"", "\"\n    \"", "\" \\\n  \"", "' . '", "''", "` + `", "\",\n\""]
            {
                contents.push(format!("x = {}{joint}{};", &secret[..4], &secret[4..]).into());
            }
            for content in contents {
                assert!(finds(&content), "{secret}: {}", String::from_utf8_lossy(&content));
            }
            assert!(!finds(b"correct horse battery staple, 8 characters"));
        }
    }

    /// As these programs print it, a few bytes after the beginning of a file.
    #[test]
    fn a_secret_is_found_in_a_hex_dump() {
        let known = |secret: &str| KnownSecrets::new(vec![("it".to_owned(), Secret::new(secret))]);
        let it = known("correct horse battery staple");
        for (program, dump) in [
            (
                "xxd",
                "00000000: 7820 3d20 636f 7272 6563 7420 686f 7273  x = correct hors\n\
                 00000010: 6520 6261 7474 6572 7920 7374 6170 6c65  e battery staple\n\
                 00000020: 0a                                       .\n",
            ),
            (
                "xxd -g 1 -c 8",
                "00000000: 78 20 3d 20 63 6f 72 72  x = corr\n00000008: 65 63 74 20 68 6f 72 73  ect hors\n\
                 00000010: 65 20 62 61 74 74 65 72  e batter\n00000018: 79 20 73 74 61 70 6c 65  y staple\n\
                 00000020: 0a                       .\n",
            ),
            (
                "hexdump -C",
                "00000000  78 20 3d 20 63 6f 72 72  65 63 74 20 68 6f 72 73  |x = correct hors|\n\
                 00000010  65 20 62 61 74 74 65 72  79 20 73 74 61 70 6c 65  |e battery staple|\n\
                 00000020  0a                                                |.|\n00000021\n",
            ),
            (
                "hexdump",
                "0000000 2078 203d 6f63 7272 6365 2074 6f68 7372\n\
                 0000010 2065 6162 7474 7265 2079 7473 7061 656c\n0000020 000a\n0000021\n",
            ),
            (
                "od -A x -t x1z",
                "000000 78 20 3d 20 63 6f 72 72 65 63 74 20 68 6f 72 73  >x = correct hors<\n\
                 000010 65 20 62 61 74 74 65 72 79 20 73 74 61 70 6c 65  >e battery staple<\n\
                 000020 0a  >.<\n000021\n",
            ),
            ("xxd -p", "78203d20636f727265637420686f7273652062617474657279207374617\n06c650a\n"),
        ] {
            let places = it.places(format!("first line\n{dump}").as_bytes());
            assert!(places.iter().any(|place| place.line == 2), "{program}: {places:?}");
        }
        // Characters that look like bytes come after them.
        let hex = known("cafe babe 1234567");
        let dump = "00000000: 6361 6665 2062 6162 6520 3132 3334 3536  cafe babe 123456\n00000010: 370a  7.\n";
        assert!(!hex.places(dump.as_bytes()).is_empty());
    }

    /// As another program encodes it, after none to four other bytes.
    #[test]
    fn a_secret_is_found_in_base32() {
        let secret = Secret::new("correct horse battery");
        let known = KnownSecrets::new(vec![("it".to_owned(), secret)]);
        for text in [
            "MNXXE4TFMN2CA2DPOJZWKIDCMF2HIZLSPE======",
            "OVRW64TSMVRXIIDIN5ZHGZJAMJQXI5DFOJ4XQ===",
            "OVZWG33SOJSWG5BANBXXE43FEBRGC5DUMVZHS6DY",
            "OVZWKY3POJZGKY3UEBUG64TTMUQGEYLUORSXE6I=",
            "OVZWK4TDN5ZHEZLDOQQGQ33SONSSAYTBOR2GK4TZPA======",
        ] {
            for text in [text.to_owned(), text.to_ascii_lowercase()] {
                let places = known.places(text.as_bytes());
                assert!(places.iter().any(|place| place.how == ", in base32"), "{text}");
            }
        }
    }

    #[test]
    fn each_is_found_in_its_place_and_no_other() {
        let secret = |what: &str, text: &str| (what.to_owned(), Secret::new(text));
        let known = KnownSecrets::new(vec![
            secret("a", "correct horse"),
            secret("b", "correct horse battery"),
            secret("short", "abc"),
            secret("c", "12345678"),
        ]);
        let find = |text: &str| {
            let mut found = Vec::new();
            known.find(text.as_bytes(), |place, what, _| found.push((place, what.to_owned())));
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
