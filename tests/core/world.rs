//! A gate without a platform: its configuration in a map, its clock stopped, and what it would wait for
//! there at once.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};

use serde_json::{Map, Value, json};

use writegate::config::{Binding, Environment};
use writegate::credential::digest::Algorithm;
use writegate::credential::session;
use writegate::credential::signature::Nonce;
use writegate::platform::{
    AdminBackend, BodyError, Change, Platform, ReadBody, RecordPage, SecretsStore, Unavailable,
};
use writegate::{
    Context, Day, Decision, Gate, GateResponse, KeyId, Raw, Secret, Timestamp, derive_sk,
};

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_795_305_600);
pub(crate) const TOKEN: &str = "upstream-token";
pub(crate) const WAF_SECRET: &str = "waf secret of thirty-two bytes ..";
pub(crate) const TARGET: &str = "https://gate.example/posts/1?a=%7e&b";

pub(crate) fn root() -> String {
    "root ".repeat(8)
}

pub(crate) fn id() -> KeyId {
    KeyId::parse("pk_site").unwrap()
}

/// Returns the signing secret of the gate's one key.
pub(crate) fn sk() -> Secret {
    derive_sk(&Secret::new(root()), &id(), 1)
}

/// Variables and secrets.
pub(crate) struct Vars(pub(crate) BTreeMap<&'static str, Value>);

impl Environment for Vars {
    fn get(&self, name: &str) -> Option<Binding> {
        Some(match self.0.get(name)? {
            // A variable cannot be null.
            Value::Null => Binding::Resource,
            Value::String(text) => Binding::Text(Secret::new(text.as_str())),
            other => Binding::Json(other.to_string()),
        })
    }
}

/// Returns a gate with one key and one route, both with these changes.
pub(crate) fn gate(key: Value, route: Value) -> Gate {
    gate_with(key, route, [])
}

/// Adds these variables and secrets; a null is something to call.
pub(crate) fn gate_with(
    key: Value,
    route: Value,
    vars: impl IntoIterator<Item = (&'static str, Value)>,
) -> Gate {
    let merge = |mut base: Value, changes: Value| {
        for (name, value) in changes.as_object().unwrap() {
            base[name] = value.clone();
        }
        base
    };
    let key = merge(json!({"id": "pk_site"}), key);
    let route = merge(json!({"path": "/*", "upstream": "https://api.example/v1"}), route);
    let mut all = BTreeMap::from([
        ("SIGNING_SECRET", json!(root())),
        ("WAF_SECRET", json!(WAF_SECRET)),
        ("WRITE_TOKEN", json!(TOKEN)),
        ("ROUTES", json!([route])),
        ("KEYS", json!([key])),
    ]);
    all.extend(vars);
    Gate::new(&Vars(all))
}

pub(crate) fn plain() -> Gate {
    gate(json!({}), json!({}))
}

pub(crate) fn token(claims: Value) -> String {
    token_of("pk_site", claims)
}

pub(crate) fn token_of(id: &str, claims: Value) -> String {
    let id = KeyId::parse(id).unwrap();
    let sk = derive_sk(&Secret::new(root()), &id, 1);
    let mut all = Map::from_iter([("exp".to_owned(), json!(NOW.seconds() + 300))]);
    all.extend(claims.as_object().unwrap().clone());
    session::mint(&id, &sk, &all)
}

pub(crate) fn raw<'h>(method: &'h str, target: &'h str, headers: &[(&'h str, &'h str)]) -> Raw<'h> {
    Raw { method, target, headers: headers.to_vec(), has_body: false }
}

fn context_at(now: Timestamp) -> Context {
    Context { now, request_id: "id".to_owned(), country: None, colo: None }
}

/// Returns the code of a refusal; `forwarded` when there is none.
pub(crate) fn code(gate: &Gate, raw: Raw<'_>) -> String {
    match decide(gate, raw) {
        Decision::Forward(..) => "forwarded".to_owned(),
        Decision::Respond(answer) => code_of(&answer),
    }
}

pub(crate) fn code_of(answer: &GateResponse) -> String {
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    let audit: Value = serde_json::from_str(&answer.audit).unwrap();
    assert_eq!(document["code"], audit["code"]);
    assert_eq!(document["status"], answer.status);
    document["code"].as_str().unwrap_or_default().to_owned()
}

/// Most records of a page of the registry.
const PAGE: usize = 100;

/// Something that a test lets happen.
pub(crate) type Happens = Box<dyn Fn(&Native)>;

/// A platform with this body, and a memory for nonces.
pub(crate) struct Native {
    pub(crate) body: RefCell<Vec<u8>>,
    pub(crate) records: RefCell<BTreeMap<String, String>>,
    /// The binding of its rate limiter; `None` answers for any.
    pub(crate) limiter: Option<&'static str>,
    /// The requests of one key that the limiter lets pass.
    pub(crate) rate: u32,
    counted: RefCell<BTreeMap<String, u32>>,
    /// The value in every Secrets Store; `None` does not answer.
    pub(crate) stored: RefCell<Option<String>>,
    /// The number of reads of a Secrets Store.
    pub(crate) asked: Cell<u32>,
    /// The result instead of a read body.
    pub(crate) body_error: Cell<Option<BodyError>>,
    /// The operation that does not answer: an operation of `calls`.
    pub(crate) silent: Cell<&'static str>,
    /// The operations it was asked for, in order: `rate`, `record`, `usage`, `ledgers`, `body`, `nonce`,
    /// `siteverify`, `purge`.
    pub(crate) calls: RefCell<Vec<&'static str>>,
    seen: RefCell<BTreeSet<(String, String)>>,
    random: Cell<u8>,
    /// The time; it stops unless a test moves it.
    pub(crate) now: Cell<Timestamp>,
    /// Happens while the limiter counts.
    pub(crate) while_counting: RefCell<Option<Happens>>,
    /// Happens while the body is read.
    pub(crate) while_reading: RefCell<Option<Happens>>,
    /// Happens when records are about to be written.
    pub(crate) while_writing: RefCell<Option<Happens>>,
    /// The key's usage, as its ledger says.
    pub(crate) had: Cell<u64>,
    /// The rows that each ledger lists.
    pub(crate) rows: Cell<&'static str>,
    /// The answer of siteverify; `None` does not answer.
    pub(crate) verdict: RefCell<Option<(u16, String)>>,
    /// The URL and the form that siteverify was last asked with.
    pub(crate) form: RefCell<(String, String)>,
    /// Happens while siteverify is asked.
    pub(crate) while_verifying: RefCell<Option<Happens>>,
    /// The marker of the last purge.
    pub(crate) purged: RefCell<Option<String>>,
}

impl Native {
    pub(crate) const fn with_body(body: Vec<u8>) -> Self {
        Self {
            body: RefCell::new(body),
            records: RefCell::new(BTreeMap::new()),
            limiter: None,
            rate: 1,
            counted: RefCell::new(BTreeMap::new()),
            stored: RefCell::new(None),
            asked: Cell::new(0),
            body_error: Cell::new(None),
            silent: Cell::new(""),
            rows: Cell::new("[]"),
            calls: RefCell::new(Vec::new()),
            seen: RefCell::new(BTreeSet::new()),
            random: Cell::new(0),
            now: Cell::new(NOW),
            while_counting: RefCell::new(None),
            while_reading: RefCell::new(None),
            while_writing: RefCell::new(None),
            had: Cell::new(0),
            verdict: RefCell::new(None),
            form: RefCell::new((String::new(), String::new())),
            while_verifying: RefCell::new(None),
            purged: RefCell::new(None),
        }
    }

    fn called(&self, what: &'static str) -> Result<(), Unavailable> {
        self.calls.borrow_mut().push(what);
        if self.silent.get() == what { Err(Unavailable) } else { Ok(()) }
    }

    /// Returns the number of nonces that were recorded.
    pub(crate) fn nonces(&self) -> usize {
        self.seen.borrow().len()
    }

    /// Returns the number of requests that the rate limiter has counted, by what they were counted as.
    pub(crate) fn counted(&self) -> BTreeMap<String, u32> {
        self.counted.borrow().clone()
    }
}

impl SecretsStore for Native {
    async fn secret(&self, name: &str) -> Result<Secret, Unavailable> {
        assert_eq!(name, "WRITE_TOKEN");
        self.asked.set(self.asked.get() + 1);
        let stored = self.stored.borrow();
        stored.as_deref().map(Secret::new).ok_or(Unavailable)
    }
}

impl Platform for Native {
    fn now(&self) -> Timestamp {
        self.now.get()
    }

    async fn record(&self, id: &KeyId) -> Result<Option<String>, Unavailable> {
        self.called("record")?;
        Ok(self.records.borrow().get(id.as_str()).cloned())
    }

    async fn within_rate(&self, binding: &str, rate_limit_key: &str) -> Result<bool, Unavailable> {
        self.called("rate")?;
        if let Some(happens) = self.while_counting.take() {
            happens(self);
        }
        if self.limiter.is_some_and(|limiter| limiter != binding) {
            return Err(Unavailable);
        }
        let mut counted = self.counted.borrow_mut();
        let count = counted.entry(rate_limit_key.to_owned()).or_default();
        *count += 1;
        Ok(*count <= self.rate)
    }

    async fn read_body(&self, wanted: ReadBody<'_>) -> Result<Vec<Vec<u8>>, BodyError> {
        self.calls.borrow_mut().push("body");
        if let Some(error) = self.body_error.get() {
            return Err(error);
        }
        let body = self.body.borrow().clone();
        if body.len() as u64 > wanted.max_bytes {
            return Err(BodyError::TooLarge);
        }
        if let Some(happens) = self.while_reading.take() {
            happens(self);
        }
        let digest = |one: &Algorithm| one.digest(&body);
        Ok(wanted.algorithms.iter().map(digest).collect())
    }

    async fn submit_usage(&self, _key: &KeyId, batch: &str) -> Result<String, Unavailable> {
        self.called("usage")?;
        let batch: Value = serde_json::from_str(batch).map_err(|_misshapen| Unavailable)?;
        let answer = json!({"sequence": batch["sequence"], "since": batch["since"], "requests": self.had.get(), "bytes": 0});
        Ok(answer.to_string())
    }

    async fn remember_nonce(&self, key: &KeyId, nonce: &Nonce) -> Result<bool, Unavailable> {
        self.called("nonce")?;
        let entry = (nonce.object(key), nonce.value.clone());
        Ok(self.seen.borrow_mut().insert(entry))
    }
}

impl AdminBackend for Native {
    async fn purge(&self, marker: &str) -> Result<(), Unavailable> {
        self.called("purge")?;
        let _before = self.purged.replace(Some(marker.to_owned()));
        Ok(())
    }

    async fn usage(
        &self,
        batches: &[(String, String)],
        _from: Day,
        _to: Day,
    ) -> Result<Vec<(String, String)>, Unavailable> {
        self.called("ledgers")?;
        let answer = |batch: &str| match serde_json::from_str::<Value>(batch) {
            Ok(batch) => {
                self.calls.borrow_mut().push("batch");
                json!({"sequence": batch["sequence"], "requests": 0, "bytes": 0}).to_string()
            }
            Err(_nothing) => String::new(),
        };
        Ok(batches.iter().map(|(_, batch)| (answer(batch), self.rows.get().to_owned())).collect())
    }

    fn body(&self) -> Vec<u8> {
        self.body.borrow().clone()
    }

    fn random(&self) -> [u8; 16] {
        self.random.set(self.random.get() + 1);
        [self.random.get(); 16]
    }

    async fn siteverify(&self, url: &str, form: &str) -> Result<(u16, String), Unavailable> {
        self.called("siteverify")?;
        self.form.replace((url.to_owned(), form.to_owned()));
        if let Some(happens) = self.while_verifying.take() {
            happens(self);
        }
        self.verdict.borrow().clone().ok_or(Unavailable)
    }

    async fn record_page(&self, cursor: Option<&str>) -> Result<RecordPage, Unavailable> {
        let records = self.records.borrow();
        let named = records.iter().map(|(id, text)| (format!("key/{id}"), text.clone()));
        let mut rest: Vec<_> = named.filter(|(name, _)| Some(name.as_str()) > cursor).collect();
        let more = rest.len() > PAGE;
        rest.truncate(PAGE);
        let cursor = rest.last().filter(|_| more).map(|(name, _)| name.clone());
        Ok(RecordPage { records: rest, cursor })
    }

    async fn record_names(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<String>, Option<String>), Unavailable> {
        let records = self.records.borrow();
        let named = records.keys().map(|id| format!("key/{id}"));
        let mut rest: Vec<_> = named.filter(|name| Some(name.as_str()) > cursor).collect();
        let more = rest.len() > limit;
        rest.truncate(limit);
        let cursor = rest.last().filter(|_| more).cloned();
        Ok((rest, cursor))
    }

    async fn records(&self, ids: &[&KeyId]) -> Result<Vec<Option<String>>, Unavailable> {
        Ok(ids.iter().map(|id| self.records.borrow().get(id.as_str()).cloned()).collect())
    }

    async fn write(&self, changes: &[Change<'_>]) -> Result<bool, Unavailable> {
        if let Some(happens) = self.while_writing.take() {
            happens(self);
        }
        let mut records = self.records.borrow_mut();
        let is_there =
            |one: &Change<'_>| records.get(one.id.as_str()).map(String::as_str) == one.from;
        if !changes.iter().all(is_there) {
            return Ok(false);
        }
        for one in changes {
            records.insert(one.id.to_string(), one.to.to_owned());
        }
        Ok(true)
    }
}

/// Returns the gate's decision on this platform.
pub(crate) fn decide_on<'g, 'h>(
    platform: &Native,
    gate: &'g Gate,
    raw: Raw<'h>,
) -> Decision<'g, 'h> {
    decide_at(platform.now.get(), platform, gate, raw)
}

/// Returns the gate's decision at this time.
pub(crate) fn decide_at<'g, 'h>(
    now: Timestamp,
    platform: &Native,
    gate: &'g Gate,
    raw: Raw<'h>,
) -> Decision<'g, 'h> {
    platform.now.set(now);
    now_or_never(gate.decide(raw, context_at(now), platform))
}

/// Returns the result of a future that has nothing to wait for.
pub(crate) fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("nothing here has to be waited for"),
    }
}

/// Returns the gate's decision about a request without a body.
pub(crate) fn decide<'g, 'h>(gate: &'g Gate, raw: Raw<'h>) -> Decision<'g, 'h> {
    decide_on(&Native::with_body(Vec::new()), gate, raw)
}
