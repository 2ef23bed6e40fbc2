//! The secrets that workers and callers share, made anew for every run, and the credentials made with them.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, json};
use writegate::credential::base::Component;
use writegate::credential::signing::{self, Parameters};
use writegate::credential::{digest, session};
use writegate::{Fingerprint, Head, KeyId, MacKey, Secret, Timestamp, derive_sk};

use super::Result;
use super::load::{self, BODY, CONNECTIONS, Headers, Request};

/// The key that the configuration holds.
pub(crate) const KEY: &str = "pk_bench";
/// Longer than any run, and within the gate's `SESSION_MAX_TTL`.
const SESSION_SECONDS: u64 = 3_000;

/// The four components that say where a request goes.
pub(crate) const TARGET: [Component; 4] =
    [Component::Method, Component::Authority, Component::Path, Component::Query];

/// Random secrets.
pub(crate) struct Secrets {
    root: Secret,
    pub(crate) token: String,
    session_key: Secret,
    key: KeyId,
}

impl Secrets {
    pub(crate) fn generate() -> Result<Self> {
        let key = KeyId::parse(KEY).ok_or("a bad key id")?;
        let root = Secret::new(random()?);
        let session_key = derive_sk(&root, &key, 1);
        Ok(Self { root, token: random()?, session_key, key })
    }

    /// Returns the token that the upstream accepts.
    pub(crate) fn authorization(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// Returns the name of the upstream token in the audit line.
    pub(crate) fn fingerprint(&self) -> String {
        let token = Secret::new(self.token.as_str());
        Fingerprint::of(&token, &self.root).as_str().to_owned()
    }

    /// Returns the root secret.
    pub(crate) fn root(&self) -> &str {
        self.root.expose_str().unwrap_or_default()
    }

    /// Returns the secret that sessions of [`KEY`] are made with.
    pub(crate) fn session_secret(&self) -> &str {
        self.session_key.expose_str().unwrap_or_default()
    }

    /// Returns `Authorization` with a session for each connection, of different subjects.
    pub(crate) fn sessions(&self) -> Result<Vec<String>> {
        let now = now()?;
        (0..CONNECTIONS)
            .map(|number| {
                let claims = Map::from_iter([
                    ("sub".to_owned(), json!(format!("user-{number}"))),
                    ("iat".to_owned(), json!(now)),
                    ("exp".to_owned(), json!(now + SESSION_SECONDS)),
                    ("jti".to_owned(), json!(random()?)),
                ]);
                let session = session::mint(&self.key, &self.session_key, &claims);
                Ok(format!("Bearer {session}"))
            })
            .collect()
    }

    /// Returns `Authorization` with a session of another key of the same root.
    pub(crate) fn session_of(&self, key: &str) -> Result<String> {
        let key = KeyId::parse(key).ok_or("a bad key id")?;
        let claims = Map::from_iter([("exp".to_owned(), json!(now()? + SESSION_SECONDS))]);
        let session = session::mint(&key, &derive_sk(&self.root, &key, 1), &claims);
        Ok(format!("Bearer {session}"))
    }

    /// Returns a write signed now (RFC 9421), good for five minutes, that covers [`TARGET`] and these headers.
    pub(crate) fn signed(
        &self,
        number: usize,
        covered: &Headers<'_>,
        others: &Headers<'_>,
    ) -> Result<Request> {
        let head = Head::new("POST", load::URL, covered.to_vec(), true);
        let head = head.map_err(|refusal| format!("{refusal:?}"))?;
        let fields = covered.iter().map(|(name, _)| Component::Field((*name).to_owned()));
        let components: Vec<_> = TARGET.into_iter().chain(fields).collect();
        // The gate does not record it, because the key does not ask for that: it only makes every request another.
        let nonce = format!("request-{number}");
        let parameters = Parameters {
            created: Timestamp::from_seconds(now()?.try_into()?),
            expires: None,
            keyid: self.key.as_str(),
            nonce: Some(&nonce),
        };
        let signed =
            signing::sign(&head, &components, &parameters, &MacKey::new(&self.session_key));
        let signed = signed.map_err(|refusal| format!("{refusal:?}"))?;
        let proof = [("Signature-Input", signed.input.as_str()), ("Signature", &signed.signature)];
        Ok(load::post(&[covered, others, &proof].concat()))
    }

    /// Returns a signed write that covers its body too.
    pub(crate) fn signed_with_body(&self, number: usize) -> Result<Request> {
        let digest = digest::content_digest(BODY.as_bytes());
        self.signed(number, &[("content-digest", &digest)], &[])
    }
}

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// Returns 32 random bytes as hexadecimal digits.
fn random() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
