//! The request to be explained, as a person has it: arguments of curl, or an entry of a HAR file.

use serde_json::Value;
use writegate::Head;
use writegate::Timestamp;

use crate::error::{Context as _, Error, Result};
use crate::target;

/// A request as it was sent.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct RequestInput {
    pub(crate) method: String,
    pub(crate) url: String,
    /// Names in lower case, repeated fields joined, as the gate sees them.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Option<Timestamp>,
}

impl RequestInput {
    /// The request as the gate takes it apart; `None` for one that it would not.
    pub(crate) fn head(&self) -> Option<Head<'_>> {
        let headers = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        Head::new(&self.method, &self.url, headers.collect(), self.has_body()).ok()
    }

    pub(crate) const fn has_body(&self) -> bool {
        !self.body.is_empty()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_signed(&self) -> bool {
        self.header("signature-input").is_some()
    }

    fn add(&mut self, name: &str, value: &str) {
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        match self.headers.iter_mut().find(|(other, _)| *other == name) {
            Some((_, joined)) => *joined = format!("{joined}, {value}"),
            None => self.headers.push((name, value.to_owned())),
        }
    }

    fn add_unless_there(&mut self, name: &str, value: &str) {
        if self.header(name).is_none() {
            self.add(name, value);
        }
    }

    /// The body's length, which every client sends.
    fn complete(mut self) -> Self {
        if self.has_body() {
            let length = self.body.len().to_string();
            self.add_unless_there("content-length", &length);
        }
        self
    }
}

/// Options of curl that take no value and change nothing of the request.
const SILENT: [&str; 18] = [
    "-s",
    "--silent",
    "-S",
    "--show-error",
    "-v",
    "--verbose",
    "-i",
    "--include",
    "-k",
    "--insecure",
    "-f",
    "--fail",
    "-N",
    "--no-buffer",
    "--compressed",
    "--http1.1",
    "--http2",
    "-g",
];
/// Options that take a value and change nothing of the request.
const BESIDE: [&str; 12] = [
    "-o",
    "--output",
    "-w",
    "--write-out",
    "-m",
    "--max-time",
    "--connect-timeout",
    "--resolve",
    "-D",
    "--dump-header",
    "--cacert",
    "--retry",
];

/// Reads arguments of curl; the word `curl` itself may stand before them.
pub(crate) fn curl(arguments: &[String]) -> Result<RequestInput> {
    let mut request = RequestInput::default();
    let mut words = arguments.iter().map(String::as_str).peekable();
    words.next_if(|word| *word == "--");
    words.next_if(|word| *word == "curl");
    while let Some(word) = words.next() {
        // `--header=x` and `-Xx` are what curl takes too.
        let (option, joined) = match word {
            long if long.starts_with("--") => match long.split_once('=') {
                Some((option, value)) => (option, Some(value)),
                None => (long, None),
            },
            short
                if short.len() > 2
                    && "-X -H -d -u -A -e -b".contains(short.get(..2).unwrap_or("?")) =>
            {
                short
                    .split_at_checked(2)
                    .map_or((short, None), |(option, value)| (option, Some(value)))
            }
            other => (other, None),
        };
        if SILENT.contains(&option) || is_bundle(option) {
            continue;
        }
        if !option.starts_with('-') {
            set_url(&mut request, option)?;
            continue;
        }
        if option == "-I" || option == "--head" {
            request.method = "HEAD".to_owned();
            continue;
        }
        let value = joined
            .or_else(|| words.next())
            .ok_or_else(|| Error::usage(format!("{option}: curl expects a value here")))?;
        match option {
            "-X" | "--request" => value.clone_into(&mut request.method),
            "-H" | "--header" => header(&mut request, value)?,
            "-d" | "--data" | "--data-ascii" => data(&mut request, value, true)?,
            "--data-binary" => data(&mut request, value, false)?,
            "--data-raw" => append(&mut request, value.as_bytes()),
            "--json" => {
                request.add_unless_there("content-type", "application/json");
                request.add_unless_there("accept", "application/json");
                data(&mut request, value, false)?;
            }
            "--url" => set_url(&mut request, value)?,
            "-A" | "--user-agent" => request.add("user-agent", value),
            "-e" | "--referer" => request.add("referer", value),
            "-b" | "--cookie" => request.add("cookie", value),
            "--oauth2-bearer" => request.add("authorization", &format!("Bearer {value}")),
            beside if BESIDE.contains(&beside) => {}
            unknown => {
                return Err(Error::usage(format!(
                    "{unknown}: this option of curl is not known here; leave it out, or give what it does as -H"
                )));
            }
        }
    }
    if request.url.is_empty() {
        return Err(Error::usage("the request has no URL"));
    }
    if request.has_body() {
        request.add_unless_there("content-type", "application/x-www-form-urlencoded");
    }
    if request.method.is_empty() {
        request.method = if request.has_body() { "POST" } else { "GET" }.to_owned();
    }
    Ok(request.complete())
}

/// Several options without values in one word, such as `-sS`.
fn is_bundle(word: &str) -> bool {
    let letters = word.strip_prefix('-').unwrap_or_default();
    !letters.is_empty() && letters.chars().all(|letter| "sSvikfNg".contains(letter))
}

fn set_url(request: &mut RequestInput, text: &str) -> Result<()> {
    if !request.url.is_empty() {
        return Err(Error::usage(format!("{text}: the request has two URLs")));
    }
    request.url = target::url(text).map_err(|hint| Error::usage(format!("{text}: {hint}")))?;
    Ok(())
}

fn header(request: &mut RequestInput, text: &str) -> Result<()> {
    let (name, value) =
        text.split_once(':').ok_or_else(|| Error::usage("-H: expected \"Name: value\""))?;
    // The host of the URL is what a signature is about; curl sends this one instead.
    if name.trim().eq_ignore_ascii_case("host") && !request.url.is_empty() {
        return Err(Error::usage(
            "-H Host: put that host into the URL instead, for the gate sees it there",
        ));
    }
    request.add(name, value);
    Ok(())
}

fn data(request: &mut RequestInput, text: &str, lines: bool) -> Result<()> {
    let Some(file) = text.strip_prefix('@') else {
        append(request, text.as_bytes());
        return Ok(());
    };
    let mut bytes = std::fs::read(file).context(format!("reading the body from {file}"))?;
    // curl's -d drops line breaks of a file.
    bytes.retain(|byte| !lines || !matches!(byte, b'\r' | b'\n' | 0));
    append(request, &bytes);
    Ok(())
}

/// Several -d are joined as a form is.
fn append(request: &mut RequestInput, bytes: &[u8]) {
    if request.has_body() {
        request.body.push(b'&');
    }
    request.body.extend_from_slice(bytes);
}

/// Reads an entry of a HAR file (the format of browsers' developer tools), or a lone entry.
pub(crate) fn har(text: &str, number: u32) -> Result<RequestInput> {
    let wrong = |what: &str| Error::usage(format!("--har: {what}"));
    let document: Value =
        serde_json::from_str(text).map_err(|error| wrong(&format!("not JSON: {error}")))?;
    let entries = document["log"]["entries"].as_array();
    let index = usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
    let entry = match entries {
        Some(entries) => entries
            .get(index)
            .ok_or_else(|| wrong(&format!("there is no entry {number} of {}", entries.len())))?,
        None => &document,
    };
    let recorded = &entry["request"];
    let member = |name: &str| {
        let text = recorded[name].as_str();
        text.ok_or_else(|| wrong(&format!("the entry has no request.{name}")))
    };
    let mut request = RequestInput {
        method: member("method")?.to_owned(),
        url: target::url(member("url")?).map_err(|hint| wrong(&hint))?,
        body: recorded["postData"]["text"].as_str().unwrap_or_default().into(),
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
    Ok(request.complete())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn words(text: &[&str]) -> Vec<String> {
        text.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn arguments_of_curl_are_read_as_curl_reads_them() {
        let request = curl(&words(&[
            "curl",
            "-sS",
            "https://a.example?x=1",
            "-XPUT",
            "-H",
            "X-One: 1",
            "-H",
            "x-one:  2 ",
            "--data=a=1",
            "-d",
            "b=2",
            "-o",
            "/dev/null",
        ]))
        .unwrap();
        assert_eq!(
            (request.method.as_str(), request.url.as_str()),
            ("PUT", "https://a.example/?x=1")
        );
        assert_eq!(request.header("x-one"), Some("1, 2"));
        assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(request.header("content-length"), Some("7"));
        assert_eq!(request.body, b"a=1&b=2");
        assert_eq!(curl(&words(&["http://a.example/x"])).unwrap().method, "GET");
        assert_eq!(curl(&words(&["-I", "http://a.example/x"])).unwrap().method, "HEAD");
        let posted = curl(&words(&["--json", "{}", "http://a.example/x"])).unwrap();
        assert_eq!(posted.method, "POST");
        assert_eq!(posted.header("content-type"), Some("application/json"));
        for wrong in
            [&["-H"][..], &["-X", "GET"], &["--unknown", "1", "http://a.example"], &["a", "b"]]
        {
            assert_eq!(curl(&words(wrong)).unwrap_err().code, 2, "{wrong:?}");
        }
    }

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
        let request = har(&whole, 2).unwrap();
        assert_eq!(request, har(&entry.to_string(), 1).unwrap());
        assert_eq!(request.header("x-one"), Some("1"));
        assert_eq!(request.body, b"{}");
        assert!(request.at.is_some());
        for (text, number) in [(whole.as_str(), 1), (whole.as_str(), 3), ("{", 1), ("{}", 1)] {
            assert_eq!(har(text, number).unwrap_err().code, 2, "{text} {number}");
        }
    }
}
