//! Making HTTP Message Signatures (RFC 9421), for the command: by the same base as the gate's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::base::request::Head;
use crate::base::time::Timestamp;
use crate::problem::Refusal;

use super::base::{self, Component};
use crate::base::mac::MacKey;

/// What a signer says beside the components.
#[derive(Debug)]
pub struct Parameters<'a> {
    /// Now.
    pub created: Timestamp,
    /// When it ends, if before it is 300 s old.
    pub expires: Option<Timestamp>,
    /// A key's id, or the name of a session's key.
    pub keyid: &'a str,
    /// 8–128 bytes, never the same twice.
    pub nonce: Option<&'a str>,
}

/// The two headers of a signed request.
#[derive(Debug)]
pub struct Signed {
    /// `Signature-Input`.
    pub input: String,
    /// `Signature`.
    pub signature: String,
    /// What was signed.
    pub base: String,
}

/// Signs a request as the gate wants it, under the label `sig1`.
///
/// # Errors
/// Those of [`base::Message::value`].
pub fn sign(
    head: &Head<'_>,
    components: &[Component],
    parameters: &Parameters<'_>,
    key: &MacKey,
) -> Result<Signed, Refusal> {
    let Parameters { created, expires, keyid, nonce } = parameters;
    let names: Vec<_> = components.iter().map(Component::identifier).collect();
    let mut list = format!("({});created={}", names.join(" "), created.seconds());
    if let Some(expires) = expires {
        list.push_str(&format!(";expires={}", expires.seconds()));
    }
    list.push_str(&format!(r#";keyid="{keyid}";alg="hmac-sha256""#));
    if let Some(nonce) = nonce {
        list.push_str(&format!(r#";nonce="{nonce}""#));
    }
    let base = base::base(components, &list, head)?;
    let tag = STANDARD.encode(key.tag(base.as_bytes()));
    Ok(Signed { input: format!("sig1={list}"), signature: format!("sig1=:{tag}:"), base })
}
