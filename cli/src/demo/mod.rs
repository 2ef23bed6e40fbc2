//! `writegate demo`: the gate on the real runtime, in front of a small API, and a walk through what it
//! lets pass and what not. Every secret is made for this run.

mod talk;
mod upstream;

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use testkit::client::Response;
use testkit::workerd::{self, Config, Worker, Workerd};
use writegate::KeyId;
use writegate::Secret;
use writegate::derive_sk;

use self::talk::Request;
use self::upstream::Upstream;
use crate::checkout::Checkout;
use crate::error::{Context, Error, Result};
use crate::progress::Progress;
use crate::session::Claims;
use crate::setup::Tools;
use crate::{build, random};

/// The lifetime of the demo's session: as long as a gate allows by default, for the curl lines.
const SESSION_SECONDS: u32 = 3600;
/// A line that is due is there at once; a busy machine may need a little.
const LOG_LIMIT: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(crate) struct Options {
    /// Leave after the walk-through instead of staying up for requests of your own
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let checkout = Checkout::find()?;
    let progress = Progress::new();
    let tools = Tools::ensure(&checkout, &progress)?;
    let built = build::build(&checkout, &tools, &progress, &build::Options::default())?;

    let token = random::text(24)?;
    let root = random::text(36)?;
    let id = KeyId::parse(&random::key_id()?).ok_or_else(|| Error::new("no key id"))?;
    let upstream = Upstream::start(&token)?;
    let key = json!({"id": id.as_str(), "methods": ["GET", "POST"], "paths": ["/posts"]});
    let worker = Worker::built("gate", &built)
        .context("reading the built Worker")?
        .var("UPSTREAM", upstream.url())
        .var("WRITE_TOKEN", token.as_str())
        .var("SIGNING_SECRET", root.as_str())
        .var("KEYS", json!([key]));
    let mut gate = Config::new()
        .listening(worker)
        .start(&workerd::binary(&checkout.root))
        .context("starting the gate")?;

    println!("writegate demo: a gate in front of a small API, all of it on this machine\n");
    println!("   the API    {}", upstream.url());
    println!("              accepts its write token and nothing else");
    println!("   the gate   http://127.0.0.1:{}", gate.port("gate"));
    println!("              the Worker on workerd; it alone has the write token");
    println!("   the key    {id}");
    println!("              public: it says who asks, and may GET and POST /posts");

    let session =
        Claims::lasting(SESSION_SECONDS).mint(&id, &derive_sk(&Secret::new(root), &id, 1), None)?;
    Walk { gate: &gate, upstream: &upstream, session: &session, token: &token }.all()?;
    if options.once {
        println!("\nAll of it went as it should.");
        return Ok(());
    }
    println!("\nThe gate stays up until Ctrl-C. What it logs from now on:\n");
    follow(&mut gate)
}

/// The walk-through. Each step says what it expects, and fails if that is not what happened.
struct Walk<'a> {
    gate: &'a Workerd,
    upstream: &'a Upstream,
    session: &'a str,
    token: &'a str,
}

impl Walk<'_> {
    fn all(&self) -> Result<()> {
        let post = json!({"title": "Hello from behind the gate"});
        self.directly(&post)?;
        self.mint();
        self.with_session(&post)?;
        self.without_session(&post)?;
        self.beyond_the_key()?;
        self.read()
    }

    fn directly(&self, post: &Value) -> Result<()> {
        heading(1, "Straight to the API, without its write token");
        let answer = Request {
            method: "POST",
            port: self.upstream.port(),
            path: "/posts",
            session: None,
            body: Some(post),
        }
        .show()?;
        println!(
            "   Whoever holds the write token may write everything, so it should be in one place only."
        );
        expect(answer.status == 401, "the API took a write without its token")
    }

    fn mint(&self) {
        heading(2, "A session is minted");
        println!(
            "   On your own server, for one visitor and a short time, with any JWT library and the key's\n   \
             secret. `writegate session mint` does the same. This one:\n   {}",
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
            "   Nor did this reach the API. Every refusal has a code; the page /_gate/problems of a deployed
   \
             gate (public/_gate/problems.html) explains them."
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

    fn ask(&self, method: &str, session: Option<&str>, body: Option<&Value>) -> Result<Response> {
        let request =
            Request { method, port: self.gate.port("gate"), path: "/posts", session, body };
        request.show()
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

/// Prints what the gate logs until it ends, which Ctrl-C brings about.
fn follow(gate: &mut Workerd) -> Result<()> {
    let mut mark = gate.logs().mark();
    while let Some(line) = gate.logs().next(mark) {
        println!("{line}");
        mark += 1;
    }
    gate.wait().context("waiting for the gate")
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
