//! The workers under test and the secrets they share, made anew for every run.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use writegate::credential::base::Component;
use writegate::credential::digest;
use writegate::credential::mac::MacKey;
use writegate::credential::session;
use writegate::credential::signing::{self, Parameters};
use writegate::key::KeyId;
use writegate::known_key::derive_sk;
use writegate::request::Head;
use writegate::secret::{Fingerprint, Secret};
use writegate::time::Timestamp;

use super::load::{self, BODY};
use super::upstream::BASE;
use super::workerd::Worker;

const KEY: &str = "pk_bench";
/// Longer than any run, and within the gate's `SESSION_MAX_TTL`.
const SESSION_SECONDS: u64 = 3_000;

/// What the workers and the callers agree on.
pub(crate) struct Secrets {
    root: Secret,
    token: String,
    session_key: Secret,
    key: KeyId,
}

impl Secrets {
    /// Random ones.
    pub(crate) fn generate() -> Result<Self, Box<dyn Error>> {
        let key = KeyId::parse(KEY).ok_or("a bad key id")?;
        let root = Secret::new(random()?);
        let session_key = derive_sk(&root, &key, 1);
        Ok(Self {
            root,
            token: random()?,
            session_key,
            key,
        })
    }

    /// What the upstream wants to see.
    pub(crate) fn authorization(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// Sessions of different subjects, as many callers would bring.
    pub(crate) fn sessions(&self, count: usize) -> Result<Vec<String>, Box<dyn Error>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        (0..count)
            .map(|number| {
                let mut claims = Map::new();
                claims.insert("sub".to_owned(), json!(format!("user-{number}")));
                claims.insert("iat".to_owned(), json!(now));
                claims.insert("exp".to_owned(), json!(now + SESSION_SECONDS));
                claims.insert("jti".to_owned(), json!(random()?));
                Ok(session::mint(&self.key, &self.session_key, &claims))
            })
            .collect()
    }

    /// Requests signed now (RFC 9421), good for five minutes: with a digest of the body, or covering the
    /// head alone, for the route that takes that.
    pub(crate) fn signed(
        &self,
        count: usize,
        digest: bool,
    ) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let content_digest = digest::content_digest(BODY.as_bytes());
        let mut headers = Vec::new();
        let mut components = vec![
            Component::Method,
            Component::Authority,
            Component::Path,
            Component::Query,
        ];
        if digest {
            headers.push(("content-digest", content_digest.as_str()));
            components.push(Component::Field("content-digest".to_owned()));
        }
        let head = Head::new("POST", load::URL, headers.clone(), true)
            .map_err(|refusal| format!("{refusal:?}"))?;
        let key = MacKey::new(&self.session_key);
        (0..count)
            .map(|number| {
                let nonce = format!("connection-{number}");
                let parameters = Parameters {
                    created: Timestamp::from_seconds(now.try_into()?),
                    expires: None,
                    keyid: self.key.as_str(),
                    // Not recorded, for the key does not ask for it: so that no two are the same.
                    nonce: Some(&nonce),
                };
                let signed = signing::sign(&head, &components, &parameters, &key)
                    .map_err(|refusal| format!("{refusal:?}"))?;
                let mut proof = headers.clone();
                proof.push(("Signature-Input", &signed.input));
                proof.push(("Signature", &signed.signature));
                Ok(load::post(&proof))
            })
            .collect()
    }

    /// A session of another key of the same root.
    pub(crate) fn session_of(&self, key: &str) -> Result<String, Box<dyn Error>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let key = KeyId::parse(key).ok_or("a bad key id")?;
        let claims = Map::from_iter([("exp".to_owned(), json!(now + SESSION_SECONDS))]);
        Ok(session::mint(
            &key,
            &derive_sk(&self.root, &key, 1),
            &claims,
        ))
    }

    fn text(&self, secret: &Secret) -> String {
        secret.expose_str().unwrap_or_default().to_owned()
    }
}

/// The worker that checks nothing.
pub(crate) fn pass_through(secrets: &Secrets, upstream: SocketAddr) -> Worker {
    Worker::script("pass-through", include_str!("workers/pass-through.js"))
        .var("UPSTREAM", format!("http://{upstream}{BASE}"))
        .var("WRITE_TOKEN", secrets.token.as_str())
}

/// The peer, bundled with the project's esbuild as it would be deployed.
pub(crate) fn hono(root: &Path, secrets: &Secrets, upstream: SocketAddr) -> io::Result<Worker> {
    let bundled = Command::new(root.join("node_modules/.bin/esbuild"))
        .current_dir(root)
        .args([
            "bench/workers/hono.js",
            "--bundle",
            "--format=esm",
            "--minify",
        ])
        .stderr(Stdio::inherit())
        .output()?;
    if !bundled.status.success() {
        return Err(io::Error::other("esbuild could not bundle the Hono worker"));
    }
    let fingerprint = Fingerprint::of(&Secret::new(secrets.token.as_str()), &secrets.root);
    Ok(
        Worker::script("hono", &String::from_utf8_lossy(&bundled.stdout))
            .var("UPSTREAM", format!("http://{upstream}{BASE}"))
            .var("UPSTREAM_PATH", BASE)
            .var("WRITE_TOKEN", secrets.token.as_str())
            .var("TOKEN_FINGERPRINT", fingerprint.as_str())
            .var("SESSION_SECRET", secrets.text(&secrets.session_key)),
    )
}

/// The gate with one upstream and one key; `unsigned_body` as the route has it.
pub(crate) fn gate(
    name: &str,
    build: &Path,
    secrets: &Secrets,
    upstream: SocketAddr,
    unsigned_body: bool,
) -> io::Result<Worker> {
    gate_with(
        name,
        build,
        secrets,
        upstream,
        json!({"unsigned_body": unsigned_body}),
    )
}

/// The gate with one upstream, whose answers it keeps, and one key.
pub(crate) fn cached(
    name: &str,
    build: &Path,
    secrets: &Secrets,
    upstream: SocketAddr,
) -> io::Result<Worker> {
    gate_with(
        name,
        build,
        secrets,
        upstream,
        json!({"cache": {"ttl": 3600}}),
    )
}

/// The gate with one upstream and the keys of a registry, which is still to be bound.
pub(crate) fn registered(
    name: &str,
    build: &Path,
    secrets: &Secrets,
    upstream: SocketAddr,
) -> io::Result<Worker> {
    gate_with(name, build, secrets, upstream, json!({}))
}

fn gate_with(
    name: &str,
    build: &Path,
    secrets: &Secrets,
    upstream: SocketAddr,
    more: Value,
) -> io::Result<Worker> {
    let mut route = json!({"path": "/*", "upstream": format!("http://{upstream}{BASE}")});
    for (name, value) in more.as_object().into_iter().flatten() {
        route[name] = value.clone();
    }
    let key = json!({"id": KEY, "schemes": ["session", "signature"]});
    Ok(Worker::built(name, build)?
        .var("ROUTES", Value::Array(vec![route]))
        .var("WRITE_TOKEN", secrets.token.as_str())
        .var("SIGNING_SECRET", secrets.text(&secrets.root))
        .var("KEYS", Value::Array(vec![key])))
}

/// 32 random bytes as hexadecimal digits.
fn random() -> Result<String, Box<dyn Error>> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
