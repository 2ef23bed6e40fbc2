//! `explain` and a gate on real workerd judge the same requests alike: one for each refusal, its nearest neighbours, and what
//! comes of both when something in them is changed. Every refusal has a reason.

use std::process::Command;

use serde_json::{Value, json};
use testkit::client::{HOST, Request};
use testkit::gate::{Gate, Setup};
use testkit::links::{before_sig, signed};
use testkit::provocations::{near_misses, provocations, reply, setup};
use testkit::random::Random;
use testkit::token::{now, sk};
use testkit::upstream::Upstream;

use crate::Folder;

/// Requests with something changed.
const CHANGED: usize = 260;
/// Answers that depend on more than the request and the configuration.
const ELSEWHERE: [&str; 4] =
    ["replayed", "token-missing", "upstream-rejected-token", "upstream-unreachable"];
/// Pieces that somebody might add to a header's value, or put in its place.
const PIECES: [&str; 16] = [
    ",", ";", "=", "\"", "'", ".", " ", "%20", "A", "sig=", "&", "undefined", "pk_site", ":",
    "Bearer ", "1",
];

/// Headers that may be added to a request.
const HEADERS: [(&str, &str); 12] = [
    ("X-Public-Key", "pk_site"),
    ("X-Public-Key", "pk_nobody"),
    ("X-Api-Key", "pk_site"),
    ("Authorization", "Basic dXNlcjpwYXNz"),
    ("Origin", "https://evil.example"),
    ("Upgrade", "websocket"),
    ("Signature", "sig1=:AAAA:"),
    ("Signature-Input", "sig1=();keyid=\"pk_signs\""),
    ("Content-Digest", "sha-256=:AAAA:"),
    ("CF-Connecting-IP", "192.0.2.1"),
    ("Connection", "x-public-key"),
    ("Cookie", "a=b"),
];
const PARAMETERS: [&str; 9] = [
    "utm_source=x", "key=pk_site", "key=pk_link", "sig=AAAA", "exp=1", "verify=1234567890-a",
    "a=b", "key=", "fbclid=1",
];
const PATHS: [&str; 12] = [
    "/x", "/read/x", "/small/x", "/cms/x", "/a//b", "/a/%2e%2e/b", "/a%2fb", "/_gate/keys",
    "/_gate/nothing", "/%5fgate/keys", "/a;b", "/",
];
const METHODS: [&str; 6] = ["GET", "HEAD", "PUT", "DELETE", "TRACE", "PROPFIND"];

/// Returns the request with something in it changed.
fn change(random: &mut Random, mut request: Request, other: &Request) -> Request {
    match random.below(10) {
        0 => request.method = random.of(&METHODS).to_owned(),
        1 => request.target = random.of(&PATHS).to_owned(),
        2 | 3 => {
            let joint = if request.target.contains('?') { '&' } else { '?' };
            request.target = format!("{}{joint}{}", request.target, random.of(&PARAMETERS));
        }
        4 | 5 => {
            let (name, value) = random.of(&HEADERS);
            request = request.header(name, value);
        }
        6 if !request.headers.is_empty() => {
            request.headers.remove(random.below(request.headers.len()));
        }
        7 => request.headers.extend(other.headers.clone()),
        8 => request.body = random.of(&[None, Some(b"{}".to_vec()), Some(b"abcd".to_vec())]),
        _ if !request.headers.is_empty() => {
            let at = random.below(request.headers.len());
            let (name, value) = &mut request.headers[at];
            if name.eq_ignore_ascii_case("host") {
                return request;
            }
            let place = random.below(value.len() + 1);
            match random.below(3) {
                0 => value.insert_str(place, random.of(&PIECES)),
                1 => value.truncate(place),
                _ => value.replace_range(place..(place + 1).min(value.len()), "x"),
            }
            *value = value.trim().to_owned();
        }
        _ => {}
    }
    request
}

/// Returns a folder with this configuration.
fn folder(variables: &Value) -> Folder {
    let folder = Folder::new();
    let configuration = json!({
        "name": "gate",
        "vars": {"ROUTES": variables["ROUTES"], "KEYS": variables["KEYS"]},
        "durable_objects": {"bindings": [{"name": "REPLAY", "class_name": "ReplayGuard"}]},
    });
    folder.file("wrangler.json", &configuration.to_string());
    folder
}

/// Returns the output of `explain` for a request; `None` where curl cannot send it so.
fn explain(mut command: Command, request: &Request) -> Option<Value> {
    command.args(["explain", "--json", "--", "curl", "-g", "--path-as-is"]);
    command.args(["-X", &request.method, &format!("http://{HOST}{}", request.target)]);
    for (name, value) in &request.headers {
        let header = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        command.args(["-H", &header]);
    }
    if let Some(body) = &request.body {
        command.args(["--data-raw", str::from_utf8(body).unwrap()]);
    }
    let done = command.output().unwrap();
    (done.status.code() != Some(2)).then(|| serde_json::from_slice(&done.stdout).unwrap())
}

/// Returns the gate's code, or `accepted` if it sent the request on or answered it itself; `None` for the refusal of
/// a HEAD, whose answer has no body.
fn code_of(gate: &Gate, upstream: &Upstream, request: &Request) -> Option<String> {
    let before = upstream.seen().len();
    let answer = request.send(gate);
    if upstream.seen().len() > before || answer.status < 400 {
        let is_fault = answer.header("content-type").as_deref() == Some("application/problem+json");
        return Some(if is_fault { answer.code() } else { "accepted".to_owned() });
    }
    (request.method != "HEAD").then(|| answer.code())
}

#[test]
fn explain_says_what_the_gate_says_and_why() {
    let upstream = Upstream::answering(reply);
    let gate = setup(Setup::to(&upstream)).start();
    let variables = Value::from(setup(Setup::to(&upstream)).environment().variables);
    let folder = folder(&variables);
    let link = |path: &str| {
        let secret = sk(&gate.signing_secret, "pk_link", 1);
        Request::get(&signed(&secret, HOST, &before_sig(path, "pk_link", now() + 300)))
    };
    let mut requests: Vec<Request> =
        provocations(&gate).into_iter().map(|(_, _, request)| request).collect();
    requests.extend(near_misses(&gate).into_iter().map(|(_, _, request)| request));
    requests.extend([link("/x"), link("/x?a=b"), Request::get("/_gate/health")]);
    let mut random = Random::new(20);
    let whole = requests.clone();
    for _ in 0..CHANGED {
        let (request, other) = (random.of(&whole), random.of(&whole));
        let mut changed = change(&mut random, request, &other);
        if random.below(3) == 0 {
            changed = change(&mut random, changed, &other);
        }
        requests.push(changed);
    }
    let (mut wrong, mut compared, mut codes) = (Vec::new(), 0, Vec::new());
    for request in &requests {
        let head = String::from_utf8_lossy(&request.head()).into_owned();
        let code = code_of(&gate, &upstream, request);
        let command = folder.command(&gate.signing_secret);
        let Some(explained) = explain(command, request) else {
            continue;
        };
        compared += 1;
        let judged = explained["code"].as_str().or(explained["judged"].as_str()).unwrap();
        let is_same = match &code {
            None => explained["judged"] == "refused",
            // The registry and the ledger are not here.
            Some(_) if judged == "unknown" => request.target.starts_with("/_gate/"),
            Some(code) => {
                judged == code || (judged == "accepted" && ELSEWHERE.contains(&code.as_str()))
            }
        };
        if !is_same {
            wrong.push(format!("the gate: {code:?}, explain: {explained}\n{head}"));
        }
        let has_reason = explained["why"].as_array().is_some_and(|why| !why.is_empty())
            || explained["guess"].is_string();
        if explained["judged"] == "refused" && !has_reason {
            wrong.push(format!("no reason: {explained}\n{head}"));
        }
        codes.push(judged.to_owned());
    }
    codes.sort();
    codes.dedup();
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared * 10 > requests.len() * 8, "{compared} of {}", requests.len());
    assert!(codes.len() > 24, "{codes:?}");
}
