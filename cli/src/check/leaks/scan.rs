//! Looks through one text for what looks like a token.
//!
//! In one pass it finds the words, runs of the bytes that tokens are made of, and looks only at the
//! long ones: at their form, and at what precedes them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::allowlist::{Allowlist, mark};
use super::archive;
use super::entropy;
use super::known_secrets::{KnownSecrets, Place};
use crate::token_patterns;

/// Something that looks like a secret. Its text is not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) line: usize,
    pub(super) kind: String,
    /// Its name in `.writegate-ignore`; `None` if it cannot be allowed.
    pub(super) mark: Option<String>,
}

pub(in crate::check) struct Scanner {
    known: KnownSecrets,
    allowlist: Allowlist,
    words: [bool; 256],
    first: [bool; 256],
}

/// The beginning of a private key, before its kind.
const PEM: &[u8] = b"-----BEGIN";
/// The beginnings of a gzip file and of a ZIP file in base64.
const PACKED: [&[u8]; 2] = [b"H4sI", b"UEsDB"];
/// A header of one member, ten bytes of claims and twenty of a signature.
const LEAST_JWT: usize = 50;
/// The longest distance between a name and the word that it is for.
const BEFORE: usize = 80;
/// The longest distance between the beginning of a block and the line of it that has the value.
const BLOCK: usize = 600;

impl Scanner {
    pub(super) fn new(known: KnownSecrets, allowlist: Allowlist) -> Self {
        let mut words = [false; 256];
        for (byte, word) in (0_u8..=255).zip(words.iter_mut()) {
            *word = byte.is_ascii_alphanumeric() || b"_-.+/~".contains(&byte);
        }
        Self { known, allowlist, words, first: token_patterns::first_bytes() }
    }

    /// Returns true if a file is binary, as git decides it.
    pub(super) fn is_binary(content: &[u8]) -> bool {
        content.iter().take(8_000).any(|byte| *byte == 0)
    }

    /// Returns the secrets of this machine that are in a content of any kind.
    pub(super) fn known(&self, content: &[u8]) -> Vec<Hit> {
        let places = self.known.places(content).into_iter();
        let hit = |place: Place<'_>| Hit {
            line: place.line,
            kind: format!("{}{}", place.what, place.how),
            mark: None,
        };
        places.map(hit).collect()
    }

    /// Returns the secrets of this machine in a gzip or ZIP file in base64, which begins on this line.
    fn packed(&self, line: usize, text: &[u8]) -> impl Iterator<Item = Hit> {
        let is_text = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/\r\n \t".contains(byte);
        let letters = text.iter().take_while(is_text).filter(|byte| !byte.is_ascii_whitespace());
        let letters: Vec<u8> = letters.copied().collect();
        // Four letters are three bytes; the last ones are of its checksum.
        let packed = STANDARD_NO_PAD.decode(&letters[..letters.len() / 4 * 4]).unwrap_or_default();
        let mut files = archive::unzipped(&packed);
        files.extend(archive::gunzipped(&packed));
        let hits: Vec<Hit> = files.iter().flat_map(|file| self.known(file)).collect();
        let packed =
            move |hit: Hit| Hit { line, kind: hit.kind + ", packed and in base64", mark: None };
        hits.into_iter().map(packed)
    }

    /// Returns the length of the longest secret of this machine, in any encoding.
    pub(super) fn longest(&self) -> usize {
        self.known.longest()
    }

    /// Returns the findings, and the number of those that the allowlist has.
    pub(super) fn scan(&self, content: &[u8]) -> (Vec<Hit>, usize) {
        let mut hits = self.known(content);
        let mut accepted = 0;
        let certain: Vec<usize> = hits.iter().map(|hit| hit.line).collect();
        let (mut line, mut line_start, mut start, mut index) = (1, 0, 0, 0);
        // A loop: an iterator takes ten times as long where it is not optimized, as in `cargo run`.
        while index <= content.len() {
            let byte = if index < content.len() { content[index] } else { b'\n' };
            index += 1;
            if self.words[usize::from(byte)] {
                continue;
            }
            let end = index - 1;
            if PACKED.iter().any(|begin| content[start..end].starts_with(begin)) {
                hits.extend(self.packed(line, &content[start..]));
            }
            if end - start >= PEM.len()
                && !certain.contains(&line)
                && let Some((kind, string)) = self.judge(content, line_start, start, end)
            {
                let mark = mark(string);
                if self.allowlist.has(&mark) {
                    accepted += 1;
                } else {
                    hits.push(Hit { line, kind: kind.to_owned(), mark: Some(mark) });
                }
            }
            start = index;
            if byte == b'\n' {
                line += 1;
                line_start = start;
            }
        }
        hits.sort_by_key(|hit| hit.line);
        hits.dedup();
        (hits, accepted)
    }

    /// Returns the kind of the word at `start..end` if it is a token, and the part of it that is one.
    fn judge<'c>(
        &self,
        content: &'c [u8],
        line_start: usize,
        start: usize,
        end: usize,
    ) -> Option<(&'static str, &'c [u8])> {
        let word = &content[start..end];
        if word == PEM {
            return Some(("a private key", private_key(&content[end..])?));
        }
        if word.len() < entropy::LEAST {
            return None;
        }
        let mut offset = 0;
        while offset + entropy::LEAST <= word.len() {
            let begins = offset == 0 || !word[offset - 1].is_ascii_alphanumeric();
            if begins
                && self.first[usize::from(word[offset])]
                && let Some((pattern, length)) = token_patterns::at(&word[offset..])
            {
                let token = &word[offset..offset + length];
                if entropy::not_an_example(&token[pattern.prefix.len()..]) {
                    return Some((pattern.kind, token));
                }
            }
            offset += 1;
        }
        if let Some(token) = jwt(word) {
            return Some(("a JWT", token));
        }
        let begin = line_start.max(start.saturating_sub(BEFORE));
        let (before, after) = (&content[begin..start], &content[end..]);
        let last = before.len().saturating_sub(7);
        if before[last..].eq_ignore_ascii_case(b"bearer ") && entropy::is_random(word) {
            return Some(("a bearer token", word));
        }
        let last = before.len().saturating_sub(6);
        if before[last..].eq_ignore_ascii_case(b"basic ") && is_user_and_password(word) {
            return Some(("a user and a password", word));
        }
        if after.first() == Some(&b'@') && is_password_of_url(before) && entropy::is_random(word) {
            return Some(("a password in a URL", word));
        }
        let earlier = &content[line_start.saturating_sub(BLOCK)..line_start];
        (is_assigned(earlier, before, after) && entropy::is_random(word))
            .then_some(("a value of such a name", word))
    }
}

/// Returns the first line of a private key, after `-----BEGIN`.
fn private_key(rest: &[u8]) -> Option<&[u8]> {
    let line = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let title = b"PRIVATE KEY-----";
    let found = rest[..line].windows(title.len()).position(|part| part == title)?;
    let body = &rest[found + title.len()..];
    // On the next line, or behind an escaped break on the same.
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    let skipped = body
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace() || b"\\rn\"',".contains(byte))
        .count();
    let length = body[skipped..].iter().take_while(|byte| is_key(byte)).count();
    let key = &body[skipped..skipped + length];
    (length >= 40 && entropy::not_an_example(key)).then_some(key)
}

/// Returns a JWT in a word: three parts, the first of which is a header.
fn jwt(word: &[u8]) -> Option<&[u8]> {
    if word.len() < LEAST_JWT {
        return None;
    }
    let start = word.windows(3).position(|part| part == b"eyJ")?;
    let token = &word[start..];
    let length =
        token.iter().take_while(|byte| token_patterns::Alphabet::Dotted.has(**byte)).count();
    let mut parts = token[..length].split(|byte| *byte == b'.');
    let header = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    let (payload, signature) = (parts.next()?, parts.next()?);
    let whole = header["alg"].is_string() && payload.len() >= 10 && signature.len() >= 20;
    whole.then_some(&token[..length])
}

/// Returns true for the beginning of a URL up to its password.
fn is_password_of_url(before: &[u8]) -> bool {
    let user = before.strip_suffix(b":").unwrap_or_default();
    let start = user.windows(3).rposition(|part| part == b"://");
    start.is_some_and(|start| !user[start + 3..].iter().any(|byte| b"/?# \"'".contains(byte)))
}

fn is_user_and_password(word: &[u8]) -> bool {
    let decoded = STANDARD_NO_PAD.decode(word).unwrap_or_default();
    let text = std::str::from_utf8(&decoded).unwrap_or_default();
    let password = text.split_once(':').map(|(_, password)| password);
    password.is_some_and(|password| password.len() >= 8 && entropy::not_an_example(word))
}

/// Parts of the names of secrets, and the ends of names of other things.
const SECRET: [&str; 11] = [
    "token", "secret", "passwd", "password", "api_key", "api-key", "apikey", "access_key",
    "auth_key", "private_key", "credential",
];
const NO_SECRET: [&str; 10] =
    ["id", "ids", "name", "hash", "fingerprint", "digest", "url", "path", "file", "type"];

/// Returns true if a value between these is assigned to such a name, and is a text. `earlier` are the lines before.
fn is_assigned(earlier: &[u8], before: &[u8], after: &[u8]) -> bool {
    let above = earlier.strip_suffix(b"\n").unwrap_or_default();
    let above = above.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let after = &after[after.iter().take_while(|byte| **byte == b'=').count()..];
    let (before, quote) = match before.split_last() {
        // Three of them, as in Python and TOML, are as good as one.
        Some((quote @ (b'"' | b'\'' | b'`'), rest)) => {
            (without_prefix(trimmed(rest, &[*quote])), Some(*quote))
        }
        _ => (before, None),
    };
    let (before, after) = match (before.strip_suffix(b"<![CDATA["), after.strip_prefix(b"]]>")) {
        (Some(before), Some(after)) => (before, after),
        _ => (before, after),
    };
    // JSON within JSON has backslashes before its quotes.
    let before = trimmed(before, b"\\");
    let after = &after[after.iter().take_while(|byte| **byte == b'\\').count()..];
    let before = before.trim_ascii_end();
    let Some((named, is_element)) = name_before(above, before, quote.is_some()) else {
        return false;
    };
    let ends = match quote {
        _ if is_element => after.starts_with(b"</"),
        Some(quote) => after.first() == Some(&quote),
        None => after
            .first()
            .is_none_or(|byte| byte.is_ascii_whitespace() || b",;#}&'\"`)]<|".contains(byte)),
    };
    // The other member of a pair says whose value it is.
    let named = match named.eq_ignore_ascii_case(b"value") {
        true => paired(before).or_else(|| paired(above)).unwrap_or(named),
        false if named == b"default" => variable_of(earlier).unwrap_or(named),
        false => named,
    };
    let name = named.to_ascii_lowercase();
    let name = String::from_utf8_lossy(&name).into_owned();
    ends && SECRET.iter().any(|word| name.contains(word))
        && !NO_SECRET.iter().any(|word| {
            let rest = name.strip_suffix(word);
            rest.is_some_and(|rest| rest.ends_with(['_', '-']))
        })
}

/// Returns the name before a value, as languages write it, and true if it is the name of an XML element.
fn name_before<'t>(above: &'t [u8], before: &'t [u8], is_quoted: bool) -> Option<(&'t [u8], bool)> {
    let plain = |text| Some((last_name(text), false));
    match before.split_last() {
        Some((b'=', rest)) if !rest.ends_with(b"=") && !rest.ends_with(b"!") => {
            plain(without_type(trimmed(rest, b":?|+")))
        }
        // An assignment of R: `name <- value`.
        Some((b'-', rest)) if rest.ends_with(b"<") => plain(&rest[..rest.len() - 1]),
        Some((b'>', rest)) if rest.ends_with(b"=") => plain(&rest[..rest.len() - 1]),
        Some((b'>', rest)) if !is_quoted => {
            let at = rest.iter().rposition(|byte| *byte == b'<')?;
            let element = rest[at + 1..].split(u8::is_ascii_whitespace).next()?;
            Some((element, true))
        }
        Some((b':', rest)) if !rest.ends_with(b":") => {
            plain(rest.strip_suffix(b":").unwrap_or(rest))
        }
        // define('TOKEN', '…'), headers.set("X-Token", "…").
        Some((b',', rest)) if is_quoted && matches!(rest.last(), Some(b'\'' | b'"')) => plain(rest),
        // A Dockerfile's, a shell's, C's.
        Some(_)
            if [
                "ENV ", "ARG ", "env ", "arg ", "#define ", "setx ", "setenv ", "set -x ",
                "set -gx ",
            ]
            .iter()
            .any(|word| before.trim_ascii_start().starts_with(word.as_bytes())) =>
        {
            plain(before)
        }
        Some(_) if is_netrc(before) => plain(before),
        // An option of a command line.
        Some(_) if before.rsplit(u8::is_ascii_whitespace).next()?.starts_with(b"-") => {
            plain(before)
        }
        // A block of YAML, an element of XML.
        None => {
            let above = above.trim_ascii_end();
            if let Some(element) = above.strip_suffix(b">") {
                let at = element.iter().rposition(|byte| *byte == b'<')?;
                return Some((element[at + 1..].split(u8::is_ascii_whitespace).next()?, false));
            }
            let key = trimmed(above, b"|>+-0123456789").trim_ascii_end().strip_suffix(b":")?;
            plain(key)
        }
        Some(_) => None,
    }
}

/// Returns the name at the end of a text, without quotes and brackets around it.
fn last_name(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_end();
    let text = text.strip_suffix(b"]").unwrap_or(text);
    let text = text.strip_suffix(b"[").unwrap_or(text);
    let text = match text.split_last() {
        Some((b'"' | b'\'' | b'`', rest)) => trimmed(rest, b"\\"),
        _ => trimmed(text, b"?!"),
    };
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-".contains(*byte);
    &text[text.len() - text.iter().rev().take_while(is_part).count()..]
}

/// Returns true for a line of `.netrc` up to its password, which may be in a line with its machine.
fn is_netrc(before: &[u8]) -> bool {
    let line = before.trim_ascii();
    let begins =
        [&b"machine "[..], b"default ", b"login "].iter().any(|word| line.starts_with(word));
    line == b"password" || (begins && line.ends_with(b" password"))
}

/// Returns the name of Terraform's variable in whose block the lines end.
fn variable_of(earlier: &[u8]) -> Option<&[u8]> {
    let mut lines = earlier.rsplit(|byte| *byte == b'\n').skip_while(|line| line.is_empty());
    let block = lines.find(|line| !line.first().is_none_or(u8::is_ascii_whitespace))?;
    let name = block.strip_prefix(b"variable \"")?;
    name.split(|byte| *byte == b'"').next()
}

/// Returns the name in `name: X`, `key="X"` and the like, which a `value` is for.
fn paired(text: &[u8]) -> Option<&[u8]> {
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.".contains(*byte);
    let at = |word: &[u8]| {
        let is_word = |part: &[u8]| part.eq_ignore_ascii_case(word);
        text.windows(word.len()).rposition(is_word).map(|at| at + word.len())
    };
    let rest = &text[at(b"name").max(at(b"key"))?..];
    let rest = &rest[rest.iter().take_while(|byte| b"\\\"' :=".contains(byte)).count()..];
    let name = &rest[..rest.iter().take_while(is_part).count()];
    (!name.is_empty()).then_some(name)
}

/// Removes the letter before a quote that says what kind of text it is: `b"…"`, `r'…'`, `@"…"`.
fn without_prefix(text: &[u8]) -> &[u8] {
    let plain = trimmed(text, b"rbfuRBFU@$");
    let is_word =
        plain.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte));
    if text.len() - plain.len() <= 2 && !is_word { plain } else { text }
}

/// Returns `token` of `token: string`, without its type, as in TypeScript, Rust, Python and Kotlin.
fn without_type(text: &[u8]) -> &[u8] {
    let is_type = |byte: &u8| byte.is_ascii_alphanumeric() || b" _<>|[]&?".contains(byte);
    match text.iter().rposition(|byte| !is_type(byte)) {
        // `$env:TOKEN` of PowerShell has a name there, and `/:_authToken` nothing before it.
        Some(at) if text[..at].ends_with(b"$env") => text,
        Some(at)
            if !text[..at]
                .last()
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_?!' ".contains(byte)) =>
        {
            text
        }
        Some(at) if text[at] == b':' && !text[at + 1..].trim_ascii().is_empty() => &text[..at],
        _ => text,
    }
}

/// Returns a text without these bytes at its end.
fn trimmed<'t>(text: &'t [u8], bytes: &[u8]) -> &'t [u8] {
    let count = text.iter().rev().take_while(|byte| bytes.contains(byte)).count();
    &text[..text.len() - count]
}

#[cfg(test)]
mod tests;
