//! The properties of every signature and link, checked over every case of a small world: what is covered
//! cannot be changed, a base can be read in one way only, and no MAC of one scheme is one of another.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use writegate::credential::base::{self, Component};
use writegate::credential::digest::content_digest;
use writegate::credential::session::{self, Session};
use writegate::credential::signature::Labels;
use writegate::credential::signing::{self, Parameters};
use writegate::credential::url;
use writegate::{Decision, Gate, Head, MacKey, Raw, Secret};

use crate::world::{self, NOW, Native, TARGET, WAF_SECRET, code_of, decide_on, id, sk};

const URL: &str = TARGET;
const BODY: &[u8] = br#"{"title":"x"}"#;

fn key() -> MacKey {
    MacKey::new(&sk())
}

fn gate() -> Gate {
    let schemes = json!({"schemes": ["session", "signature", "url", "waf-url"]});
    world::gate(schemes, json!({}))
}

/// A request that can be changed.
#[derive(Clone)]
struct Sent {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Sent {
    fn get(url: String) -> Self {
        Self { method: "GET".to_owned(), url, headers: Vec::new(), body: Vec::new() }
    }

    fn signed() -> Self {
        let mut sent = Self {
            method: "POST".to_owned(),
            url: URL.to_owned(),
            headers: vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                ("content-digest".to_owned(), content_digest(BODY)),
            ],
            body: BODY.to_vec(),
        };
        let covered = [
            Component::Method,
            Component::Authority,
            Component::Path,
            Component::Query,
            Component::Field("content-digest".to_owned()),
            Component::Field("content-type".to_owned()),
            Component::QueryParam("a".to_owned()),
        ];
        let parameters = Parameters {
            created: NOW,
            expires: Some(NOW.plus_seconds(60)),
            keyid: "pk_site",
            nonce: Some("12345678"),
        };
        let head = head_of(&sent).unwrap();
        let signed = signing::sign(&head, &covered, &parameters, &key()).unwrap();
        let signature = [("signature-input", signed.input), ("signature", signed.signature)];
        sent.headers.extend(signature.map(|(name, value)| (name.to_owned(), value)));
        sent
    }

    fn code(&self, gate: &Gate) -> String {
        let headers = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let raw = Raw {
            method: &self.method,
            target: &self.url,
            headers: headers.collect(),
            has_body: !self.body.is_empty(),
        };
        let platform = Native::with_body(self.body.clone());
        match decide_on(&platform, gate, raw) {
            Decision::Forward(..) => "forwarded".to_owned(),
            Decision::Respond(answer) => code_of(&answer),
        }
    }
}

fn head_of(sent: &Sent) -> Result<Head<'_>, writegate::Refusal> {
    let headers = sent.headers.iter().map(|(n, v)| (n.as_str(), v.as_str()));
    Ok(Head::new(&sent.method, &sent.url, headers.collect(), !sent.body.is_empty())?)
}

/// Returns the text with each of its bytes, from this one on, replaced by some that a request may hold.
fn changes(text: &str, from: usize) -> impl Iterator<Item = String> {
    (from..text.len()).flat_map(move |index| {
        b"aZ0/?&=%;,\":.- ".iter().filter_map(move |replacement| {
            let mut bytes = text.as_bytes().to_vec();
            let before = std::mem::replace(&mut bytes[index], *replacement);
            (before != *replacement).then(|| String::from_utf8(bytes).unwrap())
        })
    })
}

#[test]
fn no_byte_of_what_is_covered_can_be_changed() {
    let (gate, sent) = (gate(), Sent::signed());
    assert_eq!(sent.code(&gate), "forwarded");
    let mut tried = 0;
    let mut refused = |changed: Sent| {
        tried += 1;
        let what = format!("{} {} {:?}", changed.method, changed.url, changed.headers);
        assert_ne!(changed.code(&gate), "forwarded", "{what}");
    };
    for method in ["PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS", "post", "POSt"] {
        refused(Sent { method: method.to_owned(), ..sent.clone() });
    }
    for url in changes(URL, "https://".len()) {
        refused(Sent { url, ..sent.clone() });
    }
    for rest in [
        "posts/1?a=%7e&b&", "posts/1?a=%7E&b", "posts/1?a=%7e&b=", "posts/1?", "posts/1",
        "posts/1/?a=%7e&b", "?a=%7e&b", "posts/1%3Fa=%7e&b", "%70osts/1?a=%7e&b",
        "posts/1?%61=%7e&b",
    ] {
        refused(Sent { url: format!("https://gate.example/{rest}"), ..sent.clone() });
    }
    for header in 0..sent.headers.len() {
        let (name, value) = sent.headers[header].clone();
        // A label is not part of what is signed: changed in both fields it means the same.
        let from = if name.starts_with("signature") { "sig1=".len() } else { 0 };
        let longer_and_shorter = [format!("{value}1"), value[..value.len() - 1].to_owned()];
        for value in changes(&value, from).chain(longer_and_shorter) {
            let mut changed = sent.clone();
            changed.headers[header].1 = value;
            refused(changed);
        }
        let mut changed = sent.clone();
        changed.headers.remove(header);
        refused(changed);
    }
    for index in 0..BODY.len() {
        let mut changed = sent.clone();
        changed.body[index] ^= 1;
        refused(changed);
    }
    for body in [b"".to_vec(), [BODY, b" "].concat(), BODY[1..].to_vec()] {
        refused(Sent { body, ..sent.clone() });
    }
    assert!(tried > 3_000, "{tried}");
    // What is not covered may change on its way.
    let mut more = sent.clone();
    more.headers.push(("accept".to_owned(), "*/*".to_owned()));
    assert_eq!(more.code(&gate), "forwarded");
}

#[test]
fn no_byte_of_a_link_can_be_changed() {
    let gate = gate();
    let plain = Sent::get("https://gate.example/img/1.png?w=100".to_owned());
    let head = head_of(&plain).unwrap();
    let origin = "https://gate.example";
    let signed = url::sign(&head, &id(), NOW.plus_seconds(600), &key());
    let waf_secret = MacKey::new(&Secret::new(WAF_SECRET));
    let waf = url::sign_waf(&head, Some(&id()), NOW, &waf_secret);
    let (text, value) = waf.split_once("verify=").unwrap();
    let (issued, mac) = value.split_once('-').unwrap();
    let mac = STANDARD.encode(URL_SAFE_NO_PAD.decode(mac).unwrap());
    let mac = mac.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let encoded = format!("{text}verify={issued}-{mac}");
    // A signed URL is valid only on its own host, a WAF-token URL on every host.
    for (link, from) in [(signed, "https://".len()), (waf, origin.len()), (encoded, origin.len())] {
        let url = format!("{origin}{link}");
        assert_eq!(Sent::get(url.clone()).code(&gate), "forwarded", "{url}");
        for url in changes(&url, from) {
            assert_ne!(Sent::get(url.clone()).code(&gate), "forwarded", "{url}");
        }
    }
}

#[test]
fn trackers_behind_a_link_change_nothing_and_nothing_else_may_be_there() {
    let gate = world::gate(json!({"schemes": ["url", "waf-url"]}), json!({"cache": {"ttl": 60}}));
    let reached = |url: &str| {
        let decision = world::decide(&gate, world::raw("GET", url, &[]));
        match decision {
            Decision::Forward(outbound, _) => Ok((outbound.url, outbound.cache.unwrap().name)),
            Decision::Respond(answer) => Err(code_of(&answer)),
        }
    };
    let origin = "https://gate.example";
    for target in ["/img/1.png", "/img/1.png?w=1", "/img/1.png?utm_source=own&w=1"] {
        let plain = Sent::get(format!("{origin}{target}"));
        let head = head_of(&plain).unwrap();
        let waf_secret = MacKey::new(&Secret::new(WAF_SECRET));
        let links = [
            url::sign(&head, &id(), NOW.plus_seconds(600), &key()),
            url::sign_waf(&head, Some(&id()), NOW, &waf_secret),
        ];
        for link in links.map(|link| format!("{origin}{link}")) {
            let good = reached(&link).unwrap();
            let api = format!("https://api.example/v1{target}");
            assert_eq!(good.0, api, "{link}");
            let mut all = link.clone();
            for name in url::TRACKERS {
                for behind in ["", "=", "=x", "=a%20b;key=pk_other", "=a=b?sig=1"] {
                    let added = format!("{link}&{name}{behind}");
                    assert_eq!(reached(&added).as_ref(), Ok(&good), "{added}");
                }
                all.push_str(&format!("&{name}=x&{name}=y"));
            }
            assert_eq!(reached(&all).as_ref(), Ok(&good), "{all}");
            for behind in [
                "&", "&&utm_source=x", "&utm_source=x&", "&UTM_source=x", "&utm%5Fsource=x",
                "&utm_sources=x", "&utm_=x", "&xutm_source=x", "&utm_source[]=x", "&w=2",
                "&utm_source=x&w=2", "&w=2&utm_source=x", "&exp=1", "&sig", "&utm_source=x&sig=1",
                "&verify=1", "?utm_source=x", ";utm_source=x", "%26utm_source=x",
            ] {
                let added = format!("{link}{behind}");
                assert_eq!(reached(&added), Err("bad-credential".to_owned()), "{added}");
            }
            let two = format!("{link}&utm_source=x&key=pk_site");
            assert_eq!(reached(&two), Err("ambiguous-credential".to_owned()));
            // Before what is signed, or instead of it, they are not as they were.
            let moved = link.replacen(
                target,
                &format!("{target}{}utm_id=1", if target.contains('?') { "&" } else { "?" }),
                1,
            );
            let moved = moved.replacen("utm_id=1?", "utm_id=1&", 1);
            assert_eq!(reached(&moved), Err("signature-invalid".to_owned()), "{moved}");
        }
    }
}

#[test]
fn trackers_beside_another_credential_reach_the_api() {
    let gate = world::plain();
    let bearer = format!("Bearer {}", world::token(json!({})));
    let target = format!("{URL}&key=pk_site&utm_source=x");
    let headers = [("authorization", bearer.as_str())];
    match world::decide(&gate, world::raw("GET", &target, &headers)) {
        Decision::Forward(outbound, _) => {
            assert!(outbound.url.ends_with("&b&utm_source=x"), "{}", outbound.url);
        }
        Decision::Respond(answer) => panic!("{answer:?}"),
    }
}

/// The contents of a base: its lines in order, then the parameters.
type Read = (Vec<(String, String)>, String);

/// Reads a base as RFC 9421 section 2.5 builds it: an identifier ends at the first `": "` after its
/// closing quotes, and the value at the end of the line.
fn read(base: &str) -> Read {
    let mut lines: Vec<_> = base.split('\n').collect();
    let last = lines.pop().unwrap();
    let parameters = last.strip_prefix("\"@signature-params\": ").unwrap();
    let lines = lines.into_iter().map(|line| {
        // In an identifier every quote opens or closes a string, and none of ours holds one.
        let quotes = if line.starts_with("\"@query-param\"") { 4 } else { 2 };
        let end = line.match_indices('"').nth(quotes - 1).unwrap().0 + 1;
        let value = line[end..].strip_prefix(": ").unwrap();
        (line[..end].to_owned(), value.to_owned())
    });
    (lines.collect(), parameters.to_owned())
}

#[test]
fn a_base_can_be_read_in_one_way_only() {
    // Values that look like the beginnings, the ends and the insides of lines.
    let values = [
        "", "\"", "\": ", "x\": y", "\"@signature-params\": ()", "\"@method\": GET", ": ", "a, b",
        ";name=\"a\": b", "\\\"",
    ];
    let mut seen: BTreeMap<String, Read> = BTreeMap::new();
    for one in values {
        for other in values {
            let headers = vec![("x-one", one), ("x-other", other)];
            let head = Head::new("POST", URL, headers, false).unwrap();
            for names in [["x-one", "x-other"], ["x-other", "x-one"]] {
                let components = names.map(|name| Component::Field(name.to_owned()));
                let parameters = "(\"x-one\" \"x-other\");created=1";
                let base = base::base(&components, parameters, &head).unwrap();
                let meant: Vec<_> = names
                    .iter()
                    .map(|name| (format!("\"{name}\""), head.header(name).unwrap().to_owned()))
                    .collect();
                let meant = (meant, parameters.to_owned());
                assert_eq!(read(&base), meant, "{base}");
                let before = seen.insert(base.clone(), meant.clone());
                assert!(before.is_none_or(|before| before == meant), "{base}");
            }
        }
    }
    assert!(seen.len() > 150, "{}", seen.len());
}

#[test]
fn parameters_are_read_back_as_they_were_signed() {
    // In whatever order and spelling a client sends them: what is signed is the canonical form.
    for (sent, signed) in [
        (r#"("@method");created=1;keyid="k""#, r#"("@method");created=1;keyid="k""#),
        (r#"( "@method"  );  keyid="k";created=1;x"#, r#"("@method");keyid="k";created=1;x"#),
        (
            r#"("@method");keyid="k";tag="a\"\\";n=1.50;d=?0;b=:AAE:"#,
            r#"("@method");keyid="k";tag="a\"\\";n=1.5;d=?0;b=:AAE=:"#,
        ),
        (r#"("@query-param";name="a");keyid="k""#, r#"("@query-param";name="a");keyid="k""#),
    ] {
        let input = format!("sig={sent}");
        let tag = format!("sig=:{}:", STANDARD.encode([0; 32]));
        let headers = vec![("signature-input", input.as_str()), ("signature", tag.as_str())];
        let head = Head::new("GET", URL, headers, false).unwrap();
        let signature = Labels::read(&head).unwrap().find_signature(&head, |_| true);
        let base = signature.unwrap().unwrap().base(&head).unwrap();
        assert_eq!(read(&base).1, signed, "{sent}");
    }
}

#[test]
fn the_messages_of_the_schemes_begin_differently() {
    // A session's message begins with the base64url of a JSON object, which begins with white space or
    // `{`; nothing else is taken, whatever follows it.
    let begins: Vec<char> = ('\0'..='\u{7f}')
        .filter(|first| {
            let header =
                URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "kid": "pk_site"}).to_string());
            let claims = URL_SAFE_NO_PAD.encode(r#"{"exp":1}"#);
            let tag = URL_SAFE_NO_PAD.encode([0; 32]);
            let spaced = |space: &str| {
                let json = format!("{space}{}", json!({"alg": "HS256", "kid": "pk_site"}));
                URL_SAFE_NO_PAD.encode(json)
            };
            [header, spaced(" "), spaced("\t"), spaced("\n"), spaced("\r")].iter().any(|header| {
                let token = format!("{first}{}.{claims}.{tag}", &header[1..]);
                Session::parse(&token).is_ok()
            })
        })
        .collect();
    let of_sessions = ['C', 'D', 'I', 'e'];
    assert!(begins.iter().all(|first| of_sessions.contains(first)), "{begins:?}");
    let minted = session::mint(&id(), &sk(), &serde_json::Map::new());
    assert!(minted.starts_with('e'));

    let head = Head::new("GET", URL, Vec::new(), false).unwrap();
    let base = base::base(&[Component::Method], "()", &head).unwrap();
    assert!(base.starts_with('"'));
    assert!(base::base(&[], "()", &head).unwrap().starts_with('"'));
    // The contract's formula; `tests/core/signature_vectors.rs` holds the links to it.
    let of_a_signed_url = "writegate-url-v1\n".chars().next().unwrap();
    let of_a_waf_url = head.target().chars().next().unwrap();
    let all = [&of_sessions[..], &['"', of_a_signed_url, of_a_waf_url]].concat();
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len(), "{all:?}");
}
