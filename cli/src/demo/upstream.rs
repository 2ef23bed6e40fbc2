//! The API behind the demo's gate: it keeps posts in memory and accepts nothing but its token.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use testkit::upstream::{self, Reply, Seen};

use crate::error::{Context as _, Result};

/// A running API. It ends with the process.
pub(super) struct Upstream {
    recording: upstream::Upstream,
    stored: Arc<Mutex<Stored>>,
}

/// The state of the API.
#[derive(Default)]
struct Stored {
    /// The number of requests that have arrived, accepted or not.
    requests: usize,
    posts: Vec<Value>,
}

impl Upstream {
    pub(super) fn start(token: &str) -> Result<Self> {
        let stored = Arc::<Mutex<Stored>>::default();
        let (own, expected) = (Arc::clone(&stored), format!("Bearer {token}"));
        let recording =
            upstream::Upstream::keeping_newest(move |seen, _| answer(seen, &expected, &own))
                .context("starting the demo's API")?;
        Ok(Self { recording, stored })
    }

    pub(super) fn port(&self) -> u16 {
        self.recording.port
    }

    pub(super) fn url(&self) -> String {
        self.recording.url()
    }

    /// Returns the number of requests that have arrived, accepted or not.
    pub(super) fn requests(&self) -> usize {
        lock(&self.stored).requests
    }

    pub(super) fn posts(&self) -> Vec<Value> {
        lock(&self.stored).posts.clone()
    }

    /// Returns a header of the newest request.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        self.recording.seen().last()?.header(name)
    }
}

fn lock(stored: &Mutex<Stored>) -> MutexGuard<'_, Stored> {
    stored.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(seen: &Seen, expected: &str, stored: &Mutex<Stored>) -> Reply {
    let mut stored = lock(stored);
    stored.requests += 1;
    let (status, content) = match (seen.method.as_str(), seen.target.as_str()) {
        _ if seen.header("authorization").as_deref() != Some(expected) => {
            (401, json!({"error": "this API needs its write token"}))
        }
        ("POST", "/posts") => match serde_json::from_slice(&seen.body) {
            Ok(Value::Object(mut post)) => {
                post.insert("id".to_owned(), json!(stored.posts.len() + 1));
                stored.posts.push(Value::Object(post.clone()));
                (201, Value::Object(post))
            }
            _ => (400, json!({"error": "a post is a JSON object"})),
        },
        ("GET", "/posts") => (200, Value::Array(stored.posts.clone())),
        _ => (404, json!({"error": "there is /posts and nothing else"})),
    };
    Reply::new(status).header("Content-Type", "application/json").body(format!("{content}\n"))
}
