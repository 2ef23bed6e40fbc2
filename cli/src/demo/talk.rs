//! One request of the demo: sent for real, and printed as what was asked, what came back, and the
//! `curl` that does the same.

use serde_json::Value;
use testkit::client::{self, Response};

use crate::error::{Error, Result};

pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) port: u16,
    pub(super) path: &'a str,
    pub(super) session: Option<&'a str>,
    /// The origin of the page that sends it.
    pub(super) origin: Option<&'a str>,
    pub(super) body: Option<&'a Value>,
}

impl<'a> Request<'a> {
    /// Makes a POST without anything else.
    pub(super) const fn post(port: u16, path: &'a str) -> Self {
        Self { method: "POST", port, path, session: None, origin: None, body: None }
    }

    /// Sends it, and prints both sides.
    pub(super) fn show(&self) -> Result<Response> {
        let url = self.url();
        println!("   → {} {url}", self.method);
        if let Some(origin) = self.origin {
            println!("     Origin: {origin}");
        }
        if let Some(session) = self.session {
            let start: String = session.chars().take(16).collect();
            println!("     Authorization: Bearer {start}… (the session)");
        }
        if let Some(body) = self.body {
            println!("     {body}");
        }
        let answer =
            self.send().map_err(|error| Error::new(format!("{} {url}: {error}", self.method)))?;
        println!("   ← {} {}", answer.status, answer.text().trim());
        println!("   again: {}", self.curl());
        Ok(answer)
    }

    fn send(&self) -> std::io::Result<Response> {
        let mut request = client::Request::new(self.method, self.path)
            .header("Host", &format!("127.0.0.1:{}", self.port));
        if let Some(session) = self.session {
            request = request.bearer(session);
        }
        if let Some(origin) = self.origin {
            request = request.origin(origin);
        }
        if let Some(body) = self.body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        request.try_send_to(self.port)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.port, self.path)
    }

    fn curl(&self) -> String {
        let mut line = String::from("curl -i");
        if self.method != "GET" && !(self.method == "POST" && self.body.is_some()) {
            line.push_str(&format!(" -X {}", self.method));
        }
        if let Some(session) = self.session {
            line.push_str(&format!(" -H 'Authorization: Bearer {session}'"));
        }
        if let Some(origin) = self.origin {
            line.push_str(&format!(" -H 'Origin: {origin}'"));
        }
        if let Some(body) = self.body {
            line.push_str(&format!(" -H 'Content-Type: application/json' -d '{body}'"));
        }
        format!("{line} {}", self.url())
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
            session: Some("a.b.c"),
            origin: Some("http://127.0.0.1:2"),
            body: Some(&body),
            ..Request::post(1, "/posts")
        };
        assert_eq!(
            request.curl(),
            "curl -i -H 'Authorization: Bearer a.b.c' -H 'Origin: http://127.0.0.1:2' \
             -H 'Content-Type: application/json' -d '{\"title\":\"x\"}' http://127.0.0.1:1/posts"
        );
        let request = Request { method: "DELETE", ..Request::post(1, "/posts") };
        assert_eq!(request.curl(), "curl -i -X DELETE http://127.0.0.1:1/posts");
    }
}
