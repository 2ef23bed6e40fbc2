//! One request of the demo: sent for real, and printed as what was asked, what came back, and the
//! `curl` that does the same.

use std::time::Duration;

use serde_json::Value;

use crate::failure::{Failure, Result};

/// Nothing here takes long, so a request that does has gone wrong.
const LIMIT: Duration = Duration::from_secs(30);

pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    pub(super) session: Option<&'a str>,
    pub(super) body: Option<&'a Value>,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: String,
}

impl Answer {
    /// The body as JSON; null if it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

impl Request<'_> {
    /// Sends it, and prints both sides.
    pub(super) fn show(&self) -> Result<Answer> {
        println!("   → {} {}", self.method, self.url);
        if let Some(session) = self.session {
            let start: String = session.chars().take(16).collect();
            println!("     Authorization: Bearer {start}… (the session)");
        }
        if let Some(body) = self.body {
            println!("     {body}");
        }
        let answer = self
            .send()
            .map_err(|error| Failure::new(format!("{} {}: {error}", self.method, self.url)))?;
        println!("   ← {} {}", answer.status, answer.text.trim());
        println!("   again: {}", self.curl());
        Ok(answer)
    }

    fn send(&self) -> std::result::Result<Answer, ureq::Error> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(LIMIT))
            // A proxy of the environment cannot reach this machine's loopback.
            .proxy(None)
            .build()
            .into();
        let mut request = ureq::http::Request::builder().method(self.method).uri(self.url);
        if let Some(session) = self.session {
            request = request.header("Authorization", format!("Bearer {session}"));
        }
        if self.body.is_some() {
            request = request.header("Content-Type", "application/json");
        }
        let body = self.body.map(Value::to_string).unwrap_or_default();
        let mut response = if self.body.is_some() {
            agent.run(request.body(body)?)?
        } else {
            agent.run(request.body(())?)?
        };
        Ok(Answer {
            status: response.status().as_u16(),
            text: response.body_mut().read_to_string()?,
        })
    }

    fn curl(&self) -> String {
        let mut line = String::from("curl -i");
        if self.method != "GET" && !(self.method == "POST" && self.body.is_some()) {
            line.push_str(&format!(" -X {}", self.method));
        }
        if let Some(session) = self.session {
            line.push_str(&format!(" -H 'Authorization: Bearer {session}'"));
        }
        if let Some(body) = self.body {
            line.push_str(&format!(" -H 'Content-Type: application/json' -d '{body}'"));
        }
        format!("{line} {}", self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_curl_line_says_what_the_request_says() {
        let body = json!({"title": "x"});
        let request = Request {
            method: "POST",
            url: "http://127.0.0.1:1/posts",
            session: Some("a.b.c"),
            body: Some(&body),
        };
        assert_eq!(
            request.curl(),
            "curl -i -H 'Authorization: Bearer a.b.c' -H 'Content-Type: application/json' \
             -d '{\"title\":\"x\"}' http://127.0.0.1:1/posts"
        );
        let request = Request { method: "DELETE", session: None, body: None, ..request };
        assert_eq!(request.curl(), "curl -i -X DELETE http://127.0.0.1:1/posts");
    }
}
