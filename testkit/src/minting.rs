//! Sessions that the gate mints for pages: the set-up, the request of a page, and siteverify's answers.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::client::{Request, Response};
use crate::gate::{KEY, Setup};
use crate::token::fresh;

/// The page that sessions are minted for.
pub const SITE: &str = "https://www.example.com";
/// Something that the gate needs is missing, or does not answer.
pub const UNAVAILABLE: (u16, &str) = (503, "feature-unavailable");

/// Gives a gate everything but a key that minting needs; siteverify is at this URL.
pub fn minting(setup: Setup, verify_url: &str) -> Setup {
    let secret = fresh();
    let setup = setup.limiter("RATE_MINT").env("TURNSTILE_SECRET", secret.as_str());
    setup.env("TURNSTILE_VERIFY_URL", verify_url)
}

/// Returns a key that mints for [`SITE`], with these members; a null takes one away.
pub fn page_key(id: &str, more: Value) -> Value {
    let base = json!({"id": id, "mint": {}, "allowed_origins": [SITE], "methods": ["POST"], "paths": ["/posts"]});
    let Value::Object(mut record) = base else { unreachable!() };
    record.extend(more.as_object().expect("an object").clone());
    record.retain(|_, value| !value.is_null());
    record.into()
}

/// Returns the request of a page at [`SITE`] for a session of the default key.
pub fn ask() -> Request {
    ask_of(KEY)
}

/// Returns the request of a page at [`SITE`] for a session of this key, with a fresh token.
pub fn ask_of(id: &str) -> Request {
    ask_with(&json!({"key": id, "turnstile": fresh()}).to_string())
}

/// Returns the request of a page at [`SITE`] with this body.
pub fn ask_with(body: &str) -> Request {
    Request::new("POST", "/_gate/session").origin(SITE).body(body)
}

/// Returns the answer of siteverify to a good token of a page at this host.
pub fn yes(hostname: &str) -> Value {
    json!({"success": true, "challenge_ts": "2026-11-22T20:00:00.000Z", "hostname": hostname, "error-codes": [],
        "action": "writegate", "cdata": "", "metadata": {"interactive": false}})
}

/// Returns the answer of siteverify to a token that it refuses.
pub fn no(codes: Value) -> Value {
    json!({"success": false, "error-codes": codes, "messages": []})
}

/// Returns the claims of the session in an answer.
pub fn claims(answer: &Response) -> Map<String, Value> {
    let token = answer.json()["token"].as_str().expect("a session").to_owned();
    let payload = token.split('.').nth(1).expect("a payload");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// Returns a write with the session in an answer, from the page that it is for.
pub fn write_with(answer: &Response) -> Request {
    Request::post("/posts").origin(SITE).bearer(answer.json()["token"].as_str().expect("a session"))
}
