//! An entry of a HAR file, as browsers and other programs export it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use writegate::{Problem, Timestamp};

use crate::error::{Error, Result};
use crate::target;

use super::request_input::RequestInput;

/// An entry of a HAR file: the request, and what was answered.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Entry {
    pub(crate) request: RequestInput,
    pub(crate) status: Option<u64>,
    /// `None` where the browser did not keep it.
    pub(crate) answer: Option<String>,
    /// There was a body, and it is not in the file.
    pub(crate) lost_body: bool,
}

/// Reads an entry of a HAR file (the format of browsers' developer tools), or a lone entry. Without a number it is the only
/// one, or the only one that a gate refused.
pub(crate) fn read(text: &str, number: Option<u32>) -> Result<Entry> {
    let wrong = |what: &str| Error::usage(format!("--har: {what}"));
    let document: Value =
        serde_json::from_str(text).map_err(|error| wrong(&format!("not JSON: {error}")))?;
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
        None => &document,
    };
    if !entry["request"].is_object() {
        return Err(wrong(
            "it has neither log.entries nor a request: export it as HAR, from the browser's network tab",
        ));
    }
    let recorded = &entry["request"];
    let member = |name: &str| {
        let text = recorded[name].as_str();
        text.ok_or_else(|| wrong(&format!("the entry has no request.{name}")))
    };
    let mut request = RequestInput {
        method: member("method")?.to_owned(),
        // What follows a # was not sent.
        url: target::sent_url(member("url")?.split('#').next().unwrap_or_default())
            .map_err(|hint| wrong(&hint))?,
        body: body(&recorded["postData"]),
        at: entry["startedDateTime"].as_str().and_then(Timestamp::parse_rfc3339),
        headers: Vec::new(),
    };
    for header in recorded["headers"].as_array().into_iter().flatten() {
        if let (Some(name), Some(value)) = (header["name"].as_str(), header["value"].as_str())
            // HTTP/2 has parts of the request line as headers.
            && !name.starts_with(':')
        {
            request.add(name, value);
        }
    }
    // Browsers leave files out of a form, and write bytes that are no text as others; some state no size then.
    let length = request.header("content-length").and_then(|text| text.parse::<usize>().ok());
    let lost_body = match length {
        Some(length) => request.body.len() != length,
        None => !request.has_body() && recorded["bodySize"].as_i64().is_some_and(|size| size > 0),
    };
    Ok(Entry {
        request: request.complete(),
        // Where there was no answer, it is 0.
        status: entry["response"]["status"].as_u64().filter(|status| *status > 0),
        answer: answer(entry),
        lost_body,
    })
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
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_entry_of_a_har_is_read() {
        let entry = json!({
            "startedDateTime": "2026-11-22T20:00:00.000Z",
            "request": {
                "method": "POST", "url": "https://a.example/x",
                "headers": [{"name": ":authority", "value": "a.example"}, {"name": "X-One", "value": "1"}],
                "postData": {"text": "{}"},
            },
        });
        let whole = json!({"log": {"entries": [{}, entry]}}).to_string();
        let request = read(&whole, Some(2)).unwrap();
        assert_eq!(request, read(&entry.to_string(), None).unwrap());
        let request = request.request;
        assert_eq!(request.header("x-one"), Some("1"));
        assert_eq!(request.body, b"{}");
        assert!(request.at.is_some());
        for (text, number) in [
            (whole.as_str(), Some(1)),
            (&whole, Some(3)),
            (&whole, None),
            ("{", None),
            ("{}", None),
        ] {
            assert_eq!(read(text, number).unwrap_err().code, 2, "{text} {number:?}");
        }
    }

    /// As Chromium's developer tools and Playwright write them.
    #[test]
    fn a_body_that_a_har_has_not_whole_is_lost() {
        let form = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n\r\n--b--\r\n";
        for (length, size, posted, is_lost) in [
            (Some("2"), 2, json!({"text": "{}"}), false),
            (Some("3"), 3, json!({"text": "\u{e9}x"}), false),
            (Some("0"), 0, Value::Null, false),
            (None, 0, Value::Null, false),
            (None, -1_i64, json!({"text": "{}"}), false),
            (None, 4, Value::Null, true),
            (Some("6"), 6, json!({"mimeType": "application/octet-stream", "text": ""}), true),
            (Some("20"), -1, json!({"text": ""}), true),
            (Some("286"), 0, Value::Null, true),
            (Some("4096"), 78, json!({"text": form}), true),
            (Some("4"), 12, json!({"text": "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"}), true),
        ] {
            let length = length.map(|value| json!({"name": "content-length", "value": value}));
            let headers: Vec<Value> = length.into_iter().collect();
            let entry = json!({"request": {
                "method": "POST", "url": "https://a.example/x", "headers": headers,
                "bodySize": size, "postData": posted,
            }});
            let entry_read = read(&entry.to_string(), None).unwrap();
            assert_eq!(entry_read.lost_body, is_lost, "{entry}");
        }
    }

    #[test]
    fn another_program_s_json_is_not_a_har() {
        // A collection of Postman's, and an export of Insomnia's.
        for text in ["{\"info\":{},\"item\":[]}", "{\"resources\":[]}", "[]"] {
            let error = read(text, None).unwrap_err();
            assert!(error.code == 2 && error.message.contains("export it as HAR"), "{error:?}");
        }
    }

    #[test]
    fn the_only_entry_that_a_gate_refused_is_taken() {
        let entry = |url: &str, answer: &str| json!({"request": {"method": "GET", "url": url}, "response": {"content": {"text": answer}}});
        let page = entry("https://www.example/", "<html>");
        let refused = entry("https://gate.example/x", "{\"code\":\"key-unknown\"}");
        let read_all =
            |entries: &[&Value]| read(&json!({"log": {"entries": entries}}).to_string(), None);
        assert_eq!(
            read_all(&[&page, &refused, &page]).unwrap().request.url,
            "https://gate.example/x"
        );
        assert_eq!(read_all(&[&page]).unwrap().request.url, "https://www.example/");
        for (entries, hint) in [
            (Vec::new(), "it has no entries"),
            (vec![&page, &page], "2 entries: say"),
            (vec![&refused, &page, &refused], "refused 1, 3"),
        ] {
            let error = read_all(&entries).unwrap_err();
            assert!(error.code == 2 && error.message.contains(hint), "{error:?}");
        }
    }
}
