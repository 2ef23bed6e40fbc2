//! The published examples of signed requests (RFC 9421) and of WAF-token links, stage by stage. What
//! the files are, and which of them the gate refuses on purpose, is in `tests/vectors/README.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use writegate::credential::signature::{Labels, Signature};
use writegate::credential::url::{self, UrlCredential};
use writegate::credential::{Limits, VerifyError};
use writegate::{DerivedKey, Head, Key, KeyId, MacKey, Refusal, RootSecrets, Secret, Timestamp};

/// Returns every case of a folder, in order.
fn cases(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new("tests/vectors").join(folder);
    let mut cases: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    cases
}

fn stage(case: &Path, name: &str) -> Option<String> {
    fs::read_to_string(case.join(name)).ok()
}

/// A request as the platform hands it over: names in lower case, values trimmed, repeated fields joined.
struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
}

impl Request {
    fn of(text: &str, scheme: &str) -> Self {
        let head = text.split("\r\n\r\n").next().unwrap();
        let mut lines = head.split("\r\n");
        let mut line = lines.next().unwrap().split(' ');
        let (method, target) = (line.next().unwrap(), line.next().unwrap());
        let headers = fields(lines);
        let host = headers.iter().find(|(name, _)| name == "host");
        let host = host.map_or("www.example.com", |(_, value)| value.as_str());
        Self { method: method.to_owned(), url: format!("{scheme}://{host}{target}"), headers }
    }

    fn with(mut self, name: &str, value: String) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }

    fn head(&self) -> Head<'_> {
        let headers = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        Head::new(&self.method, &self.url, headers.collect(), false).unwrap()
    }
}

fn fields<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        if line.starts_with(' ') {
            // A folded line (RFC 9112 section 5.2), as a platform would have to read it.
            let (_, value) = fields.last_mut().unwrap();
            *value = format!("{value} {}", line.trim());
            continue;
        }
        let (name, value) = line.split_once(':').unwrap();
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        match fields.iter_mut().find(|(other, _)| *other == name) {
            Some((_, joined)) => *joined = format!("{joined}, {value}"),
            None => fields.push((name, value.to_owned())),
        }
    }
    fields
}

fn signature(head: &Head<'_>) -> Result<Signature, Refusal> {
    Ok(Labels::read(head)?.find_signature(head, |_| true)?.unwrap())
}

#[test]
fn every_base_and_mac_of_rfc_9421_s_requests() {
    let secret = fs::read_to_string("tests/vectors/rfc9421/shared-secret.base64").unwrap();
    let key = MacKey::new(&Secret::new(STANDARD.decode(secret.trim()).unwrap()));
    let cases = cases("rfc9421");
    for case in &cases {
        let read = |name| stage(case, name).unwrap();
        let request = Request::of(&read("request"), &read("scheme"))
            .with("signature-input", format!("sig={}", read("input")))
            .with("signature", format!("sig=:{}:", read("signature")));
        let head = request.head();
        let signature = signature(&head).unwrap();
        let base = signature.base(&head).unwrap();
        assert_eq!(base, read("base"), "{}", case.display());
        assert!(key.verify(base.as_bytes(), signature.tag()), "{}: the MAC", case.display());
    }
    assert_eq!(cases.len(), 7);
}

/// The gate refuses flags, and knows a target only as path and query.
const REFUSED: [&str; 7] = ["08", "09", "10", "11", "12", "14", "15"];
/// In absolute, authority and asterisk form.
const NEVER_ARRIVES: [&str; 3] = ["21", "22", "23"];

#[test]
fn every_component_value_of_rfc_9421_s_section_2() {
    let mut seen = BTreeSet::new();
    for case in cases("rfc9421-components") {
        let name = case.file_name().unwrap().to_str().unwrap();
        let number = &name[..2];
        seen.insert(number.to_owned());
        if NEVER_ARRIVES.contains(&number) {
            continue;
        }
        let text = stage(&case, "request").unwrap_or_else(|| "GET / HTTP/1.1".to_owned());
        let scheme = stage(&case, "scheme").unwrap_or_else(|| "https".to_owned());
        let mut request = Request::of(&text, &scheme);
        if let Some(headers) = stage(&case, "headers") {
            request.headers = fields(headers.split("\r\n"));
        }
        let component = stage(&case, "component").unwrap();
        let request = request
            .with("signature-input", format!("sig=({component});keyid=\"any\""))
            .with("signature", format!("sig=:{}:", STANDARD.encode([0; 32])));
        let head = request.head();
        let line = signature(&head).and_then(|signature| signature.base(&head));
        match REFUSED.contains(&number) {
            true => assert_eq!(line, Err(Refusal::SignatureUnsupported), "{name}"),
            false => {
                let value = stage(&case, "value").unwrap();
                let base = line.unwrap();
                let expected = format!("{component}: {value}");
                assert_eq!(base.lines().next().unwrap(), expected.trim_end_matches('\n'), "{name}");
            }
        }
    }
    assert_eq!(seen.len(), 33);
}

#[test]
fn every_waf_token_link_is_what_the_gate_would_make() {
    for case in cases("waf-token") {
        let read = |name| stage(&case, name).unwrap();
        let request = Request::of(&format!("GET {} HTTP/1.1", read("message")), "https");
        let issued = Timestamp::from_seconds(read("timestamp").parse().unwrap());
        let secret = MacKey::new(&Secret::new(read("key")));
        let link = url::sign_waf(&request.head(), None, issued, &secret);
        assert_eq!(link, read("link-base64url"), "{}", case.display());
    }
}

#[test]
fn every_published_waf_token_link_is_good_until_it_ends() {
    let id = KeyId::parse("pk_site").unwrap();
    let root = Secret::new("root ".repeat(8));
    let roots = Rc::new(RootSecrets { current: root, previous: None });
    let record = serde_json::json!({"id": "pk_site", "schemes": ["waf-url"], "url_ttl": 60});
    let known = DerivedKey::new(Key::parse("KEYS[0]", record).unwrap(), roots);
    for case in cases("waf-token") {
        let read = |name| stage(&case, name).unwrap();
        let issued = Timestamp::from_seconds(read("timestamp").parse().unwrap());
        let secret = MacKey::new(&Secret::new(read("key")));
        let verify = |target: &str, now: Timestamp| {
            let request = Request::of(&format!("GET {target} HTTP/1.1"), "https");
            let head = request.head();
            let UrlCredential::Waf(link) = UrlCredential::read(&head, Some(&id)).unwrap() else {
                panic!("{target} is no link");
            };
            let limits = Limits {
                now,
                session_max_ttl: 1,
                clock_skew: 0,
                audience: None,
                unsigned_body: false,
                waf_secret: Some(&secret),
            };
            match link.verify(&known, &limits) {
                Ok(_end) => None,
                Err(VerifyError::Refused(refusal)) => Some(refusal),
                Err(other) => panic!("{other:?}"),
            }
        };
        for link in [read("link-default"), read("link-base64url")] {
            assert_eq!(verify(&link, issued), None, "{link}");
            assert_eq!(verify(&link, issued.plus_seconds(59)), None, "{link}");
            let late = verify(&link, issued.plus_seconds(60));
            assert_eq!(late, Some(Refusal::UrlExpired), "{link}");
            let forged = verify(&format!("/other{link}"), issued);
            assert_eq!(forged, Some(Refusal::SignatureInvalid), "{link}");
        }
    }
}

#[test]
fn a_signed_url_is_the_contract_s_formula() {
    let request = Request::of("GET /img/a%20b.png?w=1 HTTP/1.1\r\nHost: Gate.Example:443", "https");
    let key = MacKey::new(&Secret::new("a secret of this test"));
    let id = KeyId::parse("pk_site").unwrap();
    let link = url::sign(&request.head(), &id, Timestamp::from_seconds(1_900_000_000), &key);
    let (signed, sig) = link.rsplit_once("&sig=").unwrap();
    assert_eq!(signed, "/img/a%20b.png?w=1&key=pk_site&exp=1900000000");
    let tag = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(sig).unwrap();
    let message = format!("writegate-url-v1\ngate.example\n{signed}");
    assert!(key.verify(message.as_bytes(), &tag));
}
