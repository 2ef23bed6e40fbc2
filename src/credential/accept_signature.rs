//! `Accept-Signature` (RFC 9421 section 5.1): the signature that a 401 asks for.

/// The requirements for a signature that the gate would accept.
#[derive(Clone, Debug)]
pub struct AcceptSignature {
    /// The `cnf` kid, if the session is bound: the signature must be by its session secret and cover the
    /// session.
    pub bound: Option<String>,
    /// The signature must cover `Content-Digest`.
    pub body: bool,
    /// The signature must have a nonce.
    pub nonce: bool,
}

impl AcceptSignature {
    /// Formats the header for the key `key`. The nonce in it is the request id: it is fresh, so the
    /// caller can use it as it is when it signs again.
    pub fn header(&self, key: &str, request_id: &str) -> String {
        let keyid = self.bound.as_deref().unwrap_or(key);
        let mut text = r#"sig1=("@method" "@authority" "@path" "@query""#.to_owned();
        for (is_required, component) in
            [(self.body, r#" "content-digest""#), (self.bound.is_some(), r#" "authorization""#)]
        {
            if is_required {
                text.push_str(component);
            }
        }
        text.push_str(&format!(r#");created;keyid="{keyid}";alg="hmac-sha256""#));
        if self.nonce {
            text.push_str(&format!(r#";nonce="{request_id}""#));
        }
        text
    }
}
