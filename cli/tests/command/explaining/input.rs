//! The request as it is given: a HAR of a browser, or arguments of curl; and what is neither.

use super::*;

#[test]
fn what_cannot_be_read_or_is_no_request_of_curl_s_is_a_usage_error() {
    let scene = Scene::new();
    let file = scene.checkout.file("not.json", "{");
    scene.checkout.refuses(
        2,
        &format!(
            r#"
            explain
            explain -- -X GET
            explain -- -H X {URL}
            explain -- --upload-file no-such-file {URL}
            explain --har no-such-file
            explain --problem {file} -- {URL}
            explain --har {file}
            explain --at yesterday -- {URL}
            explain -- 'curl https://gate.example/x' → one word with all of curl's arguments
            explain -- curl.exe '^"https://gate.example/x^"' ^ → Windows' cmd
            explain -- Invoke-WebRequest -Uri {URL} → PowerShell
            explain -- 'fetch("https://gate.example/x", {{}})' → JavaScript
            explain -- curl --url ^{URL} → Windows' cmd … in Firefox "(POSIX)"
            explain -- curl.exe {URL} '`' -H 'a: b' → PowerShell
            explain -- "'{URL}'" -H "'a: b'" → for bash … as cURL (cmd)
            explain -- '${URL}' → type bash first
            explain -- curl “{URL}” → quotation marks
            explain -- curl {URL} –H 'a: b' → a – where an option begins
            explain -- curl {URL} \; curl {URL} → several URLs
            explain -- http POST {URL} a=1 → another program
            explain -- xhs {URL} → another program
            explain -- wget {URL} → another program
            explain -- -H 'Host: other.example' {URL} → put that host into the URL
            explain -- -u me {URL} → user:password
            explain -- -d x -F a=1 {URL} → only
            "#
        ),
    );
    scene.explains(&format!("-- curl.exe {URL} → credential-missing"));
    scene.explains(&format!("-- /usr/bin/curl {URL} → credential-missing"));
    // As Charles and Proxyman copy it.
    scene.explains(&format!("-- curl -H 'Host: gate.example' {URL} → credential-missing"));
}

#[test]
fn a_har_with_a_byte_order_mark_is_read_with_its_answer() {
    let scene = Scene::new();
    let answer = json!({"code": "path-denied", "status": 403, "limit": "session"}).to_string();
    let har = |content: Value| {
        let headers = json!([{"name": "X-A", "value": "1"}]);
        let request = json!({"method": "GET", "url": URL, "headers": headers});
        json!({"log": {"entries": [{"request": request, "response": {"status": 403, "content": content}}]}}).to_string()
    };
    let plain = har(json!({"text": answer}));
    let wide: Vec<u8> =
        format!("\u{feff}{plain}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let encoded = har(json!({"text": STANDARD.encode(&answer), "encoding": "base64"}));
    let html = har(json!({"text": "<html>"}));
    let answered = "The gate answered 403 path-denied … no Authorization: browsers leave it out";
    for (bytes, words) in [
        (format!("\u{feff}{plain}").into_bytes(), answered),
        (wide, answered),
        (encoded.into_bytes(), answered),
        (html.into_bytes(), "The answer was 403, and not a refusal of a gate … credential-missing"),
    ] {
        let file = scene.checkout.0.join("bom.har");
        std::fs::write(&file, bytes).unwrap();
        scene.explains(&format!("--har {} → {words}", file.display()));
    }
}

#[test]
fn headers_that_a_browser_leaves_out_of_a_har_are_named() {
    let scene = Scene::new();
    let bearer = scene.mint("");
    let bearer = bearer.split_once(": ").unwrap().1;
    let explain = |more: Value, response: Value| {
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
        scene.explain(&format!("--har {har}"))
    };
    for (error, words) in [
        (Value::Null, "has no answer to it: it was blocked"),
        (
            json!("net::ERR_BLOCKED_BY_CLIENT"),
            "has no answer to it (net::ERR_BLOCKED_BY_CLIENT): it was",
        ),
    ] {
        let shown = explain(json!({}), json!({"status": 0, "content": {}, "_error": error}));
        assert!(shown.contains(words), "{shown}");
        assert!(shown.contains("\nWith this configuration it is accepted"), "{shown}");
    }
    let upgrade = json!({"url": "wss://gate.example/posts", "headers": [{"name": "Upgrade", "value": "websocket"}]});
    let shown = explain(upgrade, json!({"status": 101, "content": {}}));
    assert!(shown.contains("400 bad-request"), "{shown}");
    let shown = explain(
        json!({"bodySize": 7, "postData": {"mimeType": "text/plain", "text": ""}}),
        json!({"status": 403, "content": {"size": 80, "mimeType": "application/problem+json"}}),
    );
    assert!(shown.contains("The answer was 403, and the HAR has nothing else of it."), "{shown}");
    // As Chromium exports it unless it is asked for all, and as Firefox writes times and the host.
    for response in [
        json!({"status": 200, "content": {"text": "[]"}}),
        json!({"status": 404, "content": {"text": "<html>", "encoding": ""}}),
        json!({"status": 403, "content": {"text": "eyJjb2RlIjoicGF0aC1kZW5pZWQifQ==", "encoding": "base64"}}),
    ] {
        let headers = json!({"headers": [{"name": "Host", "value": "gate.example"}]});
        let shown = explain(headers, response);
        assert!(shown.contains("the HAR has no Authorization: browsers leave it out"), "{shown}");
    }
    let refused = json!({"status": 401, "content": {"text": "{\"code\":\"credential-missing\"}"}});
    let shown = explain(json!({"headers": []}), refused);
    assert!(!shown.contains("the HAR has no Authorization"), "{shown}");
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
