//! Calls of the admin API, and the assertions that hold of every answer.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::check::{Answers, Check, Counts};
use crate::client::{Request, Response};
use crate::gate::Setup;
use crate::token::Session;

/// The admin's key.
pub const ADMIN: &str = "pk_admin";

/// Returns a gate with a key of the configuration, an admin, and a registry without keys.
pub fn admin(setup: Setup) -> Setup {
    administered(setup.site(json!({})))
}

/// Adds an admin, and a registry without keys: its one name is not a key's.
pub fn administered(setup: Setup) -> Setup {
    setup
        .key(json!({"id": ADMIN, "admin": true, "schemes": ["session", "signature"]}))
        .in_registry("settings", "nothing of the gate's")
}

/// Returns a request without a credential for this path of the gate's own.
pub fn bare(method: &str, path: &str) -> Request {
    Request::new(method, &format!("/_gate/{path}"))
}

/// Returns a request of the admin.
pub fn ask(gate: &impl Answers, method: &str, path: &str) -> Request {
    bare(method, path).bearer(&Session::new(gate.signing_secret(), ADMIN).mint())
}

/// Returns a request of the admin with a body.
pub fn tell(gate: &impl Answers, method: &str, path: &str, body: &Value) -> Request {
    ask(gate, method, path).header("Content-Type", "application/json").body(body.to_string())
}

/// Returns a write by this key, version 1.
pub fn write(gate: &impl Answers, id: &str) -> Request {
    Request::post("/posts").bearer(&Session::new(gate.signing_secret(), id).mint())
}

/// Returns the record of a key in KV; `None` if there is none.
pub fn stored(gate: &impl Answers, id: &str) -> Option<Value> {
    gate.stored(id)
}

/// Returns `record` with its `sk`.
pub fn with_sk(gate: &impl Answers, record: &Value, version: u64) -> Value {
    let id = record["id"].as_str().expect("an id");
    let mut record = record.clone();
    record["sk"] = crate::token::sk(gate.signing_secret(), id, version).into();
    record
}

/// Returns all pages, from the first to the last.
pub fn pages(gate: &impl Answers) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut path = "keys".to_owned();
    loop {
        let answer = ask(gate, "GET", &path).send(gate).passed().json();
        let members: Vec<_> = answer.as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, ["cursor", "keys"]);
        pages.push(answer["keys"].as_array().unwrap().clone());
        assert!(pages.len() < 20, "no end");
        match &answer["cursor"] {
            Value::Null => return pages,
            Value::String(cursor) => {
                let plain = cursor.bytes().all(|byte| byte.is_ascii_graphic());
                assert!(plain && !cursor.contains(['&', '#', '+', '%']), "{cursor}");
                path = format!("keys?cursor={cursor}");
            }
            other => panic!("a cursor: {other}"),
        }
    }
}

/// Records by their ids.
pub fn by_id(records: impl IntoIterator<Item = Value>) -> BTreeMap<String, Value> {
    let named = |record: Value| (record["id"].as_str().unwrap().to_owned(), record);
    records.into_iter().map(named).collect()
}

/// Records of every kind there is.
pub fn many() -> Vec<Value> {
    let one = |number: usize| match number % 5 {
        0 => json!({"id": format!("pk_{number:03}"), "version": 1, "schemes": ["session"]}),
        1 => {
            json!({"id": format!("customer.{number}"), "version": 7, "schemes": ["signature"], "nonce": "required"})
        }
        2 => json!({"id": format!("pk_{number:03}"), "version": 2, "revoked": true}),
        3 => {
            json!({"id": format!("pk_{number:03}"), "version": 1, "schemes": ["session"], "name": "Ünïcode \"é\" \n",
                    "quota": {"requests": 5, "per": "day"}})
        }
        _ => {
            json!({"id": format!("A-{number}_x"), "version": 1, "schemes": ["session"], "paths": ["/a/*"],
                    "name": "x".repeat(5_000)})
        }
    };
    (0..250).map(one).collect()
}

impl<G: Answers, U: Counts> Check<G, U> {
    /// Expects that the gate answers this itself with this status, as JSON that nobody keeps.
    pub fn answered(&mut self, what: &str, request: &Request, status: u16) -> Response {
        let before = self.upstream.count();
        let answer = request.send(&self.gate);
        let header = |name: &str| answer.header(name).unwrap_or_default();
        let right = answer.status == status
            && header("content-type") == "application/json"
            && header("cache-control") == "no-store";
        self.that(right, || format!("{what}: expected {status} and JSON, got {answer}"));
        let reached = self.upstream.count() != before;
        self.that(!reached, || format!("{what}: reached the upstream"));
        answer
    }

    /// Asserts that the gate answers this itself, with this status and this body.
    pub fn answers(&mut self, what: &str, request: &Request, status: u16, body: &Value) {
        let answer = self.answered(what, request, status);
        let same = serde_json::from_slice::<Value>(&answer.body).is_ok_and(|got| got == *body);
        self.that(same, || format!("{what}: expected {body}, got {answer}"));
    }

    /// Expects that a body is refused, and that this field of it is named.
    pub fn names(&mut self, what: &str, request: &Request, field: &str) -> Response {
        let answer = self.refused(what, request, 400, "bad-request");
        let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let hint = problem["hint"].as_str().unwrap_or_default();
        self.that(problem["field"] == field && hint.len() > 5, || {
            format!("{what}: expected field {field} and a hint, got {answer}")
        });
        answer
    }

    /// Expects that an id is taken, and its place.
    pub fn taken(&mut self, what: &str, request: &Request, code: &str, of: (&str, &str)) {
        let answer = self.refused(what, request, 409, code);
        let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let (id, field) = of;
        self.that(problem["id"] == id && (field.is_empty() || problem["field"] == field), || {
            format!("{what}: expected id {id} and field {field}, got {answer}")
        });
    }

    /// Expects that no such key is in the registry or known to the gate.
    pub fn absent(&mut self, what: &str, id: &str) {
        let show = ask(&self.gate, "GET", &format!("keys/{id}"));
        self.refused(what, &show, 404, "no-route");
        let write = write(&self.gate, id);
        self.refused(what, &write, 401, "key-unknown");
        let stored = stored(&self.gate, id);
        self.that(stored.is_none(), || format!("{what}: KV holds {stored:?}"));
    }
}
