//! An entry of a HAR file, as browsers and other programs export it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use writegate::{Problem, Timestamp};

use crate::error::{Error, Result};
use crate::{percent, target};

use super::request_input::RequestInput;

/// An entry of a HAR file: the request, and what was answered.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Entry {
    pub(crate) request: RequestInput,
    pub(crate) status: Option<u64>,
    /// `None` where the browser did not keep it.
    pub(crate) answer: Option<String>,
    /// The reason why there was no answer, in the browser's words, which may be empty.
    pub(crate) unanswered: Option<String>,
    /// The request had a body, which the file lacks.
    pub(crate) lost_body: bool,
}

/// The programs that export this format.
const EXPORT: &str =
    "export it as HAR, from a browser's network tab, Charles, Fiddler, Insomnia or mitmproxy";

/// Reads an entry of a HAR file (the format of browsers' developer tools), or a lone entry. Without a number it is the only
/// one, or the only one that a gate refused.
pub(crate) fn read(text: &str, number: Option<u32>) -> Result<Entry> {
    if text.trim_start().starts_with("curl ") {
        return Err(wrong("it is a command of curl: give that after -- instead"));
    }
    let document: Value = serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&without_lone_surrogates(text)))
        .map_err(|error| wrong(&format!("not JSON: {error}; {EXPORT}")))?;
    let entry = find(&document, number)?;
    let recorded = &entry["request"];
    let member = |name: &str| {
        let text = recorded[name].as_str();
        text.ok_or_else(|| wrong(&format!("the entry has no request.{name}")))
    };
    let mut request = RequestInput {
        method: member("method")?.to_owned(),
        url: url(member("url")?, &recorded["queryString"])
            .map_err(|hint| wrong(&format!("request.url: {hint}")))?,
        body: body(&recorded["postData"]),
        at: entry["startedDateTime"].as_str().and_then(Timestamp::parse_rfc3339),
        headers: Vec::new(),
    };
    for header in recorded["headers"].as_array().into_iter().flatten() {
        if let (Some(name), Some(value)) = (header["name"].as_str(), header["value"].as_str())
            // HTTP/2 has parts of the request line as headers.
            && !name.starts_with(':')
            // Firefox repeats those of a form.
            && !(is_of_body(name) && request.header(&name.to_ascii_lowercase()) == Some(value))
        {
            request.add(name, value);
        }
    }
    // Browsers leave files out of a form, and write bytes that are no text as others; some state no size then.
    let length = request.header("content-length").and_then(|text| text.parse::<usize>().ok());
    if let Some(length) = length {
        request.body = without_headers(request.body, length);
    }
    let has_more = || {
        let params = recorded["postData"]["params"].as_array();
        recorded["bodySize"].as_i64().is_some_and(|size| size > 0)
            || params.is_some_and(|params| !params.is_empty())
    };
    let lost_body = match length {
        Some(length) => request.body.len() != length,
        None => !request.has_body() && has_more(),
    };
    Ok(Entry {
        request: request.complete(),
        // Where there was no answer, it is 0.
        status: entry["response"]["status"].as_u64().filter(|status| *status > 0),
        unanswered: (entry["response"]["status"] == 0).then(|| {
            let why = entry["response"]["_error"].as_str().unwrap_or_default();
            why.chars().filter(|c| !c.is_control()).take(100).collect()
        }),
        answer: answer(entry),
        lost_body,
    })
}

/// Returns the entry of this number, or the one that can only be meant.
fn find(document: &Value, number: Option<u32>) -> Result<&Value> {
    let entry = match document["log"]["entries"].as_array() {
        Some(entries) => {
            let number = match number {
                Some(number) => usize::try_from(number).unwrap_or(usize::MAX),
                None => chosen(entries).map_err(|hint| wrong(&hint))?,
            };
            let entry = entries.get(number.saturating_sub(1));
            entry
                .ok_or_else(|| wrong(&format!("there is no entry {number} of {}", entries.len())))?
        }
        None => document,
    };
    if !entry["request"].is_object() {
        return Err(wrong(&match document["info"].is_object() && document["item"].is_array() {
            true => "it is a collection of Postman's: open the request there, choose Code, then cURL, and give that after --".to_owned(),
            false => format!("it has neither log.entries nor a request: {EXPORT}"),
        }));
    }
    Ok(entry)
}

fn wrong(what: &str) -> Error {
    Error::usage(format!("--har: {what}"))
}

/// Returns the URL of a request. Insomnia has the parameters of the query beside it only.
fn url(recorded: &str, parameters: &Value) -> std::result::Result<String, String> {
    // What follows a # was not sent.
    let plain = recorded.split('#').next().unwrap_or_default();
    // A WebSocket begins as a request.
    let plain = match plain.strip_prefix("ws") {
        Some(rest) if rest.starts_with(':') || rest.starts_with("s:") => format!("http{rest}"),
        _ => plain.to_owned(),
    };
    let part = |of: &Value, name: &str| percent::encoded(of[name].as_str().unwrap_or_default());
    let parameters = parameters.as_array().filter(|all| !all.is_empty() && !plain.contains('?'));
    let query = parameters.map(|all| {
        let pairs = all.iter().map(|one| format!("{}={}", part(one, "name"), part(one, "value")));
        format!("?{}", pairs.collect::<Vec<_>>().join("&"))
    });
    target::sent_url(&(plain + &query.unwrap_or_default()))
}

/// Returns true for a header that is about the body, and of which there is only one.
fn is_of_body(name: &str) -> bool {
    ["content-type", "content-length"].iter().any(|one| name.eq_ignore_ascii_case(one))
}

/// Returns a body of this length without the headers that Firefox writes before a form's.
fn without_headers(mut body: Vec<u8>, length: usize) -> Vec<u8> {
    let end = body.len().saturating_sub(length);
    let headers = body.get(..end).unwrap_or_default().to_ascii_lowercase();
    if headers.starts_with(b"content-") && headers.ends_with(b"\r\n\r\n") {
        body.drain(..end);
    }
    body
}

/// Replaces halves of surrogate pairs, as programs write bytes that are no text: they are no characters.
fn without_lone_surrogates(text: &str) -> String {
    let unit = |text: &str| u32::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
    let (mut whole, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        let (length, is_lone) = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => (12, false),
            (Some(0xd800..0xe000), _) => (6, true),
            _ => (2, false),
        };
        let (escape, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
        whole.push_str(before);
        whole.push_str(if is_lone { "\\ufffd" } else { escape });
        rest = after;
    }
    whole + rest
}

/// Returns the number of the entry that can only be meant.
fn chosen(entries: &[Value]) -> std::result::Result<usize, String> {
    let is_refused = |entry: &Value| {
        let document: Value = serde_json::from_str(&answer(entry)?).ok()?;
        Problem::of_code(document["code"].as_str()?)
    };
    let refused = (1..).zip(entries).filter(|(_, entry)| is_refused(entry).is_some());
    let refused: Vec<usize> = refused.map(|(number, _)| number).collect();
    match (entries.len(), refused.as_slice()) {
        (0, _) => {
            Err("it has no entries: record the request in the browser's network tab first"
                .to_owned())
        }
        (1, _) => Ok(1),
        (count, [one]) => {
            eprintln!(
                "writegate: this is about entry {one} of {count}, the only one that a gate refused"
            );
            Ok(*one)
        }
        (count, []) => Err(format!("it has {count} entries: say which one with --entry N")),
        (count, several) => {
            let several: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(format!(
                "it has {count} entries, of which a gate refused {}: say which one with --entry N",
                several.join(", ")
            ))
        }
    }
}

/// Returns the body of an entry's answer; `None` where the browser did not keep it.
fn answer(entry: &Value) -> Option<String> {
    let content = &entry["response"]["content"];
    let text = content["text"].as_str()?;
    Some(match content["encoding"] == "base64" {
        true => {
            let bytes = STANDARD.decode(text).ok();
            bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
        }
        false => text.to_owned(),
    })
}

/// Returns the body as it was sent, where the HAR has it: as text, or as the fields of a form.
fn body(posted: &Value) -> Vec<u8> {
    let text = posted["text"].as_str().filter(|text| !text.is_empty());
    let kind = posted["mimeType"].as_str().unwrap_or_default();
    match (text, posted["encoding"] == "base64") {
        (Some(text), true) => STANDARD.decode(text).unwrap_or_default(),
        (Some(text), false) => text.into(),
        (None, _) if kind.starts_with("application/x-www-form-urlencoded") => {
            let fields = posted["params"].as_array().into_iter().flatten();
            let pairs = fields.map(|field| {
                let part = |name: &str| field[name].as_str().unwrap_or_default().to_owned();
                format!("{}={}", part("name"), part("value"))
            });
            pairs.collect::<Vec<_>>().join("&").into()
        }
        (None, _) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
