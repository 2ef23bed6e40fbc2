//! A text as a program would read it that undoes its escapes: those of JSON and of programs (`\\u002b`, `\\053`, `\\/`), of URLs
//! (`%2B`), of HTML and XML (`&#43;`), and of mail (`=2B`). Line breaks and the indentation after them are left out, too, the
//! zeros of UTF-16, and what joins two strings (`"…" + "…"`).

/// The most bytes that one becomes: `\u{10ffff}` is rare, `\u002b` is not, and within JSON it has one more.
pub(super) const LONGEST: usize = 8;
/// The number of times that escapes within escapes are undone.
pub(super) const LAYERS: usize = 3;

/// The ASCII characters that have a name in HTML.
const ENTITIES: [(&str, char); 33] = [
    ("amp", '&'),
    ("ast", '*'),
    ("apos", '\''),
    ("bsol", '\\'),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("dollar", '$'),
    ("equals", '='),
    ("excl", '!'),
    ("grave", '`'),
    ("gt", '>'),
    ("Hat", '^'),
    ("lbrace", '{'),
    ("lbrack", '['),
    ("lcub", '{'),
    ("lowbar", '_'),
    ("lpar", '('),
    ("lsqb", '['),
    ("lt", '<'),
    ("num", '#'),
    ("percnt", '%'),
    ("period", '.'),
    ("plus", '+'),
    ("quest", '?'),
    ("quot", '"'),
    ("rbrace", '}'),
    ("rbrack", ']'),
    ("rcub", '}'),
    ("rpar", ')'),
    ("rsqb", ']'),
    ("semi", ';'),
    ("sol", '/'),
];

/// A text in the encoding of mail names it; in another, what follows a `=` is a value.
const MAIL: &[u8] = b"quoted-printable";
/// Most bytes between two strings that are joined.
const MAX_JOINT: usize = 64;

/// A text, and where in it the lines of the original begin.
pub(super) struct Undone {
    bytes: Vec<u8>,
    breaks: Vec<usize>,
}

/// Undoes the escapes of a content; `None` where there are none.
pub(super) fn undone(content: &[u8]) -> Option<Undone> {
    let breaks = content.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let breaks: Vec<usize> = breaks.map(|(at, _)| at).collect();
    undo(content, &breaks)
}

impl Undone {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the line of the original that this place was in.
    pub(super) fn line(&self, at: usize) -> usize {
        1 + self.breaks.partition_point(|before| *before <= at)
    }

    /// Undoes the escapes that were within escapes.
    pub(super) fn undone(&self) -> Option<Self> {
        undo(&self.bytes, &self.breaks)
    }
}

fn undo(from: &[u8], breaks: &[usize]) -> Option<Undone> {
    let mut bytes = Vec::with_capacity(from.len());
    let mut moved = Vec::with_capacity(breaks.len());
    let mut at = 0;
    let mut is_mail = false;
    // A loop: an iterator takes several times as long where it is not optimized.
    while at < from.len() {
        while moved.len() < breaks.len() && breaks[moved.len()] <= at {
            moved.push(bytes.len());
        }
        let byte = from[at];
        let length = match byte {
            b'\\' | b'%' | b'&' => undo_one(&from[at..], &mut bytes),
            b'=' if is_mail => undo_one(&from[at..], &mut bytes),
            b'q' | b'Q' if !is_mail => {
                let word = from.get(at..at + MAIL.len());
                is_mail = word.is_some_and(|word| word.eq_ignore_ascii_case(MAIL));
                0
            }
            b'"' | b'\'' | b'`' => joint(&from[at..]),
            b'\r' | b'\n' => {
                let rest = &from[at + 1..];
                1 + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
            }
            // A list has blanks and breaks after some of its commas.
            b',' => {
                let blank = |byte: &&u8| byte.is_ascii_whitespace();
                let blanks = from[at + 1..].iter().take_while(blank).count();
                bytes.extend((blanks > 0).then_some(b','));
                if blanks > 0 { blanks + 1 } else { 0 }
            }
            0 => 1,
            _ => 0,
        };
        if length == 0 {
            bytes.push(byte);
        }
        at += length.max(1);
    }
    moved.resize(breaks.len(), bytes.len());
    (bytes != from).then_some(Undone { bytes, breaks: moved })
}

/// Returns the length of what joins a string that ends here with the next one; 0 where none begins.
fn joint(text: &[u8]) -> usize {
    if text.get(1).is_none_or(u8::is_ascii_alphanumeric) {
        return 0;
    }
    let rest = &text[1..text.len().min(MAX_JOINT)];
    let is_between = |byte: &&u8| byte.is_ascii_whitespace() || b"+.,&|~\\".contains(byte);
    let length = rest.iter().take_while(is_between).count();
    let is_operator = |byte: &&u8| !byte.is_ascii_whitespace() && **byte != b'\\';
    match rest.get(length) {
        Some(next)
            if *next == text[0] && rest[..length].iter().filter(is_operator).count() <= 1 =>
        {
            length + 2
        }
        _ => 0,
    }
}

/// Appends what an escape at the beginning of `text` means, and returns the escape's length; 0 without an escape.
fn undo_one(text: &[u8], bytes: &mut Vec<u8>) -> usize {
    let Some((length, meaning)) = escape(text) else {
        return 0;
    };
    match meaning {
        Meaning::Nothing => {}
        Meaning::Byte(byte) => bytes.push(byte),
        Meaning::Character(code) => {
            let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            bytes.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    length
}

/// The meaning of an escape.
enum Meaning {
    Nothing,
    Byte(u8),
    Character(u32),
}

/// Returns the length of an escape at the beginning of `text`, and what it means.
fn escape(text: &[u8]) -> Option<(usize, Meaning)> {
    use Meaning::{Byte, Character, Nothing};
    let number = |from: usize, length: usize, radix: u32| {
        let digits = std::str::from_utf8(text.get(from..from + length)?).ok()?;
        let is_digits = digits.chars().all(|digit| digit.is_digit(radix));
        is_digits.then(|| u32::from_str_radix(digits, radix).ok())?
    };
    let byte = |from: usize, length: usize, radix: u32| {
        number(from, length, radix).map(|code| Byte(u8::try_from(code).unwrap_or_default()))
    };
    Some(match (text[0], text.get(1)?) {
        // A line of a mail that goes on; or one of a program: the break is left out with the rest.
        (b'=' | b'\\', b'\r' | b'\n') => (1, Nothing),
        // As JavaScript's escape() writes it.
        (b'%', b'u') => (6, Character(number(2, 4, 16)?)),
        (b'%' | b'=', _) => (3, byte(1, 2, 16)?),
        (b'&', _) => {
            let end = text.iter().take(12).position(|byte| *byte == b';')?;
            let name = std::str::from_utf8(&text[1..end]).ok()?;
            let hex = name.strip_prefix("#x").or(name.strip_prefix("#X"));
            let code = match (hex, name.strip_prefix('#')) {
                (Some(hex), _) => u32::from_str_radix(hex, 16).ok()?,
                (None, Some(digits)) => digits.parse().ok()?,
                (None, None) => ENTITIES.iter().find(|(other, _)| *other == name)?.1.into(),
            };
            (end + 1, Character(code))
        }
        (_, b'U') if number(2, 8, 16).is_some() => (10, Character(number(2, 8, 16)?)),
        (_, b'u' | b'x') if text.get(2) == Some(&b'{') => {
            let digits = text.iter().skip(3).take(7).position(|byte| *byte == b'}')?;
            (digits + 4, Character(number(3, digits, 16)?))
        }
        (_, b'0'..=b'3') if number(1, 3, 8).is_some() => (4, byte(1, 3, 8)?),
        (_, b'u') => match number(2, 4, 16)? {
            // The second half of a character follows.
            high @ 0xd800..=0xdbff => {
                let low = number(8, 4, 16).filter(|low| (0xdc00..=0xdfff).contains(low))?;
                (12, Character(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)))
            }
            code => (6, Character(code)),
        },
        (_, b'x') => (4, byte(2, 2, 16)?),
        (_, b'n' | b'r') => (2, Byte(b'\n')),
        (_, b't') => (2, Byte(b'\t')),
        (_, other) => (2, Byte(*other)),
    })
}
