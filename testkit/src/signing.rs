//! Signed requests (RFC 9421) as the contract says them, made by code that shares nothing with the gate, and able to make
//! every wrong one too.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256, Sha512};

use crate::client::{HOST, Request};
use crate::token::{b64, hkdf, hmac, now, sk};

/// The components that a signature covers by default; `content-digest` as well, if there is a body.
pub const COVERED: [&str; 4] = ["@method", "@authority", "@path", "@query"];

/// Returns the secret of one session, from its key's `sk`.
pub fn ss(sk: &str, kid: &str) -> String {
    let secret = hkdf(sk.as_bytes(), &format!("writegate/v1/session/{kid}"));
    format!("ss_{}", b64(secret))
}

/// Returns a byte sequence of RFC 8941.
pub fn bytes(content: impl AsRef<[u8]>) -> String {
    format!(":{}:", STANDARD.encode(content))
}

/// Returns the member of a `Content-Digest` for this body.
pub fn sha256(body: &[u8]) -> String {
    format!("sha-256={}", bytes(Sha256::digest(body)))
}

/// Returns the member of a `Content-Digest` for this body, with the longer hash.
pub fn sha512(body: &[u8]) -> String {
    format!("sha-512={}", bytes(Sha512::digest(body)))
}

/// A signature to be: right until a test makes it wrong.
#[derive(Clone)]
pub struct Signature {
    label: String,
    /// The secret that signs.
    pub secret: String,
    covered: Option<Vec<String>>,
    more: Vec<String>,
    params: Vec<(String, String)>,
    values: Vec<(String, String)>,
    member: Option<String>,
    sent: Option<String>,
    tag: Option<String>,
}

impl Signature {
    /// Signs by the `sk` of key `id`, version 1.
    pub fn new(signing_secret: &str, id: &str) -> Self {
        Self::by(id, &sk(signing_secret, id, 1))
    }

    /// Signs by this secret, under this `keyid`.
    pub fn by(keyid: &str, secret: &str) -> Self {
        Self {
            label: "sig1".into(),
            secret: secret.into(),
            covered: None,
            more: Vec::new(),
            params: vec![
                ("created".into(), now().to_string()),
                ("keyid".into(), format!("\"{keyid}\"")),
            ],
            values: Vec::new(),
            member: None,
            sent: None,
            tag: None,
        }
    }

    /// Gives the signature another label.
    pub fn label(mut self, label: &str) -> Self {
        self.label = label.into();
        self
    }

    /// Signs with another secret.
    pub fn secret(mut self, secret: &str) -> Self {
        self.secret = secret.into();
        self
    }

    /// Covers only these: names, each with the parameters that it has, as in `@query-param;name="a"`.
    pub fn covers(mut self, components: &[&str]) -> Self {
        self.covered = Some(components.iter().map(|&name| name.to_owned()).collect());
        self
    }

    /// Covers this as well.
    pub fn also(mut self, component: &str) -> Self {
        self.more.push(component.into());
        self
    }

    /// Sets a parameter to this value, as it is written; an empty one leaves it out.
    pub fn param(mut self, name: &str, value: impl ToString) -> Self {
        let value = value.to_string();
        match self.params.iter_mut().find(|(n, _)| n == name) {
            Some(there) => there.1 = value,
            None => self.params.push((name.into(), value)),
        }
        self
    }

    /// Leaves a parameter out.
    pub fn without(mut self, param: &str) -> Self {
        self.params.retain(|(name, _)| name != param);
        self
    }

    /// Adds a nonce.
    pub fn nonce(self, nonce: &str) -> Self {
        let nonce = nonce.replace('\\', "\\\\").replace('"', "\\\"");
        self.param("nonce", format!("\"{nonce}\""))
    }

    /// Signs this as the value of a component, whatever the request says.
    pub fn value(mut self, component: &str, value: &str) -> Self {
        self.values.push((component.into(), value.into()));
        self
    }

    /// Sets the list and its parameters as they are written, both in what is signed and in what is sent.
    pub fn member(mut self, text: &str) -> Self {
        self.member = Some(text.into());
        self
    }

    /// Sets the list and its parameters only in what is sent.
    pub fn sent(mut self, text: &str) -> Self {
        self.sent = Some(text.into());
        self
    }

    /// Sets the member of `Signature`, instead of the MAC.
    pub fn tag(mut self, text: &str) -> Self {
        self.tag = Some(text.into());
        self
    }

    /// Returns the request with `Signature-Input` and `Signature`, and with `Content-Digest` where it is covered and
    /// the test set none.
    pub fn sign(&self, request: Request) -> Request {
        let components = self.components(&request);
        let covers = components.iter().any(|name| name == "content-digest");
        let request = if covers && field(&request, "content-digest").is_none() {
            let digest = sha256(request.body.as_deref().unwrap_or_default());
            request.header("Content-Digest", &digest)
        } else {
            request
        };
        let member = self.sent.clone().unwrap_or_else(|| self.params(&request));
        let tag = self.tag.clone().unwrap_or_else(|| bytes(self.mac(&request)));
        let label = &self.label;
        request
            .header("Signature-Input", &format!("{label}={member}"))
            .header("Signature", &format!("{label}={tag}"))
    }

    /// Returns the MAC of a request that has its `Content-Digest` already.
    pub fn mac(&self, request: &Request) -> Vec<u8> {
        hmac(self.secret.as_bytes(), self.base(request).as_bytes())
    }

    /// Returns the signature base (RFC 9421, section 2.5).
    pub fn base(&self, request: &Request) -> String {
        let mut base = String::new();
        for component in self.components(request) {
            let own = self.values.iter().find(|(name, _)| *name == component);
            let value = match own {
                Some((_, value)) => value.clone(),
                None => value(request, &component),
            };
            base.push_str(&format!("{}: {value}\n", quoted(&component)));
        }
        base.push_str(&format!("\"@signature-params\": {}", self.params(request)));
        base
    }

    /// Returns the covered components and the parameters, as `Signature-Input` has them.
    pub fn params(&self, request: &Request) -> String {
        if let Some(member) = &self.member {
            return member.clone();
        }
        let list: Vec<_> = self.components(request).iter().map(|c| quoted(c)).collect();
        let mut text = format!("({})", list.join(" "));
        for (name, value) in &self.params {
            let sign = if value.is_empty() { "" } else { "=" };
            text.push_str(&format!(";{name}{sign}{value}"));
        }
        text
    }

    fn components(&self, request: &Request) -> Vec<String> {
        let mut all = self.covered.clone().unwrap_or_else(|| {
            let digest = request.body.as_ref().map(|_| "content-digest");
            COVERED.into_iter().chain(digest).map(str::to_owned).collect()
        });
        all.extend(self.more.iter().cloned());
        all
    }
}

/// Returns `"@query-param";name="a"` for `@query-param;name="a"`.
fn quoted(component: &str) -> String {
    match component.split_once(';') {
        Some((name, params)) => format!("\"{name}\";{params}"),
        None => format!("\"{component}\""),
    }
}

/// Returns the value of a component. A query parameter's value is the test's to say, because encoding it is what is
/// tested.
fn value(request: &Request, component: &str) -> String {
    let host = field(request, "host").unwrap_or_else(|| HOST.into());
    let (path, query) = match request.target.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (request.target.as_str(), "?".into()),
    };
    match component {
        "@method" => request.method.clone(),
        "@scheme" => "http".into(),
        "@authority" => {
            let host = host.to_ascii_lowercase();
            host.strip_suffix(":80").unwrap_or(&host).to_owned()
        }
        "@target-uri" => format!("http://{host}{}", request.target),
        "@request-target" => request.target.clone(),
        "@path" => path.into(),
        "@query" => query,
        "host" => host,
        name => field(request, name).unwrap_or_default(),
    }
}

/// Returns all values of a field, trimmed and joined (RFC 9421, section 2.1).
fn field(request: &Request, name: &str) -> Option<String> {
    let all: Vec<_> = request
        .headers
        .iter()
        .filter(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .collect();
    (!all.is_empty()).then(|| all.join(", "))
}
