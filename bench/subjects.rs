//! The workers under test and the secrets they share, made anew for every run.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use writegate::credential::session;
use writegate::key::KeyId;
use writegate::known_key::derive_sk;
use writegate::secret::{Fingerprint, Secret};

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

/// The gate, in its smallest configuration: one upstream, one key.
pub(crate) fn gate(build: &Path, secrets: &Secrets, upstream: SocketAddr) -> io::Result<Worker> {
    Ok(Worker::built("gate", build)?
        .var("UPSTREAM", format!("http://{upstream}{BASE}"))
        .var("WRITE_TOKEN", secrets.token.as_str())
        .var("SIGNING_SECRET", secrets.text(&secrets.root))
        .var("KEYS", Value::Array(vec![json!({"id": KEY})])))
}

/// 32 random bytes as hexadecimal digits.
fn random() -> Result<String, Box<dyn Error>> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
