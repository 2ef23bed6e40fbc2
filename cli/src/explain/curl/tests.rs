//! The reader of curl's arguments, compared with curl itself.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;

use testkit::random::Random;

use super::*;

fn words(text: &[&str]) -> Vec<String> {
    text.iter().map(|word| (*word).to_owned()).collect()
}

/// Arguments for a request to `URL`, of which curl itself says what they mean.
const LINES: [&[&str]; 100] = [
    &["-C", "5", "URL/x"],
    &["-C", "5", "-r", "0-9", "URL/x"],
    &["-r", "0-9", "-C", "5", "URL/x"],
    &["-C", "0", "URL/x"],
    &["-C", "-", "URL/x"],
    &["-C", "x", "URL/x"],
    &["--no-head", "URL/x"],
    &["-I", "--no-head", "URL/x"],
    &["--no-head", "-d", "a=1", "URL/x"],
    &["-d", "a=1", "--no-head", "URL/x"],
    &["-I", "--no-head", "-d", "a=1", "URL/x"],
    &["-G", "--no-get", "-d", "a=1", "URL/x"],
    &["--get", "--no-get", "--get", "-d", "a=1", "URL/x"],
    &["--path-as-is", "--no-path-as-is", "URL/a/../b"],
    &["-g", "--no-globoff", "URL/x"],
    &["--no-globoff", "-g", "URL/x?a[1]"],
    &["--no-data", "a=1", "URL/x"],
    &["--no-data", "URL/x"],
    &["--no-header", "URL/x"],
    &["--no-request", "URL/x"],
    &["--no-digest", "-u", "a:b", "URL/x"],
    &["--no-anyauth", "-u", "a:b", "URL/x"],
    &["--no-ntlm", "-u", "a:b", "URL/x"],
    &["--no-negotiate", "URL/x"],
    &["--no-netrc", "URL/x"],
    &["--no-compressed", "URL/x"],
    &["--compressed", "URL/x"],
    &["--tr-encoding", "URL/x"],
    &["-X", "get", "URL/x"],
    &["-X", "", "URL/x"],
    &["-H", "X-One : 1", "URL/x"],
    &["-o", "/dev/null", "-o", "/dev/null", "URL/x"],
    &["URL/x?a\\[0\\]=1&b=\\{\\}"],
    &["-T", "FILE", "URL/folder/"],
    &["-T", "FILE", "URL"],
    &["-T", "FILE", "URL/?"],
    &["-T", "FILE", "--path-as-is", "URL/a/../"],
    &["-T", "FILE", "--path-as-is", "URL/a/../x"],
    &["-G", "-d", "a=%7B", "--path-as-is", "URL/a/../x?b=%7B"],
    &["-G", "-d", "", "--url-query", "b=1", "URL/x?a=1"],
    &["-G", "-d", "a=2", "URL/x?&"],
    &["-G", "-F", "a=1", "URL/x"],
    &["-G", "-I", "-F", "a=1", "URL/x"],
    &["-G", "--data-binary", "@FILE", "URL/x"],
    &["-G", "--json", "{}", "URL/x"],
    &["-r", "5", "URL/x"],
    &["-u", "a:b", "http://c:d@HOST/x"],
    &["-u", "a:b", "--oauth2-bearer", "abc", "URL/x"],
    &["-b", "a=1", "-H", "Cookie: b=2", "URL/x"],
    &["-X", "POST", "-H", "Content-Type:", "-d", "x", "URL/x"],
    &["URL/x?q=é"],
    &["URL?x=1"],
    &["URL/x?a=1"],
    &["-sSL", "URL/x"],
    &["-sSo/dev/null", "URL/x"],
    &["-I", "URL/x"],
    &["-X", "DELETE", "URL/x"],
    &["-XPATCH", "-d", "a=1", "URL/x"],
    &["-d", "", "URL/x"],
    &["-d", "a=1", "--data", "b=2", "--data-raw", "@c", "URL/x"],
    &["--data-binary", "line\nline", "URL/x"],
    &["-d", "@FILE", "URL/x"],
    &["--data-binary", "@FILE", "URL/x"],
    &["--data-urlencode", "a=b c&d", "--data-urlencode", "é", "--data-urlencode", "=x@y", "URL/x"],
    &["--data-urlencode", "a@FILE", "URL/x"],
    &["-G", "-d", "a=1", "-d", "b=2", "URL/x?c=3"],
    &["-G", "--data-urlencode", "q=a b", "URL/x"],
    &["-GI", "-d", "a=1", "URL/x"],
    &["--json", "{\"a\":", "--json", "1}", "URL/x"],
    &["--json", "{}", "-H", "Content-Type: text/plain", "URL/x"],
    &["--json", "@FILE", "URL/x"],
    &["-u", "user:pass word", "URL/x"],
    &["-u", "user:pass", "-H", "Authorization: Bearer abc", "URL/x"],
    &["--oauth2-bearer", "abc", "URL/x"],
    &["http://us%40er:p%3Ass@HOST/x"],
    &["-H", "X-One: 1", "-H", "x-one:  2 ", "URL/x"],
    &["-H", "X-Empty;", "-H", "Accept:", "URL/x"],
    &["-H", "User-Agent:", "-A", "me", "URL/x"],
    &["-H", "@HEADERS", "URL/x"],
    &["-A", "agent/1", "-e", "https://a.example/;auto", "URL/x"],
    &["-b", "a=1", "-b", "b=2; c=3", "URL/x"],
    &["-r", "0-99", "URL/x"],
    &["-T", "FILE", "URL/x"],
    &["-F", "a=1", "-F", "b=two;type=text/plain", "--form-string", "c=@x;y", "URL/x"],
    &["-F", "a=@FILE", "URL/x"],
    &["-F", "a=@\"FILE\";type=\"text/plain\"", "URL/x"],
    &["-F", "a=<\"FILE\"", "URL/x"],
    &["-F", "a=\"x;y\"", "-F", "b=\"v\\\"w\\\\z\\n\"more;type=text/plain", "URL/x"],
    &["-F", "a=x ", "-F", "a= x ;y", "--form-string", "b=\"x;y\"", "URL/x"],
    &["--globoff", "URL/x?a[1]={2}"],
    &["-g", "URL/{x}"],
    &["URL/a/./b/../c"],
    &["URL/a/.."],
    &["--path-as-is", "URL/a/../b"],
    &["URL/x#top"],
    &["HOST/x"],
    &["--url", "URL/x", "--no-buffer", "--no-keepalive", "--http1.1", "--compressed"],
    &["--max-time", "5", "-m", "5", "--retry", "0", "--connect-timeout=5", "URL/x"],
    &["--request-target", "/other?x=1", "URL/x"],
    &["--noproxy", "*", "-4kvi", "--user-agent", "", "URL/x"],
];

/// Parts of such arguments, of which any may come after any.
const PARTS: [&[&str]; 53] = [
    &["-C", "5"],
    &["--no-head"],
    &["--no-get"],
    &["--no-globoff"],
    &["--no-path-as-is"],
    &["-o", "/dev/null"],
    &["--no-json"],
    &["-X", "POST"],
    &["-XPUT"],
    &["--request", "DELETE"],
    &["-sSLXPATCH"],
    &["-d", "a=1"],
    &["-d", ""],
    &["-d", "@FILE"],
    &["--data-raw", "@x"],
    &["--data-binary", "@FILE"],
    &["--data-urlencode", "q=a b"],
    &["--data-urlencode", "q@FILE"],
    &["--json", "{}"],
    &["-G"],
    &["-I"],
    &["-T", "FILE"],
    &["-F", "a=1"],
    &["-u", "a:b"],
    &["-u", "a:"],
    &["--oauth2-bearer", "abc"],
    &["-H", "Authorization: Bearer x"],
    &["-H", "Authorization;"],
    &["-H", "Authorization:"],
    &["-H", "Content-Type: text/plain"],
    &["-H", "Content-Type:"],
    &["-H", "content-type;"],
    &["-H", "X-One: 1"],
    &["-H", "x-one:2"],
    &["-H", "X-One;"],
    &["-H", "X-One:"],
    &["-H", "@HEADERS"],
    &["-H", "Cookie: d=4"],
    &["-b", "a=1"],
    &["-b", "b=2; c=3"],
    &["-A", "me"],
    &["-A", ""],
    &["-e", "https://a.example/;auto"],
    &["-e", ""],
    &["-r", "0-9"],
    &["-r", "7"],
    &["-g"],
    &["-sSLk"],
    &["--path-as-is"],
    &["--compressed"],
    &["--url-query", "z=a b"],
    &["--url-query", "+raw"],
    &["--request-target", "/other?x=1"],
];
const URLS: [&str; 14] = [
    "URL", "URL/x", "URL/x?a=1", "URL/folder/", "URL/a/../b", "HOST/x", "http://us:er@HOST/x",
    "URL/x#top", "URL/?", "URL?x=1", "URL/x?a\\[\\]=1", "URL/é?ü", "http://us@HOST/x",
    "http://u%3as:e%40r@HOST/x",
];

/// Returns arguments that are made of parts.
fn generated() -> impl Iterator<Item = Vec<&'static str>> {
    let mut random = Random::new(3);
    (0..200).map(move |_| {
        let mut line = Vec::new();
        for _ in 0..=random.below(4) {
            line.extend(random.of(&PARTS));
        }
        line.push(random.of(&URLS));
        line
    })
}

/// Returns the head and the body of the one request that is made.
fn received(listener: &TcpListener) -> (String, Vec<u8>) {
    let (mut stream, _) = listener.accept().unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let length = stream.read(&mut buffer).unwrap();
        bytes.extend(&buffer[..length]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, _)) = text.split_once("\r\n\r\n") else {
            if length == 0 {
                return (String::new(), bytes);
            }
            continue;
        };
        let body = bytes[head.len() + 4..].to_vec();
        let field = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        if field("expect").is_some() && body.is_empty() {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        }
        let wanted = field("content-length").map_or(0, |length| length.parse().unwrap());
        let head = head.to_owned();
        if body.len() >= wanted || head.starts_with("HEAD") {
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
            return (head, body);
        }
    }
}

#[test]
fn arguments_are_read_as_curl_itself_reads_them() {
    if !testkit::program::found(&["curl"], "how curl reads its arguments") {
        return;
    }
    let folder = std::env::temp_dir().join(crate::random::text(9).unwrap());
    std::fs::create_dir_all(&folder).unwrap();
    let (data, headers) = (folder.join("data"), folder.join("headers"));
    std::fs::write(&data, "{\"x\":\r\n1}\n").unwrap();
    std::fs::write(&headers, "X-Two: 2\nX-Three: 3\n").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let (sender, requests) = std::sync::mpsc::channel();
    std::thread::spawn(move || while sender.send(received(&listener)).is_ok() {});
    let (mut sent, mut refused, mut different) = (0, 0, Vec::new());
    for line in LINES.iter().map(|line| line.to_vec()).chain(generated()) {
        let line: Vec<String> = line
            .iter()
            .map(|word| {
                word.replace("HEADERS", headers.to_str().unwrap())
                    .replace("FILE", data.to_str().unwrap())
                    .replace("URL", &format!("http://{host}"))
                    .replace("HOST", &host)
            })
            .collect();
        // curl joins a long option's value to it in its newest versions only.
        let given = line.iter().filter(|word| !word.starts_with("--connect-timeout="));
        let curl = Command::new("curl")
            .args(["-q", "--noproxy", "*", "--max-time", "20", "-s", "-o", "/dev/null"])
            .args(given)
            .status()
            .unwrap();
        // With -C it sends the request, and then fails at an answer without the range.
        if curl.success() || curl.code() == Some(33) {
            sent += 1;
            different.extend(differences(&line, &host, &requests.recv().unwrap()));
        } else {
            // What curl does not send is no request here, either.
            refused += 1;
            different.extend(read(&line).is_ok().then(|| format!("curl refuses {line:?}")));
        }
        assert_eq!(requests.try_iter().count(), 0, "{line:?}");
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(sent > 150 && refused > 10, "{sent}, {refused}");
    std::fs::remove_dir_all(folder).unwrap();
}

/// Returns a line with the digits of its escapes in upper case.
fn in_upper_case(line: &str) -> String {
    let mut parts = line.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |line, part| {
        let (digits, rest) = part.split_at(part.len().min(2));
        format!("{line}%{}{rest}", digits.to_ascii_uppercase())
    })
}

/// Returns a form without its boundary and the types of its parts.
fn parts(body: &[u8]) -> String {
    // Without a type of the whole, curl calls them attachments.
    let text = String::from_utf8_lossy(body).replace(": attachment", ": form-data");
    let lines =
        text.lines().filter(|line| !line.starts_with("---") && !line.starts_with("Content-Type"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the differences between the request that is read from these arguments and the one that curl sent.
fn differences(line: &[String], host: &str, (head, body): &(String, Vec<u8>)) -> Vec<String> {
    let request = match read(line) {
        Ok(request) => request,
        Err(error) => return vec![error.message],
    };
    let (first, fields) = head.split_once("\r\n").unwrap();
    let target = request.url.strip_prefix(&format!("http://{host}")).unwrap();
    let mut sent = RequestInput::default();
    for (name, value) in fields.lines().filter_map(|field| field.split_once(':')) {
        sent.add(name, value);
    }
    let own = format!("{} {target} HTTP/1.1", request.method);
    // Up to version 8.19, curl writes the digits of what it adds to a URL in lower case.
    let mut pairs = vec![("request", Some(own), Some(in_upper_case(first)))];
    // A boundary is made up, and so are a file's headers by newer versions.
    let is_form = line.iter().any(|word| ["-F", "--form-string"].contains(&word.as_str()));
    if is_form && !line.iter().any(|word| word.contains('@')) {
        pairs.push(("form", Some(parts(&request.body)), Some(parts(body))));
    }
    if !is_form && !line.iter().any(|word| word.ends_with('I')) {
        let text = |bytes: &[u8]| Some(String::from_utf8_lossy(bytes).into_owned());
        pairs.push(("body", text(&request.body), text(body)));
    }
    for name in [
        "accept", "authorization", "content-type", "content-length", "cookie", "range", "referer",
        "user-agent", "x-one", "x-two", "x-three", "x-empty",
    ] {
        // curl names itself, and says that it takes everything.
        let is_default = |value: &str| value.starts_with("curl/") || value == "*/*";
        let theirs = sent.header(name).filter(|value| !is_default(value));
        if !is_form || !name.starts_with("content-") {
            let own = request.header(name);
            pairs.push((name, own.map(str::to_owned), theirs.map(str::to_owned)));
        }
    }
    pairs.retain(|(_, own, theirs)| own != theirs);
    pairs.iter().map(|pair| format!("{pair:?}: {line:?}")).collect()
}

#[test]
fn every_option_of_this_curl_is_known_with_or_without_a_value() {
    if !testkit::program::found(&["curl"], "the options of curl") {
        return;
    }
    let help = Command::new("curl").args(["-q", "--help", "all"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut count = 0;
    for line in help.lines() {
        let Some((letter, rest)) = line.split_once("--") else {
            continue;
        };
        let name = rest.split(' ').next().unwrap();
        let more = rest.strip_prefix(name).unwrap();
        let takes = [" <", " ["].iter().any(|value| more.starts_with(value));
        let (known, has_value) = match undone(name) {
            Some(undone) => (undone, false),
            None => named(name).unwrap_or_else(|_| panic!("{name} is not known")),
        };
        assert_eq!(has_value, takes, "{name}");
        if let Some(letter) = letter.trim().strip_prefix('-').and_then(|rest| rest.chars().next()) {
            let (long, has_value) = lettered(letter).unwrap();
            assert_eq!(has_value, takes, "-{letter}");
            assert!(long == known || known == "include", "-{letter}: {long}, {known}");
        }
        count += 1;
    }
    assert!(count > 200, "{count}");
}

#[test]
fn words_that_are_copied_along_are_left_out() {
    let url = "https://gate.example/x";
    let request = read(&words(&["curl", "-d", "a", url])).unwrap();
    for before in [
        &["$"][..],
        &["time"],
        &["sudo", "-n"][..1],
        &["TOKEN=x", "env"],
        &["--", "$"],
        &["exec", "/usr/bin/env"],
    ] {
        let line = [before, &["curl", "-d", "a", url]].concat();
        assert_eq!(read(&words(&line)).unwrap(), request, "{line:?}");
    }
    assert!(read(&words(&["https://a.example", "curl", url])).is_err());
    // A host may be called so.
    assert_eq!(read(&words(&["-X", "GET", "curl"])).unwrap().url, "http://curl/");
    let bare = read(&words(&["--proto-default", "https", "gate.example/x"])).unwrap();
    assert_eq!(bare.url, url);
    let error = read(&words(&["--expand-data", "{{secret}}", url])).unwrap_err();
    assert!(error.message.contains("write out what is in it"), "{}", error.message);
}

#[test]
fn what_is_no_request_is_refused_and_not_repeated() {
    for wrong in [
        &["-H"][..],
        &["-X", "GET"],
        &["--unknown", "1", "http://a.example"],
        &["http://a.example", "http://b.example"],
        &["-H", "secret", "http://a.example"],
        &["-z", "secret", "http://a.example"],
        &["--etag-compare", "secret", "http://a.example"],
        &["-Ksecret", "http://a.example"],
        &["--anyauth", "-u", "a:secret", "http://a.example"],
        &["http://a.example/{secret,b}"],
        &["http://a.example", "--next", "http://b.example"],
        &["-d", "@/no/such/file", "http://a.example"],
        &["-F", "secret", "http://a.example"],
    ] {
        let error = read(&words(wrong)).unwrap_err();
        assert_eq!(error.code, 2, "{wrong:?}");
        assert!(!error.message.contains("secret"), "{}", error.message);
    }
    // The beginning of a name is enough, as long as it is one's only.
    assert_eq!(read(&words(&["--data-bin", "x", "http://a.example"])).unwrap().body, b"x");
    assert!(read(&words(&["--dat", "x", "http://a.example"])).is_err());
}
