//! A gate as the tests on workerd have one, without workerd: requests are decided by the library, at once, on the
//! platform of [`crate::world`]. Tables of cases run on either.
//!
//! It does what the platform does with a request before the gate sees it: header names in lower case, values trimmed and
//! joined. Whether the platform really does that is shown on workerd.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde_json::{Map, Value, json};

use testkit::check::{Answers, Counts};
use testkit::client::{HOST, Request, Response};
use testkit::gate::{KEY, Setup};
use testkit::logs::{Line, Stream};
use testkit::signing::Signature;
use testkit::token::{self, Session};
use testkit::upstream::{Arrival, Reply, Seen};
use testkit::wire::{self, Framing};
use writegate::config::{Binding, Environment};
use writegate::{Context, Decision, Raw, Secret, Step, Timestamp};

use crate::world::{Native, now_or_never};

/// A table of cases that are decided natively.
pub(crate) type Check = testkit::check::Check<Gate, Upstream>;

/// Returns a table in front of an upstream that answers everything 200.
pub(crate) fn check(set_up: impl FnOnce(Setup) -> Setup) -> Check {
    before(Upstream::start(), set_up)
}

/// Returns a table in front of this upstream.
pub(crate) fn before(upstream: Upstream, set_up: impl FnOnce(Setup) -> Setup) -> Check {
    let gate = start(&upstream, set_up);
    Check::with(upstream, gate)
}

/// Returns a gate in front of this upstream.
pub(crate) fn start(upstream: &Upstream, set_up: impl FnOnce(Setup) -> Setup) -> Gate {
    let environment = set_up(Setup::to_url(&upstream.url())).environment();
    let text = |name: &str| {
        let value = environment.variables.get(name).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let mut platform = Native::with_body(Vec::new());
    (platform.limiter, platform.rate) = (environment.limiter.or(Some("")), 3);
    let records = environment.records.iter();
    let keys = records.filter_map(|(name, record)| {
        Some((name.strip_prefix("key/")?.to_owned(), record.as_str()?.to_owned()))
    });
    platform.records.get_mut().extend(keys);
    Gate {
        signing_secret: text("SIGNING_SECRET"),
        token: text("WRITE_TOKEN"),
        gate: writegate::Gate::new(&Variables(&environment.variables, &environment.bindings)),
        platform,
        upstream: upstream.clone(),
        logs: Logs::default(),
        count: Cell::new(0),
    }
}

/// Variables and secrets as a test has set them, and the names of bindings.
struct Variables<'a>(&'a Map<String, Value>, &'a [&'static str]);

impl Environment for Variables<'_> {
    fn get(&self, name: &str) -> Option<Binding> {
        if self.1.contains(&name) {
            return Some(Binding::Resource);
        }
        Some(match self.0.get(name)? {
            Value::String(text) => Binding::Text(Secret::new(text.as_str())),
            other => Binding::Json(other.to_string()),
        })
    }
}

/// The library, asked as a gate on workerd is.
pub(crate) struct Gate {
    /// The root secret.
    pub(crate) signing_secret: String,
    /// The upstream token.
    pub(crate) token: String,
    /// Its request.
    pub(crate) platform: Native,
    gate: writegate::Gate,
    upstream: Upstream,
    /// Its log lines.
    pub(crate) logs: Logs,
    count: Cell<u32>,
}

impl Gate {
    /// Returns a session of the default key.
    pub(crate) fn session(&self) -> Session {
        self.session_of(KEY)
    }

    /// Returns a session of this key.
    pub(crate) fn session_of(&self, id: &str) -> Session {
        Session::new(&self.signing_secret, id)
    }

    /// Returns the compact form of a good session of the default key.
    pub(crate) fn bearer(&self) -> String {
        self.session().mint()
    }

    /// Returns a signature by the default key.
    pub(crate) fn signature(&self) -> Signature {
        self.signature_of(KEY)
    }

    /// Returns a signature by this key.
    pub(crate) fn signature_of(&self, id: &str) -> Signature {
        Signature::new(&self.signing_secret, id)
    }

    /// Returns the rows of a key's usage that its ledger does not know yet.
    pub(crate) fn usage(&self, id: &str) -> Vec<Value> {
        let id = writegate::KeyId::parse(id).unwrap();
        let batch = self.gate.usage().batch(&id, self.platform.now.get());
        let batch: Value = serde_json::from_str(&batch).unwrap();
        batch["rows"].as_array().unwrap().clone()
    }

    /// Returns the configuration's error, if it closes the gate: the field and the hint.
    pub(crate) fn fault(&self) -> Option<String> {
        self.gate.config().err().map(ToString::to_string)
    }

    /// Returns every line that was logged.
    pub(crate) fn stop(self) -> Vec<Line> {
        self.logs.0.into_inner()
    }

    fn log(&self, audit: &str, alarm: Option<&str>) {
        let line = |stream, text: &str| Line { stream, text: text.to_owned() };
        let mut lines = self.logs.0.borrow_mut();
        lines.push(line(Stream::Log, audit));
        lines.extend(alarm.map(|alarm| line(Stream::Error, alarm)));
    }
}

/// The lines of a gate, which are there when its answer is.
#[derive(Default)]
pub(crate) struct Logs(RefCell<Vec<Line>>);

impl Logs {
    /// Returns what `find` finds in the lines.
    #[track_caller]
    pub(crate) fn until<T>(&self, what: &str, find: impl Fn(&[Line]) -> Option<T>) -> T {
        let lines = self.0.borrow();
        find(&lines).unwrap_or_else(|| panic!("no {what} in the log: {lines:#?}"))
    }

    /// Returns the audit line of one request.
    #[track_caller]
    pub(crate) fn audit(&self, request_id: &str) -> Value {
        self.until(&format!("audit line of {request_id}"), |lines| {
            let mut lines =
                lines.iter().filter(|line| line.is_event("request")).filter_map(Line::json);
            lines.find(|line| line["request_id"] == request_id)
        })
    }
}

impl Answers for Gate {
    fn answer(&self, request: &Request) -> Response {
        let headers = received(request);
        let authority = wire::header(&headers, "host").unwrap_or_default();
        let target = format!("http://{authority}{}", request.target);
        let body = request.body.clone().unwrap_or_default();
        self.platform.body.replace(body.clone());
        let now = Timestamp::from_seconds(token::now().try_into().unwrap());
        self.platform.now.set(now);
        self.count.set(self.count.get() + 1);
        let context = Context {
            now,
            request_id: format!("request-{}", self.count.get()),
            country: None,
            colo: None,
        };
        let raw = Raw {
            method: &request.method,
            target: &target,
            headers: headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            has_body: request.body.is_some(),
        };
        let respond = |answer: writegate::GateResponse| {
            self.log(&answer.audit, answer.alarm.as_deref());
            let headers = answer.headers.into_iter().map(|(name, value)| (name.to_owned(), value));
            response(request, answer.status, headers.collect(), answer.body.into_bytes())
        };
        let (outbound, mut exchange) =
            match now_or_never(self.gate.decide(raw, context, &self.platform)) {
                Decision::Respond(answer) => return respond(answer),
                Decision::Forward(outbound, exchange) => (outbound, exchange),
            };
        let passes = |name: &str| !outbound.drop.contains(&name) && name != "host";
        let passing = headers.iter().filter(|(name, _)| passes(name) && !sets(&outbound.set, name));
        let set = outbound.set.iter().map(|(name, value)| {
            (name.clone(), value.expose_str().expect("a header is text").to_owned())
        });
        let origin = self.upstream.url();
        let host = ("host".to_owned(), origin["http://".len()..].to_owned());
        let framing = match &request.body {
            Some(body) => Framing::Length(body.len()),
            None => Framing::None,
        };
        let reply = self.upstream.take(Seen {
            method: request.method.clone(),
            target: outbound.url.strip_prefix(&origin).expect("its upstream").to_owned(),
            headers: passing.cloned().chain(set).chain([host]).collect(),
            framing,
            body,
            arrival: Arrival::Complete,
        });
        let (status, sent, body) = reply.whole();
        let mut sent = joined(sent);
        if !sent.iter().any(|(name, _)| name == "content-length") && !matches!(status, 204 | 304) {
            sent.push(("content-length".to_owned(), body.len().to_string()));
        }
        let fields: Vec<_> = sent.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        match exchange.answered(status, &fields, None, now, 0.5) {
            Step::Pass(edits, lines, _) => {
                self.log(&lines.audit, lines.alarm.as_deref());
                let set = edits.set.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
                let kept = sent.iter().filter(|(name, _)| {
                    !edits.drop.contains(&name.as_str())
                        && !edits.set.iter().any(|(n, _)| n == name)
                });
                response(request, status, kept.cloned().chain(set).collect(), body.to_vec())
            }
            Step::Inspect => respond(exchange.rejected(status, body)),
            Step::Respond(answer) => respond(answer),
            Step::Again(_) => panic!("no upstream of these tests fails for a while"),
        }
    }

    fn signing_secret(&self) -> &str {
        &self.signing_secret
    }

    fn stored(&self, id: &str) -> Option<Value> {
        let records = self.platform.records.borrow();
        serde_json::from_str(records.get(id)?).ok()
    }
}

fn sets(set: &[(String, Secret)], name: &str) -> bool {
    set.iter().any(|(other, _)| other == name)
}

fn response(request: &Request, status: u16, headers: wire::Headers, body: Vec<u8>) -> Response {
    let body = if request.method == "HEAD" { Vec::new() } else { body };
    Response { status, reason: String::new(), headers, body, complete: true }
}

/// Returns the headers of a request as the platform hands them over.
fn received(request: &Request) -> wire::Headers {
    let mut headers = joined(&request.headers);
    let has = |headers: &wire::Headers, name: &str| headers.iter().any(|(other, _)| other == name);
    if !has(&headers, "host") {
        headers.push(("host".to_owned(), HOST.to_owned()));
    }
    if let Some(body) = &request.body
        && !has(&headers, "content-length")
    {
        headers.push(("content-length".to_owned(), body.len().to_string()));
    }
    headers
}

/// Fields in lower case, trimmed, those of one name joined.
fn joined(fields: &[(String, String)]) -> wire::Headers {
    let mut headers = wire::Headers::new();
    for (name, value) in fields {
        let (name, value) = (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']));
        match headers.iter_mut().find(|(other, _)| *other == name) {
            Some((_, joined)) => *joined = format!("{joined}, {value}"),
            None => headers.push((name, value.to_owned())),
        }
    }
    headers
}

type Script = dyn Fn(&Seen, usize) -> Reply;

/// An API that records what reaches it.
#[derive(Clone)]
pub(crate) struct Upstream(Rc<(Box<Script>, RefCell<Vec<Seen>>)>);

impl Upstream {
    /// Answers every request 200 `done`.
    pub(crate) fn start() -> Self {
        Self::answering(|_, _| Reply::ok("done"))
    }

    /// Answers by `script`, which gets the request and how many came before it.
    pub(crate) fn answering(script: impl Fn(&Seen, usize) -> Reply + 'static) -> Self {
        Self(Rc::new((Box::new(script), RefCell::default())))
    }

    /// Returns the URL that it is configured by.
    #[expect(clippy::unused_self, reason = "as an upstream on a wire has it")]
    pub(crate) fn url(&self) -> String {
        "http://127.0.0.1:1".to_owned()
    }

    fn take(&self, seen: Seen) -> Reply {
        let (script, all) = &*self.0;
        let nth = all.borrow().len();
        all.borrow_mut().push(seen.clone());
        script(&seen, nth)
    }

    /// Returns everything that was seen so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.0.1.borrow().clone()
    }

    /// Returns the one request there was.
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "one request at the upstream: {seen:#?}");
        seen.into_iter().next().unwrap()
    }

    /// Returns the last request there was.
    pub(crate) fn last(&self) -> Seen {
        self.0.1.borrow().last().cloned().expect("a request at the upstream")
    }

    /// Asserts that no request arrived.
    pub(crate) fn assert_untouched(&self) {
        let seen = self.seen();
        assert!(seen.is_empty(), "nothing may reach the upstream, but it saw {seen:#?}");
    }
}

impl Counts for Upstream {
    fn count(&self) -> usize {
        self.0.1.borrow().len()
    }
}

/// Records that this key is in the registry natively as on workerd.
#[test]
fn the_two_kinds_of_gate_agree_on_what_is_set_up() {
    let gate = start(&Upstream::start(), |setup| setup.registered(json!({"id": "pk_there"})));
    assert_eq!(gate.stored("pk_there"), Some(json!({"id": "pk_there"})));
    assert_eq!(gate.fault(), None);
}
