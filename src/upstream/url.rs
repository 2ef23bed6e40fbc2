//! The upstream's URL, and the credential that the gate sends there.
//!
//! In scope: parsing both strictly, and joining a path to the URL so that the host cannot change. Out of
//! scope: the rest of the request (`gateway::forward`).

use crate::base::digits;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::base::json::{self, FieldError, Fields};
use crate::base::secret::{Fingerprint, Secret};
use crate::policy::origin::{Origin, is_loopback, split_authority};
use crate::policy::path;
use crate::upstream::echo::Guard;
use crate::upstream::token::UpstreamToken;

/// An upstream's URL: `https`, or `http` on loopback, and no userinfo, query or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Scheme, host and port, `https://api.example.com`.
    origin: String,
    /// The parsed form of `origin`, to be compared with other origins.
    compared: Origin,
    /// The path without its trailing `/`; empty for none.
    base: String,
    /// The path as configured, `/` when empty: the target of an exact route.
    path: String,
}

impl Upstream {
    /// Parses a URL.
    ///
    /// # Errors
    /// When it is not allowed; the text is the hint.
    pub fn parse(text: &str) -> Result<Self, String> {
        let hint = "expected a URL such as \"https://api.example.com/v1\"";
        let (scheme, rest) = text.split_once("://").ok_or(hint)?;
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).ok_or(hint)?;
        if authority.contains('@') {
            return Err("has a user or a password in it; put the credential in the secret".into());
        }
        if path.contains(['?', '#']) {
            return Err("has a query or a fragment; it must end with its path".into());
        }
        let host = host(authority).ok_or(hint)?;
        match scheme {
            "https" => {}
            "http" if is_loopback(host) => {}
            "http" => {
                return Err("sends the token unencrypted; use https (http is for loopback)".into());
            }
            _ => return Err(hint.into()),
        }
        let printable = path.bytes().all(|byte| byte.is_ascii_graphic());
        if !printable || (!path.is_empty() && path::check(path).is_err()) {
            return Err("has a path with dot segments, //, backslashes or spaces".into());
        }
        let origin = format!("{scheme}://{}", authority.to_ascii_lowercase());
        Ok(Self {
            compared: Origin::parse(&origin)
                .ok_or("has a host that ends in a number; write an IPv4 address as four numbers")?,
            origin,
            base: path.strip_suffix('/').unwrap_or(path).to_owned(),
            path: if path.is_empty() { "/" } else { path }.to_owned(),
        })
    }

    /// Returns scheme, host and port.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the origin for comparisons, in which spelling does not count.
    pub const fn compared_origin(&self) -> &Origin {
        &self.compared
    }

    /// Returns the path without its trailing `/`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Returns the path as configured, `/` when empty: the target of an exact route.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the URL of `rest` below this upstream, or of the upstream itself for `None`, with the raw
    /// query. The host cannot change because a `/` always precedes `rest`; the result is checked again
    /// before it is returned.
    pub fn join(&self, rest: Option<&str>, query: Option<&str>) -> Option<String> {
        let mut url = String::with_capacity(
            self.origin
                .len()
                .saturating_add(self.path.len())
                .saturating_add(rest.map_or(0, str::len))
                .saturating_add(query.map_or(0, str::len))
                .saturating_add(2),
        );
        url.push_str(&self.origin);
        match rest {
            None => url.push_str(&self.path),
            Some(rest) => {
                url.push_str(&self.base);
                url.push('/');
                url.push_str(rest);
            }
        }
        if let Some(query) = query {
            url.push('?');
            url.push_str(query);
        }
        self.is_origin_of(&url).then_some(url)
    }

    /// Returns true if `url` is on this upstream's origin.
    pub fn is_origin_of(&self, url: &str) -> bool {
        url.strip_prefix(self.origin.as_str()).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// Returns the host of an authority; `None` when host or port are malformed.
fn host(authority: &str) -> Option<&str> {
    let (host, port) = split_authority(authority)?;
    if let Some(port) = port {
        let _ = digits::parse::<u16>(port).filter(|port| *port != 0)?;
    }
    (!host.starts_with('.') && !host.contains("..")).then_some(host)
}

/// The way in which the gate authenticates to the upstream, with the name of the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamAuth {
    /// `Authorization: Bearer <token>` (RFC 6750).
    Bearer {
        /// The secret's name.
        secret: String,
    },
    /// `Authorization: Basic` (RFC 7617); the secret contains `user:password`.
    Basic {
        /// The secret's name.
        secret: String,
    },
    /// A header that the API defines.
    Header {
        /// The header's name, in lower case.
        name: String,
        /// The secret's name.
        secret: String,
    },
    /// `X-Auth-Email` and `X-Auth-Key`; the secret contains `email:key`.
    CloudflareGlobalKey {
        /// The secret's name.
        secret: String,
    },
}

/// Headers that carry the message itself, so no API takes its token there.
const NO_CREDENTIAL_HEADERS: [&str; 9] = [
    "host", "connection", "content-length", "content-type", "transfer-encoding", "te", "trailer",
    "upgrade", "cookie",
];

impl UpstreamAuth {
    /// Parses `upstream_auth`; the default is a bearer token in `WRITE_TOKEN`.
    ///
    /// # Errors
    /// For every field that is unknown, null, or of another type or form.
    pub fn parse(path: String, value: Option<Value>) -> Result<Self, FieldError> {
        let value = value.unwrap_or_else(|| json::object([]));
        let mut fields = Fields::new(path, value)?;
        let scheme = fields.string("scheme")?;
        let secret = fields.string("secret")?.unwrap_or_else(|| "WRITE_TOKEN".to_owned());
        let named = secret.starts_with(|c: char| c.is_ascii_alphabetic())
            && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !named {
            return Err(
                fields.error("secret", "expected the name of a secret, such as \"WRITE_TOKEN\"")
            );
        }
        let auth = match scheme.as_deref() {
            None | Some("bearer") => Self::Bearer { secret },
            Some("basic") => Self::Basic { secret },
            Some("cloudflare-global-key") => Self::CloudflareGlobalKey { secret },
            Some("header") => Self::Header { name: header_name(&mut fields)?, secret },
            Some(_) => {
                return Err(fields
                    .error("scheme", "expected bearer, basic, header or cloudflare-global-key"));
            }
        };
        fields.finish()?;
        Ok(auth)
    }

    /// Returns the name of the secret.
    pub fn secret(&self) -> &str {
        match self {
            Self::Bearer { secret }
            | Self::Basic { secret }
            | Self::Header { secret, .. }
            | Self::CloudflareGlobalKey { secret } => secret,
        }
    }

    /// Returns the name of the header that the API defines, which a caller must not be able to send.
    pub fn credential_header(&self) -> Option<&str> {
        match self {
            Self::Header { name, .. } => Some(name),
            Self::Bearer { .. } | Self::Basic { .. } | Self::CloudflareGlobalKey { .. } => None,
        }
    }

    /// Builds the headers to send from the secret's value.
    ///
    /// # Errors
    /// When the value does not have the scheme's form.
    pub fn credential(&self, token: &UpstreamToken) -> Result<UpstreamCredential, FieldError> {
        let (headers, secret_parts) =
            self.parts(&token.token.value).map_err(|hint| FieldError::new(&token.secret, hint))?;
        Ok(UpstreamCredential {
            headers,
            guard: Guard::new(&secret_parts),
            fingerprint: token.fingerprint.clone(),
        })
    }

    /// Builds the headers, and the parts of them that must not come back in a response. The error is the
    /// hint, which does not quote the value.
    fn parts(&self, token: &Secret) -> Result<Parts, &'static str> {
        let visible =
            "has a space, or a byte that no header may have; put only the token in the secret";
        let text = token.expose_str().ok_or(visible)?;
        let is_visible = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let mut secret_parts = vec![token.clone()];
        let headers = match self {
            Self::Bearer { .. } if is_visible => {
                vec![("authorization".to_owned(), Secret::new(format!("Bearer {text}")))]
            }
            Self::Header { name, .. } if is_visible => {
                vec![(name.clone(), token.clone())]
            }
            Self::Bearer { .. } | Self::Header { .. } => return Err(visible),
            Self::Basic { .. } => {
                let (_user, password) = text.split_once(':').ok_or("expected user:password")?;
                let encoded = STANDARD.encode(text);
                secret_parts.push(Secret::new(password));
                vec![("authorization".to_owned(), Secret::new(format!("Basic {encoded}")))]
            }
            Self::CloudflareGlobalKey { .. } => {
                let (email, key) = text
                    .split_once(':')
                    .filter(|(email, key)| is_visible && !email.is_empty() && !key.is_empty())
                    .ok_or("expected email:key")?;
                secret_parts.push(Secret::new(key));
                vec![
                    ("x-auth-email".to_owned(), Secret::new(email)),
                    ("x-auth-key".to_owned(), Secret::new(key)),
                ]
            }
        };
        Ok((headers, secret_parts))
    }
}

/// The headers of a credential, and the parts of them that must not come back.
type Parts = (Vec<(String, Secret)>, Vec<Secret>);

fn header_name(fields: &mut Fields) -> Result<String, FieldError> {
    let name = fields.required("name")?.to_ascii_lowercase();
    let token = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    if !token || NO_CREDENTIAL_HEADERS.contains(&name.as_str()) {
        return Err(fields
            .error("name", "expected the name of the API's own header, such as \"X-AUTH-TOKEN\""));
    }
    Ok(name)
}

/// The gate's credential at the upstream. Only [`UpstreamAuth::credential`] makes one.
pub struct UpstreamCredential {
    headers: Vec<(String, Secret)>,
    guard: Guard,
    fingerprint: Fingerprint,
}

impl UpstreamCredential {
    /// Returns the headers to set.
    pub fn headers(&self) -> &[(String, Secret)] {
        &self.headers
    }

    /// Returns the guard that finds the credential in response headers, where it must not appear.
    pub const fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Returns the fingerprint of the token, for the log.
    pub const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

impl fmt::Debug for UpstreamCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UpstreamCredential").field(&self.fingerprint).finish()
    }
}
