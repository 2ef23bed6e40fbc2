//! Secrets of this machine, in each form in which they leave it.

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
            secret.chars().map(|c| format!("&#x{:X};", u32::from(c))).collect::<String>().into(),
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
            secret.chars().map(|c| format!("\\u{{{:x}}}", u32::from(c))).collect::<String>().into(),
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
            secret.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect::<String>().into(),
            secret.chars().map(|c| format!("\\x{{{:x}}}", u32::from(c))).collect::<String>().into(),
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
        for joint in ["\" + \"", "\"\n    \"", "\" \\\n  \"", "' . '", "''", "` + `", "\",\n\""] {
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
    let dump =
        "00000000: 6361 6665 2062 6162 6520 3132 3334 3536  cafe babe 123456\n00000010: 370a  7.\n";
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
