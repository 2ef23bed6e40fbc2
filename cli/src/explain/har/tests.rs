//! Files as browsers and other programs write them.

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
    for (text, number) in
        [(whole.as_str(), Some(1)), (&whole, Some(3)), (&whole, None), ("{", None), ("{}", None)]
    {
        assert_eq!(read(text, number).unwrap_err().code, 2, "{text} {number:?}");
    }
}

/// As Chromium's developer tools and Playwright write them.
#[test]
fn a_body_that_a_har_has_not_whole_is_lost() {
    let form =
        "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n\r\n--b--\r\n";
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
fn a_file_of_another_format_is_refused_with_the_way_out() {
    for (text, words) in [
        ("{\"info\":{},\"item\":[]}", "choose Code, then cURL"),
        ("{\"_type\":\"export\",\"resources\":[]}", "export it as HAR"),
        ("type: collection.insomnia.rest/5.0", "Insomnia or mitmproxy"),
        ("<?xml version=\"1.0\"?><items/>", "export it as HAR"),
        ("[{\"status\":\"COMPLETE\",\"host\":\"gate.example\"}]", "Charles"),
        ("curl 'https://gate.example/x'", "after --"),
        ("[]", "export it as HAR"),
    ] {
        let error = read(text, None).unwrap_err();
        assert!(error.code == 2 && error.message.contains(words), "{error:?}");
    }
}

/// Returns a request of this URL with more members, and an entry around it with more members.
fn entry(url: &str, more: Value, around: Value) -> String {
    let mut request = json!({"method": "POST", "url": url, "headers": [], "bodySize": -1});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut entry = json!({"request": request});
    entry.as_object_mut().unwrap().extend(around.as_object().unwrap().clone());
    json!({"log": {"version": "1.2", "entries": [entry]}}).to_string()
}

/// As Insomnia, Safari and browsers with WebSockets write them.
#[test]
fn a_url_is_the_one_that_was_sent() {
    let query =
        json!({"queryString": [{"name": "a", "value": "b c"}, {"name": "d", "value": "&"}]});
    for (url, more, sent) in [
        ("https://a.example/x", &query, "https://a.example/x?a=b%20c&d=%26"),
        ("https://a.example/x?a=b+c&d=%26", &query, "https://a.example/x?a=b+c&d=%26"),
        ("https://a.example/x#?", &json!({"queryString": []}), "https://a.example/x"),
        ("wss://a.example/x", &json!({}), "https://a.example/x"),
        ("ws://127.0.0.1:8787/x", &json!({}), "http://127.0.0.1:8787/x"),
    ] {
        let read = read(&entry(url, more.clone(), json!({})), None).unwrap();
        assert_eq!(read.request.url, sent);
    }
    for url in ["data:image/png;base64,AAAA", "blob:https://a.example/1", "", "about:blank"] {
        let error = read(&entry(url, json!({}), json!({})), None).unwrap_err();
        assert!(error.code == 2 && error.message.contains("request.url"), "{error:?}");
    }
}

/// Chromium, Fiddler, Firefox and mitmproxy write it with other numbers of digits, and Safari may leave it out.
#[test]
fn the_time_of_a_request_is_read_as_every_program_writes_it() {
    for (time, seconds) in [
        ("2026-11-28T06:00:00.123Z", Some(1_795_845_600)),
        ("2026-11-28T07:00:00.5403417+01:00", Some(1_795_845_600)),
        ("2026-11-28T01:00:00.123-05:00", Some(1_795_845_600)),
        ("2026-11-28T06:00:00.123456+00:00", Some(1_795_845_600)),
        ("2026-11-28T06:00:00+00:00", Some(1_795_845_600)),
        ("", None),
    ] {
        let around = json!({"startedDateTime": time});
        let read = read(&entry("https://a.example/x", json!({}), around), None).unwrap();
        assert_eq!(read.request.at.map(Timestamp::seconds), seconds, "{time}");
    }
}

/// As Firefox writes a form that was sent by a page: with its headers, also before the body.
#[test]
fn the_headers_before_a_form_are_no_part_of_it() {
    let form = "application/x-www-form-urlencoded";
    let (kind, length) = (
        json!({"name": "Content-Type", "value": form}),
        json!({"name": "Content-Length", "value": "7"}),
    );
    let text = format!("Content-Type: {form}\r\nContent-Length: 7\r\n\r\na=b+c=1");
    for text in [text.as_str(), "a=b+c=1"] {
        let more = json!({
            "headers": [kind, length, {"name": "X-A", "value": "1"}, {"name": "X-A", "value": "1"}, kind, length],
            "postData": {"mimeType": form, "params": [{"name": "a", "value": "b c=1"}], "text": text},
        });
        let read = read(&entry("https://a.example/x", more, json!({})), None).unwrap();
        assert_eq!((read.request.body.as_slice(), read.lost_body), (&b"a=b+c=1"[..], false));
        assert_eq!(read.request.header("content-type"), Some(form));
        assert_eq!(read.request.header("content-length"), Some("7"));
        assert_eq!(read.request.header("x-a"), Some("1, 1"));
    }
    let parts = json!({"postData": {"mimeType": "multipart/form-data", "params": [{"name": "f", "fileName": "x"}]}});
    assert!(read(&entry("https://a.example/x", parts, json!({})), None).unwrap().lost_body);
}

/// mitmproxy writes bytes that are no text as halves of surrogate pairs, also in entries that nobody asks for.
#[test]
fn halves_of_surrogate_pairs_are_no_reason_to_read_nothing() {
    for (text, body, is_lost) in [
        (r"a\udc80b", "a\u{fffd}b", true),
        (r"\ud83d\ude00\ud83d", "😀\u{fffd}", true),
        (r"\\udc80\ud83d\u0041", "\\udc80\u{fffd}A", true),
        (r"\ud83d\ude00\n", "😀\n", false),
    ] {
        let length = if is_lost { 3 } else { body.len() };
        let more = json!({
            "headers": [{"name": "content-length", "value": length.to_string()}],
            "postData": {"text": "TEXT"},
        });
        let har = entry("https://a.example/x", more, json!({})).replace("TEXT", text);
        let read = read(&har, None).unwrap();
        assert_eq!(String::from_utf8(read.request.body).unwrap(), body);
        assert_eq!(read.lost_body, is_lost, "{text}");
    }
    for broken in ["{\"a\": \"\\", "{\"a\": \"\\ud8", "\"\\u{e9}", "\\ué"] {
        assert_eq!(read(broken, None).unwrap_err().code, 2, "{broken}");
    }
}

#[test]
fn the_only_entry_that_a_gate_refused_is_taken() {
    let entry = |url: &str, answer: &str| json!({"request": {"method": "GET", "url": url}, "response": {"content": {"text": answer}}});
    let page = entry("https://www.example/", "<html>");
    let refused = entry("https://gate.example/x", "{\"code\":\"key-unknown\"}");
    let read_all =
        |entries: &[&Value]| read(&json!({"log": {"entries": entries}}).to_string(), None);
    assert_eq!(read_all(&[&page, &refused, &page]).unwrap().request.url, "https://gate.example/x");
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
