//! The walk-through: a request after another, each shown with its answer. Each step says what it expects, and fails if that
//! is not what happened.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::client::Response;

use super::gate::Gate;
use super::page::{CHALLENGE, Page};
use super::talk::Request;
use super::upstream::Upstream;
use crate::error::{Error, Result};

/// Longest wait for a log line, for a busy machine.
const LOG_LIMIT: Duration = Duration::from_secs(10);

/// The subjects of the walk-through.
pub(super) struct Walk<'a> {
    pub(super) gate: &'a Gate,
    pub(super) page: &'a Page,
    pub(super) upstream: &'a Upstream,
    /// A session of a server.
    pub(super) session: &'a str,
    /// The id of the key that the page has.
    pub(super) page_key: &'a str,
    pub(super) token: &'a str,
}

impl Walk<'_> {
    /// Shows a server with a session that it minted.
    pub(super) fn server(&self) -> Result<()> {
        let post = json!({"name": "The walk-through", "message": "Hello from behind the gate"});
        self.directly(&post)?;
        self.mint();
        self.with_session(&post)?;
        self.without_session(&post)?;
        self.beyond_the_key()?;
        self.read()
    }

    fn directly(&self, post: &Value) -> Result<()> {
        heading(1, "Straight to the API, without its write token");
        let request = Request::post(self.upstream.port(), "/posts");
        let answer = Request { body: Some(post), ..request }.show()?;
        println!(
            "   The holder of the write token may write everything, so it should be in one place only."
        );
        expect(answer.status == 401, "the API took a write without its token")
    }

    fn mint(&self) {
        heading(2, "A session is minted");
        println!(
            "   On your own server, for one visitor and a short time, with any JWT library and the key's\n   \
             secret. `cargo run -- session mint` does the same. This one:\n   {}",
            self.session
        );
    }

    fn with_session(&self, post: &Value) -> Result<()> {
        heading(3, "The same write, through the gate, with the session");
        let mark = self.gate.logs().mark();
        let answer = self.ask("POST", Some(self.session), Some(post))?;
        let posts = self.upstream.posts();
        let with_token =
            self.upstream.header("authorization") == Some(format!("Bearer {}", self.token));
        println!(
            "   The gate checked the session, dropped it, and put the write token in its place.\n   \
             At the API now: {}",
            Value::Array(posts.clone())
        );
        self.log(mark, "forwarded")?;
        expect(
            answer.status == 201 && posts.len() == 1 && with_token,
            "the write with a session did not reach the API as it should",
        )
    }

    fn without_session(&self, post: &Value) -> Result<()> {
        heading(4, "The same write without a session");
        let (before, mark) = (self.upstream.requests(), self.gate.logs().mark());
        let answer = self.ask("POST", None, Some(post))?;
        let after = self.upstream.requests();
        println!(
            "   It never reached the API: {before} requests had arrived there before, {after} have now."
        );
        self.log(mark, "refused")?;
        refused(&answer, 401, "credential-missing")?;
        expect(after == before, "a refused write reached the API")
    }

    fn beyond_the_key(&self) -> Result<()> {
        heading(5, "A session can do no more than its key");
        let before = self.upstream.requests();
        let answer = self.ask("DELETE", Some(self.session), None)?;
        println!(
            "   Nor did this reach the API. Every refusal has a code, which {}/_gate/problems explains.",
            self.gate.origin()
        );
        refused(&answer, 403, "method-denied")?;
        let after = self.upstream.requests();
        expect(after == before, "a refused request reached the API")
    }

    fn read(&self) -> Result<()> {
        heading(6, "Reading back, through the gate");
        let answer = self.ask("GET", Some(self.session), None)?;
        let whole = answer.json() == Value::Array(self.upstream.posts());
        expect(answer.status == 200 && whole, "the API's posts did not come back through the gate")
    }

    /// Shows a page, which has no secret.
    pub(super) fn page(&self) -> Result<()> {
        heading(7, "A page of another origin asks for a session");
        let challenge = Request::post(self.page.port(), CHALLENGE).show()?;
        let asked = json!({"key": self.page_key, "turnstile": challenge.text()});
        let minted = self.as_page("/_gate/session", None, &asked)?;
        println!(
            "   It has the id of a key and proof of a visitor (a stand-in for Turnstile here), and no secret. The gate asked\n   \
             whether the proof is good, and made a session for this key and this origin."
        );
        let session = minted.json()["token"].as_str().unwrap_or_default().to_owned();
        expect(minted.status == 201 && !session.is_empty(), "the page got no session")?;

        heading(8, "It writes with it");
        let entry = json!({"name": "A visitor", "message": "Hello from a static page"});
        let before = self.upstream.posts().len();
        let answer = self.as_page("/posts", Some(&session), &entry)?;
        let arrived = self.upstream.posts().len() == before + 1;
        expect(answer.status == 201 && arrived, "the page's write did not reach the API")?;

        heading(9, "The same proof again");
        let again = self.as_page("/_gate/session", None, &asked)?;
        println!("   A proof is good once, so nobody can collect sessions with one that was seen.");
        let spent = again.json()["reason"] == "spent";
        refused(&again, 403, "challenge-failed")?;
        expect(spent, "the gate did not say that the proof was spent")
    }

    fn as_page(&self, path: &str, session: Option<&str>, body: &Value) -> Result<Response> {
        let origin = Some(self.page.origin());
        let request = Request::post(self.gate.port(), path);
        Request { session, origin: origin.as_deref(), body: Some(body), ..request }.show()
    }

    fn ask(&self, method: &str, session: Option<&str>, body: Option<&Value>) -> Result<Response> {
        let request = Request::post(self.gate.port(), "/posts");
        Request { method, session, body, ..request }.show()
    }

    /// Prints the audit line of the request just made.
    fn log(&self, mark: usize, outcome: &str) -> Result<()> {
        let wanted = |line: &str| {
            serde_json::from_str::<Value>(line)
                .is_ok_and(|line| line["event"] == "request" && line["outcome"] == outcome)
        };
        let line = self.gate.logs().wait(mark, LOG_LIMIT, wanted);
        println!("   logged: {}", line.as_deref().unwrap_or("nothing"));
        expect(line.is_some(), "the gate did not log the request")
    }
}

fn heading(number: u32, title: &str) {
    println!("\n{number}. {title}");
}

fn refused(answer: &Response, status: u16, code: &str) -> Result<()> {
    let as_expected = answer.status == status && answer.json()["code"] == code;
    expect(as_expected, &format!("expected a refusal {status} {code}"))
}

fn expect(holds: bool, otherwise: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::new(format!("the demo went wrong: {otherwise}"))) }
}
