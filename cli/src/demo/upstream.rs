//! The API behind the demo's gate: it keeps posts in memory and accepts nothing but its token.

use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tiny_http::{Header, Method, Request, Response, Server};

use crate::failure::{Failure, Result};

/// A post larger than this is cut off: the API is a demonstration.
const MAX_BODY_BYTES: u64 = 64 * 1024;

/// A running API. It ends with the process.
pub(super) struct Upstream {
    port: u16,
    seen: Arc<Mutex<Seen>>,
}

/// What arrived.
#[derive(Default)]
struct Seen {
    requests: usize,
    posts: Vec<Value>,
    /// The header names of the newest request, as the API saw them.
    headers: Vec<(String, String)>,
}

impl Upstream {
    pub(super) fn start(token: &str) -> Result<Self> {
        let failed = |error| Failure::new(format!("starting the demo's API: {error}"));
        let server = Server::http("127.0.0.1:0").map_err(failed)?;
        let port = server.server_addr().to_ip().map_or(0, |address| address.port());
        let upstream = Self { port, seen: Arc::default() };
        let (seen, expected) = (Arc::clone(&upstream.seen), format!("Bearer {token}"));
        std::thread::spawn(move || {
            for request in server.incoming_requests() {
                // A caller who hangs up is no concern of the next one.
                let _ = answer(request, &expected, &seen);
            }
        });
        Ok(upstream)
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many requests have arrived, accepted or not.
    pub(super) fn requests(&self) -> usize {
        lock(&self.seen).requests
    }

    pub(super) fn posts(&self) -> Vec<Value> {
        lock(&self.seen).posts.clone()
    }

    /// A header of the newest request.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let seen = lock(&self.seen);
        let mut headers = seen.headers.iter();
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(mut request: Request, expected: &str, seen: &Mutex<Seen>) -> std::io::Result<()> {
    let headers: Vec<_> = request
        .headers()
        .iter()
        .map(|header| (header.field.to_string(), header.value.to_string()))
        .collect();
    let authorized = headers
        .iter()
        .any(|(name, value)| name.eq_ignore_ascii_case("authorization") && value == expected);
    let mut body = Vec::new();
    request.as_reader().take(MAX_BODY_BYTES).read_to_end(&mut body)?;

    let (status, content) = {
        let mut seen = lock(seen);
        seen.requests += 1;
        seen.headers = headers;
        match (request.method(), request.url()) {
            _ if !authorized => (401, json!({"error": "this API wants its write token"})),
            (Method::Post, "/posts") => match serde_json::from_slice(&body) {
                Ok(Value::Object(mut post)) => {
                    post.insert("id".to_owned(), json!(seen.posts.len() + 1));
                    seen.posts.push(Value::Object(post.clone()));
                    (201, Value::Object(post))
                }
                _ => (400, json!({"error": "a post is a JSON object"})),
            },
            (Method::Get, "/posts") => (200, Value::Array(seen.posts.clone())),
            _ => (404, json!({"error": "there is /posts and nothing else"})),
        }
    };
    let response = Response::from_string(format!("{content}\n")).with_status_code(status);
    request.respond(match Header::from_bytes("Content-Type", "application/json") {
        Ok(header) => response.with_header(header),
        Err(()) => response,
    })
}
