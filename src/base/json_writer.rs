//! Writes JSON, byte for byte as `serde_json` does, with a tenth of its code: every request writes a line of the log.

use core::fmt::Write as _;

use serde_json::Value;

/// Room for most objects, in bytes: a line of the log, and a problem document.
const ROOM: usize = 1_024;

/// A JSON object as text. Its members are in the order in which they are set; no character of their names needs an
/// escape.
#[derive(Debug)]
pub struct ObjectWriter {
    text: String,
    charset: Charset,
}

/// The characters that are not escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charset {
    Unicode,
    VisibleAscii,
}

/// The value of a member.
#[derive(Clone, Copy, Debug)]
pub enum Member<'v> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A number from 0 on.
    Count(u64),
    /// Any whole number.
    Integer(i64),
    /// A string.
    Text(&'v str),
}

impl ObjectWriter {
    /// Begins an object.
    pub fn new() -> Self {
        Self::begin(Charset::Unicode)
    }

    /// Begins an object that is a line of the log, in visible ASCII: what a caller chose cannot move a terminal's
    /// cursor, or turn the direction of the text around it.
    pub fn line() -> Self {
        Self::begin(Charset::VisibleAscii)
    }

    fn begin(charset: Charset) -> Self {
        let mut text = String::with_capacity(ROOM);
        text.push('{');
        Self { text, charset }
    }

    /// Sets a member.
    pub fn set<'v>(&mut self, name: &'static str, value: impl Into<Member<'v>>) {
        self.name(name);
        push_member(&mut self.text, self.charset, value.into());
    }

    /// Sets a member to a list of strings.
    pub fn set_list(&mut self, name: &'static str, values: &[String]) {
        self.name(name);
        self.text.push('[');
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            push_string(&mut self.text, self.charset, value);
        }
        self.text.push(']');
    }

    /// Sets a member to another object.
    pub fn set_object(&mut self, name: &'static str, object: Self) {
        self.name(name);
        self.text.push_str(&object.end());
    }

    /// Ends the object.
    pub fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn name(&mut self, name: &'static str) {
        debug_assert!(name.bytes().all(|byte| is_plain(byte, Charset::VisibleAscii)), "{name}");
        self.text.push_str(if self.text.len() > 1 { ",\"" } else { "\"" });
        self.text.push_str(name);
        self.text.push_str("\":");
    }
}

/// Returns a value as JSON.
pub fn text(value: &Value) -> String {
    let mut text = String::new();
    push_value(&mut text, Charset::Unicode, value);
    text
}

/// Returns a value as one line of the log, in visible ASCII.
pub fn line(value: &Value) -> String {
    let mut text = String::new();
    push_value(&mut text, Charset::VisibleAscii, value);
    text
}

fn push_value(text: &mut String, charset: Charset, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(flag) => push_member(text, charset, Member::Flag(*flag)),
        Value::Number(number) => {
            let _infallible = write!(text, "{number}");
        }
        Value::String(string) => push_string(text, charset, string),
        Value::Array(values) => {
            let mut before = '[';
            for value in values {
                text.push(before);
                push_value(text, charset, value);
                before = ',';
            }
            text.push_str(if before == '[' { "[]" } else { "]" });
        }
        Value::Object(members) => {
            let mut before = '{';
            for (name, value) in members {
                text.push(before);
                push_string(text, charset, name);
                text.push(':');
                push_value(text, charset, value);
                before = ',';
            }
            text.push_str(if before == '{' { "{}" } else { "}" });
        }
    }
}

fn push_member(text: &mut String, charset: Charset, value: Member<'_>) {
    match value {
        Member::Null => text.push_str("null"),
        Member::Flag(flag) => text.push_str(if flag { "true" } else { "false" }),
        Member::Count(number) => push_number(text, number),
        Member::Integer(number) => {
            if number < 0 {
                text.push('-');
            }
            push_number(text, number.unsigned_abs());
        }
        Member::Text(string) => push_string(text, charset, string),
    }
}

/// Appends a number in decimal: a formatter would take longer than the rest of the member.
pub fn push_number(text: &mut String, number: u64) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.extend(u8::try_from(number % 10).ok().map(|digit| char::from(b'0'.saturating_add(digit))));
}

/// Returns true if this byte of a string is written as it is.
fn is_plain(byte: u8, charset: Charset) -> bool {
    let last = match charset {
        Charset::Unicode => 0xff,
        Charset::VisibleAscii => b'~',
    };
    (b' '..=last).contains(&byte) && byte != b'"' && byte != b'\\'
}

/// Returns true if none of these bytes is escaped: none is a control character, a quote, a backslash, or beyond `~`.
fn are_plain(bytes: &[u8; 8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    let word = u64::from_le_bytes(*bytes);
    // The high bit of a byte is set if the byte is below `limit`; it may be, if it was set before.
    let below = |word: u64, limit: u64| word.wrapping_sub(EACH.wrapping_mul(limit));
    let is = |byte: u8| below(word ^ EACH.wrapping_mul(byte.into()), 1);
    (word | below(word, b' '.into()) | is(b'"') | is(b'\\') | is(0x7f)) & HIGH == 0
}

/// Returns the index of the first byte that is not written as it is.
fn find_escaped(string: &str, charset: Charset) -> Option<usize> {
    // Most strings need no escape, and eight bytes at once cost as much as one.
    let (words, _) = string.as_bytes().as_chunks();
    let plain = words.iter().take_while(|word| are_plain(word)).count().saturating_mul(8);
    let mut rest = string.bytes().enumerate().skip(plain);
    rest.find(|(_, byte)| !is_plain(*byte, charset)).map(|(at, _)| at)
}

fn push_string(text: &mut String, charset: Charset, string: &str) {
    text.push('"');
    let mut rest = string;
    while let Some(at) = find_escaped(rest, charset) {
        let (plain, other) = rest.split_at(at);
        text.push_str(plain);
        let mut characters = other.chars();
        if let Some(character) = characters.next() {
            push_escaped(text, character);
        }
        rest = characters.as_str();
    }
    text.push_str(rest);
    text.push('"');
}

fn push_escaped(text: &mut String, character: char) {
    let short = match character {
        '"' => '"',
        '\\' => '\\',
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _infallible = write!(text, "\\u{unit:04x}");
            }
            return;
        }
    };
    text.push('\\');
    text.push(short);
}

impl Default for ObjectWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl<'v, T: Into<Member<'v>>> From<Option<T>> for Member<'v> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<bool> for Member<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<u16> for Member<'_> {
    fn from(number: u16) -> Self {
        Self::Count(number.into())
    }
}

impl From<u32> for Member<'_> {
    fn from(number: u32) -> Self {
        Self::Count(number.into())
    }
}

impl From<u64> for Member<'_> {
    fn from(number: u64) -> Self {
        Self::Count(number)
    }
}

impl From<i64> for Member<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl<'v> From<&'v str> for Member<'v> {
    fn from(text: &'v str) -> Self {
        Self::Text(text)
    }
}

impl From<Member<'_>> for Value {
    fn from(member: Member<'_>) -> Self {
        match member {
            Member::Null => Self::Null,
            Member::Flag(flag) => flag.into(),
            Member::Count(number) => number.into(),
            Member::Integer(number) => number.into(),
            Member::Text(text) => text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Returns each character that is escaped somewhere, and neighbours of it, also at each place of a word.
    fn strings() -> impl Iterator<Item = String> {
        let ascii = (0..0x180).filter_map(char::from_u32);
        let others =
            ['\u{7ff}', '\u{200e}', '\u{202e}', '\u{d7ff}', '\u{e000}', '\u{feff}', '\u{10ffff}'];
        ascii.chain(others).flat_map(|one| {
            let short = [one.to_string(), format!("a{one}{one}\"b"), format!("é{one}")];
            let places = (0..9).map(move |at| format!("{}{one} ~!", "~".repeat(at)));
            short.into_iter().chain(places)
        })
    }

    #[test]
    fn eight_bytes_are_plain_if_each_is() {
        for (byte, at) in (0..=u8::MAX).flat_map(|byte| (0..8).map(move |at| (byte, at))) {
            let mut bytes = *b" ~!#[]az";
            bytes[at] = byte;
            assert_eq!(are_plain(&bytes), is_plain(byte, Charset::VisibleAscii), "{bytes:?}");
        }
    }

    #[test]
    fn strings_are_those_of_serde_json() {
        for string in strings().chain([String::new()]) {
            let value = json!([string, {string.as_str(): string}]);
            assert_eq!(text(&value), value.to_string());
            let mut object = ObjectWriter::new();
            object.set("a", string.as_str());
            assert_eq!(object.end(), json!({"a": string}).to_string());
        }
    }

    #[test]
    fn a_line_is_visible_ascii_and_means_the_same() {
        for string in strings() {
            let value = json!({"a": [string], string.as_str(): null});
            let line = line(&value);
            assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line}");
            assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
        }
    }

    #[test]
    fn values_are_those_of_serde_json() {
        for value in [
            json!(null),
            json!([]),
            json!({}),
            json!([[], {}, [[]], {"a": {}}]),
            json!([true, false, 0, -1, 1.5, 1e300, u64::MAX, i64::MIN]),
            json!({"b": 1, "a": [1, {"c": "d"}], "e": {"g": [], "f": null}}),
        ] {
            assert_eq!(text(&value), value.to_string());
        }
    }

    #[test]
    fn members_are_those_of_serde_json() {
        let numbers = [0, 1, 9, 10, 11, 99, 100, 1_234_567_890, u64::MAX / 10, u64::MAX];
        for number in numbers {
            let signed = number.cast_signed();
            let mut object = ObjectWriter::line();
            object.set("a", number);
            object.set("b", Some(signed));
            object.set("c", None::<u16>);
            object.set("d", Some(true));
            object.set_list("e", &["x".to_owned(), "é".to_owned()]);
            object.set_list("f", &[]);
            object.set_object("g", ObjectWriter::new());
            let expected = json!({"a": number, "b": signed, "c": null, "d": true, "e": ["x", "é"], "f": [], "g": {}});
            assert_eq!(object.end(), expected.to_string().replace('é', "\\u00e9"));
        }
    }
}
