//! `Accept-Signature` (RFC 9421 section 5.1): the signature that a 401 asks for.

/// The signature that would be accepted.
#[derive(Clone, Debug)]
pub struct AcceptSignature {
    /// The name of the session's own key, where it must be by that one and cover the session.
    pub bound: Option<String>,
    /// The signature must cover `Content-Digest`.
    pub body: bool,
    /// The signature must have a nonce.
    pub nonce: bool,
}

impl AcceptSignature {
    /// `Accept-Signature` (RFC 9421 section 5.1). The nonce it proposes is the request's id: fresh, and
    /// whoever signs again after this answer has nothing to invent.
    #[must_use]
    pub fn header(&self, key: &str, request_id: &str) -> String {
        let keyid = self.bound.as_deref().unwrap_or(key);
        let mut text = r#"sig1=("@method" "@authority" "@path" "@query""#.to_owned();
        for (is_wanted, component) in
            [(self.body, r#" "content-digest""#), (self.bound.is_some(), r#" "authorization""#)]
        {
            if is_wanted {
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
