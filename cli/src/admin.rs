//! A running gate's admin API (docs/wire-contract.md, section 7), called with short sessions of an admin key.

use std::thread;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use writegate::policy::origin::Origin;
use writegate::{KeyId, Secret, Upstream};

use crate::error::{Error, Result};
use crate::gate_error::{GateError, Problem};
use crate::project::Project;
use crate::session::{self, Claims, OWN_TTL};
use crate::{host, http, percent, settings, tls};

/// Longest wait for an answer: a batch is written record by record.
const LIMIT: Duration = Duration::from_secs(60);

/// The pauses before a page of a list is asked for again: a long list outlives a deployment, and may meet a limit.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(4),
];

/// The path of the registry's records.
pub(crate) const KEYS: &str = "_gate/keys";

/// The members of a gate's answer to a change, one of which it has: a success without them is not from a gate.
const CHANGED: [&str; 3] = ["id", "keys", "purged"];

/// Returns the path of a record.
pub(crate) fn record(id: &KeyId) -> String {
    format!("{KEYS}/{id}")
}

/// The gate to call, and the admin key to call it with.
#[derive(Args)]
pub(crate) struct GateOptions {
    /// The gate's address: https://gate.example.com, or http on loopback
    #[arg(long, value_name = "URL", value_parser = address)]
    gate: Upstream,
    /// The admin key's id [default: the configuration's only key with admin = true]
    #[arg(long = "as", value_name = "ID", value_parser = settings::id)]
    admin: Option<KeyId>,
}

/// Returns a gate's address: the rules are those for the address of an API.
fn address(text: &str) -> std::result::Result<Upstream, String> {
    let hint = "expected a gate's address such as https://gate.example.com (http only on loopback), without a path";
    host::check(text)?;
    let text = &host::with_lower_scheme(text);
    Upstream::parse(text).ok().filter(|gate| gate.base().is_empty()).ok_or_else(|| hint.to_owned())
}

/// A gate, and the admin key whose sessions it accepts.
pub(crate) struct Gate {
    address: Upstream,
    admin: KeyId,
    sk: Secret,
    ttl: u32,
    agent: ureq::Agent,
}

impl GateOptions {
    /// Returns the gate's address.
    pub(crate) const fn address(&self) -> &Upstream {
        &self.gate
    }

    pub(crate) fn open(&self, project: &Project) -> Result<Gate> {
        let admin = match &self.admin {
            Some(id) => id.clone(),
            None => settings::admin(project)?,
        };
        Ok(Gate {
            address: self.gate.clone(),
            sk: settings::sk(project, &admin)?,
            ttl: session::lifetime(project, None, OWN_TTL)?,
            agent: http::agent(self.gate.origin(), LIMIT)?,
            admin,
        })
    }
}

impl Gate {
    /// Calls the gate, and returns the JSON of its answer.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> std::result::Result<Value, GateError> {
        self.ask_with(method, path, None, body)
    }

    /// Calls the gate with a GET and this query.
    pub(crate) fn query(&self, path: &str, query: &str) -> std::result::Result<Value, GateError> {
        self.ask_with("GET", path, Some(query), None)
    }

    fn ask_with(
        &self,
        method: &str,
        path: &str,
        query: Option<&str>,
        body: Option<&Value>,
    ) -> std::result::Result<Value, GateError> {
        let url = self.address.join(Some(path), query);
        let url =
            url.ok_or_else(|| Error::new("the gate's address and this path do not make a URL"))?;
        // A new session for each request, valid for that request only.
        let claims = Claims::once(self.address.origin(), method, &format!("/{path}"), self.ttl);
        match self.send(method, &url, &claims, body) {
            // A gate on this machine may have another origin than its address: wrangler dev uses the hosts of its routes, and
            // behind a proxy that ends TLS it is http.
            Err(GateError::Refused(problem))
                if problem.code == "audience-mismatch" && self.is_local() =>
            {
                self.send(method, &url, &Claims { aud: None, ..claims }, body)
            }
            answer => answer,
        }
    }

    fn is_local(&self) -> bool {
        Origin::parse(self.address.origin()).is_some_and(|origin| origin.is_loopback())
    }

    fn send(
        &self,
        method: &str,
        url: &str,
        claims: &Claims,
        body: Option<&Value>,
    ) -> std::result::Result<Value, GateError> {
        let session = Secret::new(self.mint(claims)?);
        let (status, text) =
            http::ask(&self.agent, method, url, &session, body).map_err(|error| {
                let (origin, why) = (self.address.origin(), http::why(&error));
                let hint = match tls::explained(&error) {
                    Some(_) => "",
                    None => "; check --gate, and that the gate is running",
                };
                let said = format!("{origin}: {why}{hint}");
                match method == "GET" || http::is_unsent(&error) {
                    true => GateError::NoAnswer(said),
                    false => GateError::Lost(said),
                }
            })?;
        let answer = serde_json::from_str::<Value>(&text).ok();
        let is_from_gate = |answer: &Value| {
            method == "GET" || CHANGED.iter().any(|member| answer.get(member).is_some())
        };
        match answer.filter(Value::is_object) {
            Some(answer) if (200..300).contains(&status) && is_from_gate(&answer) => Ok(answer),
            answer => {
                let problem = Problem::of(status, &answer.unwrap_or_default());
                // A proxy in front of the gate says so, which has not heard the end of it.
                match method != "GET" && status >= 500 && problem.code.is_empty() {
                    true => Err(GateError::Lost(problem.to_string())),
                    false => Err(GateError::Refused(Box::new(problem))),
                }
            }
        }
    }

    /// Returns a session of the admin key.
    pub(crate) fn mint(&self, claims: &Claims) -> Result<String> {
        claims.mint(&self.admin, &self.sk, None)
    }

    /// Returns the registry's records, page by page.
    pub(crate) fn pages(&self) -> Pages<'_> {
        self.pages_of(KEYS, "")
    }

    /// Returns the `keys` at this path, page by page; with this query, which may be empty.
    pub(crate) fn pages_of(&self, path: &'static str, query: &str) -> Pages<'_> {
        Pages { gate: self, path, query: query.to_owned(), cursor: Some(String::new()) }
    }
}

/// An iterator over pages of keys ([`Gate::pages_of`]).
pub(crate) struct Pages<'a> {
    gate: &'a Gate,
    path: &'static str,
    query: String,
    /// The cursor of the next page: empty for the first, `None` after the last.
    cursor: Option<String>,
}

impl Iterator for Pages<'_> {
    type Item = Result<Vec<Value>>;

    fn next(&mut self) -> Option<Self::Item> {
        let cursor = self.cursor.take()?;
        Some(self.page(&cursor))
    }
}

impl Pages<'_> {
    fn page(&mut self, cursor: &str) -> Result<Vec<Value>> {
        let place = (!cursor.is_empty()).then(|| format!("cursor={}", percent::encoded(cursor)));
        let query = joined([self.query.clone(), place.unwrap_or_default()]);
        let query = Some(query).filter(|query| !query.is_empty());
        // What is wrong with the first page is wrong with all.
        let mut pauses = PAUSES.iter().filter(|_| !cursor.is_empty());
        let mut page = loop {
            match (self.gate.ask_with("GET", self.path, query.as_deref(), None), pauses.next()) {
                (Err(error), Some(pause)) if error.is_passing() => thread::sleep(*pause),
                (page, _) => break page?,
            }
        };
        self.cursor = page["cursor"].as_str().map(str::to_owned);
        // Otherwise the list would never end.
        if self.cursor.as_deref() == Some(cursor) {
            return Err(Error::new(
                "the gate returned the same page of its list twice: run this again",
            ));
        }
        match page["keys"].take() {
            Value::Array(records) => Ok(records),
            _ => Err(Error::new(
                "the gate's answer has no list of keys: is the gate of this release?",
            )),
        }
    }
}

/// Returns the query of these parameters, of which some may be empty.
pub(crate) fn joined(parameters: impl IntoIterator<Item = String>) -> String {
    let given = parameters.into_iter().filter(|parameter| !parameter.is_empty());
    given.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_s_address_is_https_or_on_loopback() {
        for right in [
            "https://gate.example.com", "https://gate.example.com/", "http://127.0.0.1:8787",
            "http://[::1]:8787", "http://localhost:8787/",
        ] {
            assert!(address(right).is_ok(), "{right}");
        }
        for wrong in [
            "gate.example.com",
            "http://gate.example.com",
            "https://gate.example.com/_gate",
            "https://gate.example.com/?x",
            "https://user@gate.example.com",
            "ftp://gate.example.com",
        ] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
