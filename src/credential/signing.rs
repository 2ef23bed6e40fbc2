//! Making HTTP Message Signatures (RFC 9421), for the command, with the gate's own signature base.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::base::request::Head;
use crate::base::time::Timestamp;
use crate::problem::Refusal;

use super::base::{self, Component};
use crate::base::mac::MacKey;

/// The parameters of a signature.
#[derive(Debug)]
pub struct Parameters<'a> {
    /// Time of signing.
    pub created: Timestamp,
    /// End, if it is earlier than 300 s after `created`.
    pub expires: Option<Timestamp>,
    /// A key id, or the `cnf` kid of a session.
    pub keyid: &'a str,
    /// 8–128 bytes, never used twice.
    pub nonce: Option<&'a str>,
}

/// The two headers of a signed request, and the base.
#[derive(Debug)]
pub struct Signed {
    /// `Signature-Input`.
    pub input: String,
    /// `Signature`.
    pub signature: String,
    /// The signature base.
    pub base: String,
}

/// Signs a request as the gate requires it, under the label `sig1`.
///
/// # Errors
/// As [`base::Message::value`].
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
