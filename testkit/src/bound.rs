//! Sessions that are bound to a proof of possession (RFC 7800), with the secret that makes the proof; and what signed requests
//! are refused for.

use serde_json::{Value, json};

use crate::check::{Answers, Check, Counts};
use crate::client::Request;
use crate::gate::{KEY, Setup};
use crate::signing::{COVERED, Signature, ss};
use crate::token::{Session, b64, sk};

/// A credential that does not have its form.
pub const BAD: (u16, &str) = (400, "bad-credential");
/// A signature that does not cover enough.
pub const INCOMPLETE: (u16, &str) = (401, "signature-incomplete");
/// A signature by another secret, or of other bytes.
pub const INVALID: (u16, &str) = (401, "signature-invalid");
/// A signature that is too old, or not of today.
pub const STALE: (u16, &str) = (401, "signature-stale");
/// A signature of a kind that the gate does not take.
pub const UNSUPPORTED: (u16, &str) = (400, "signature-unsupported");
/// A session that is bound to a proof, without one.
pub const MISSING: (u16, &str) = (401, "proof-missing");

/// Returns one key, which signs requests and nothing else.
pub fn signing(setup: Setup) -> Setup {
    setup.site(json!({"schemes": ["signature"]}))
}

/// Expects that this request is refused so.
pub fn refused<G: Answers, U: Counts>(
    table: &mut Check<G, U>,
    what: &str,
    request: Request,
    (status, code): (u16, &str),
) {
    table.refused(what, &request, status, code);
}

/// Expects that this component of this request has this value: signed so by the default key it passes; signed with another it
/// is refused, and the gate tells the value.
pub fn component_is<G: Answers, U: Counts>(
    table: &mut Check<G, U>,
    request: &Request,
    component: &str,
    value: &str,
) {
    let mut by = Signature::new(table.gate.signing_secret(), KEY).covers(&COVERED);
    if !COVERED.contains(&component) {
        by = by.also(component);
    }
    if request.body.is_some() {
        by = by.also("content-digest");
    }
    let what = format!("{component} of {}", request.target);
    let right = by.clone().value(component, value).sign(request.clone());
    table.passes(&what, &right);
    let wrong = by.value(component, &format!("{value}.")).sign(request.clone());
    let answer = table.refused(&what, &wrong, INVALID.0, INVALID.1);
    let base = answer.json()["signature_base"].as_str().unwrap_or_default().to_owned();
    let name = component.split_once(';').map_or(component, |(name, _)| name);
    let line = format!("{}: {value}\n", component.replacen(name, &format!("\"{name}\""), 1));
    let found = base.starts_with(&line) || base.contains(&format!("\n{line}"));
    table.that(found, || format!("{what}: no {line:?} in {base:?}"));
}

/// A session and its secret.
#[derive(Clone)]
pub struct Bound {
    /// Its name.
    pub kid: String,
    /// The session, bound to it.
    pub session: Session,
    /// Its secret.
    pub secret: String,
}

impl Bound {
    /// Makes a fresh one of key `id`, version 1.
    pub fn new(root: &str, id: &str) -> Self {
        Self::of(Session::new(root, id), &sk(root, id, 1))
    }

    /// Makes a session of this `sk`, whatever the root and the version.
    pub fn of(session: Session, sk: &str) -> Self {
        let mut id = [0; 16];
        getrandom::fill(&mut id).unwrap();
        let kid = format!("s_{}", b64(id));
        Self {
            session: session.key(sk).claim("cnf", json!({"kid": kid})),
            secret: ss(sk, &kid),
            kid,
        }
    }

    /// Sets a claim of the session.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.session = self.session.claim(name, value);
        self
    }

    /// Returns the compact form of the session.
    pub fn token(&self) -> String {
        self.session.mint()
    }

    /// Returns the proof, which covers `authorization`.
    pub fn proof(&self) -> Signature {
        self.proof_of_less().also("authorization")
    }

    /// Returns the proof without `authorization`.
    pub fn proof_of_less(&self) -> Signature {
        Signature::by(&self.kid, &self.secret)
    }

    /// Returns the request with the session and its proof.
    pub fn sign(&self, request: Request) -> Request {
        self.proof().sign(request.bearer(&self.token()))
    }
}
