//! The request as it is given: a HAR of a browser, or arguments of curl; and what is neither.

use super::*;

#[test]
fn what_cannot_be_read_is_a_usage_error() {
    let scene = Scene::new();
    let file = scene.checkout.file("not.json", "{");
    for arguments in [
        ["explain"].as_slice(),
        &["explain", "--", "-X", "GET"],
        &["explain", "--", "-H", "X", URL],
        &["explain", "--", "--upload-file", "no-such-file", URL],
        &["explain", "--har", "no-such-file"],
        &["explain", "--problem", &file, "--", URL],
        &["explain", "--har", &file],
        &["explain", "--at", "yesterday", "--", URL],
    ] {
        let done = scene.checkout.run(arguments);
        assert_eq!((done.code, done.out.as_str()), (Some(2), ""), "{arguments:?}: {}", done.err);
    }
}

#[test]
fn a_har_with_a_byte_order_mark_is_read_with_its_answer() {
    let scene = Scene::new();
    let answer = json!({"code": "path-denied", "status": 403, "limit": "session"}).to_string();
    let har = |content: serde_json::Value| {
        let headers = json!([{"name": "X-A", "value": "1"}]);
        let request = json!({"method": "GET", "url": URL, "headers": headers});
        json!({"log": {"entries": [{"request": request, "response": {"status": 403, "content": content}}]}}).to_string()
    };
    let plain = har(json!({"text": answer}));
    let wide: Vec<u8> =
        format!("\u{feff}{plain}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let encoded = har(json!({"text": STANDARD.encode(&answer), "encoding": "base64"}));
    for (bytes, words) in [
        (
            format!("\u{feff}{plain}").into_bytes(),
            ["The gate answered 403 path-denied", "no Authorization: browsers leave it out"],
        ),
        (wide, ["The gate answered 403 path-denied", "no Authorization"]),
        (encoded.into_bytes(), ["The gate answered 403 path-denied", "no Authorization"]),
        (
            har(json!({"text": "<html>"})).into_bytes(),
            ["The answer was 403, and not a refusal of a gate", "credential-missing"],
        ),
    ] {
        let file = scene.checkout.0.join("bom.har");
        std::fs::write(&file, bytes).unwrap();
        let shown = explained(&scene.checkout.run(&["explain", "--har", file.to_str().unwrap()]));
        for word in words {
            assert!(shown.contains(word), "{word}: {shown}");
        }
    }
}

#[test]
fn headers_that_a_browser_leaves_out_of_a_har_are_named() {
    let scene = Scene::new();
    let bearer = scene.mint(&[]);
    let bearer = bearer.split_once(": ").unwrap().1;
    let explain = |more: serde_json::Value, response: serde_json::Value| {
        let mut request = json!({
            "method": "POST",
            "url": format!("{URL}#top"),
            "httpVersion": "HTTP/2",
            "headers": [
                {"name": ":method", "value": "POST"},
                {"name": ":authority", "value": "gate.example"},
                {"name": "Authorization", "value": bearer},
            ],
            "cookies": [],
        });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let entry = json!({"_initiator": {}, "request": request, "response": response});
        let har = json!({"log": {"version": "1.2", "entries": [entry]}}).to_string();
        let har = scene.checkout.file("export.har", &har);
        explained(&scene.checkout.run(&["explain", "--har", &har]))
    };
    let shown = explain(json!({}), json!({"status": 0, "content": {}}));
    assert!(shown.starts_with("With this configuration it is accepted"), "{shown}");
    let shown = explain(
        json!({"bodySize": 7, "postData": {"mimeType": "text/plain", "text": ""}}),
        json!({"status": 403, "content": {"size": 80, "mimeType": "application/problem+json"}}),
    );
    assert!(shown.contains("The answer was 403, and the HAR has nothing else of it."), "{shown}");
    // A signed URL needs no Authorization, and its refusal has another reason.
    let answer = json!({"code": "url-expired", "status": 401}).to_string();
    let link = json!({"method": "GET", "url": format!("{URL}&key=pk_site&exp=1&sig={}", "A".repeat(43)), "headers": []});
    let shown = explain(link, json!({"status": 401, "content": {"text": answer}}));
    assert!(!shown.contains("no Authorization"), "{shown}");
    let form = json!({"bodySize": 7, "postData": {
        "mimeType": "application/x-www-form-urlencoded; charset=UTF-8",
        "params": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}],
    }});
    let shown = explain(form, json!({"status": 201, "content": {"text": ""}}));
    assert!(shown.contains("The answer was 201, and not a refusal of a gate."), "{shown}");
}

#[test]
fn what_is_no_request_of_curl_s_is_named() {
    let scene = Scene::new();
    for (line, what) in [
        (&["curl https://gate.example/x"][..], "one word with all of curl's arguments"),
        (&["curl.exe", "^\"https://gate.example/x^\"", "^"], "Windows' cmd"),
        (&["Invoke-WebRequest", "-Uri", URL], "PowerShell"),
        (&["fetch(\"https://gate.example/x\", {})"], "JavaScript"),
        (&["wget", URL], "another program"),
        (&["-u", "me", URL], "user:password"),
        (&["-d", "x", "-F", "a=1", URL], "only"),
    ] {
        let done = scene.checkout.run(&[&["explain", "--"], line].concat());
        done.failed(2, &[what]);
    }
    for curl in ["curl.exe", "/usr/bin/curl"] {
        assert!(scene.explain(&[], &[curl, URL]).contains("credential-missing"));
    }
}
