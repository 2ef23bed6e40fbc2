//! Tokens from a Secrets Store (docs/wire-contract.md, "Configuration"). They are read when a request
//! needs them, so a new value is used without a deployment. An isolate uses a value for 30 s. After
//! that, if the store does not answer, the request is refused, so a token that was removed from the
//! store is not used any longer.
//!
//! In scope: remembering and parsing values. Out of scope: reading the store (`edge`), and tokens that
//! are Workers Secrets, which `config` reads once.

use core::cell::RefCell;
use std::rc::Rc;

use crate::base::json::FieldError;
use crate::base::secret::{Fingerprint, Secret};
use crate::base::sorted_map::SortedMap;
use crate::base::time::Timestamp;
use crate::platform::{SecretsStore, Unavailable};
use crate::upstream::route::Route;
use crate::upstream::token::{TokenSource, UpstreamToken};
use crate::upstream::url::UpstreamCredential;

/// Longest time, in seconds, that an isolate uses a value: the same as with key records.
const MAX_AGE: i64 = 30;

/// A token, or the reason why there is none.
pub type TokenLookup = Result<Rc<UpstreamToken>, TokenUnavailable>;

/// The reason why there is no token.
#[derive(Clone, Debug)]
pub enum TokenUnavailable {
    /// The secret is not set, or empty.
    Missing,
    /// Its Secrets Store has no such secret, or did not answer.
    Unavailable,
    /// Its value is not a valid token.
    Broken(FieldError),
}

/// The tokens that this isolate has read from Secrets Stores.
#[derive(Debug, Default)]
pub struct TokenCache {
    read: RefCell<SortedMap<String, (TokenLookup, Timestamp)>>,
}

impl TokenUnavailable {
    /// Returns the advice on fixing the secret of this name.
    pub fn hint(&self, secret: &str) -> String {
        match self {
            Self::Missing => format!("the secret is not set, or empty: npx writegate token put --secret {secret}"),
            Self::Unavailable => "its Secrets Store has no such secret, or did not answer: compare store_id and secret_name in wrangler.toml with npx wrangler secrets-store secret list".into(),
            Self::Broken(error) => format!("the secret is not a valid token: {error}"),
        }
    }
}

impl TokenCache {
    /// Returns the credential of a route whose token is not a Workers Secret, or is not set.
    ///
    /// # Errors
    /// When there is no token.
    pub async fn credential(
        &self,
        route: &Route,
        source: Option<&TokenSource>,
        root: &Secret,
        store: &impl SecretsStore,
        now: Timestamp,
    ) -> Result<Rc<UpstreamCredential>, TokenUnavailable> {
        let token = self.token(route.auth.secret(), source, root, store, now).await?;
        let made = route.auth.credential(token.as_ref());
        Ok(Rc::new(made.map_err(TokenUnavailable::Broken)?))
    }

    /// Returns the tokens of all these secrets, by name.
    pub async fn all<'c>(
        &self,
        tokens: &'c SortedMap<String, TokenSource>,
        root: &Secret,
        store: &impl SecretsStore,
        now: Timestamp,
    ) -> SortedMap<&'c str, TokenLookup> {
        let mut all = SortedMap::new();
        for (name, source) in tokens.iter() {
            let lookup = self.token(name, Some(source), root, store, now).await;
            let _ = all.insert(name.as_str(), lookup);
        }
        all
    }

    /// Returns the token of the secret `name`, found at `source`.
    ///
    /// # Errors
    /// When there is no token.
    pub async fn token(
        &self,
        name: &str,
        source: Option<&TokenSource>,
        root: &Secret,
        store: &impl SecretsStore,
        now: Timestamp,
    ) -> TokenLookup {
        let issued_at = match source {
            Some(TokenSource::Set(token)) => return Ok(Rc::clone(token)),
            Some(TokenSource::Stored { issued_at }) => *issued_at,
            Some(TokenSource::Missing) | None => return Err(TokenUnavailable::Missing),
        };
        if let Some(lookup) = self.recent(name, now) {
            return lookup;
        }
        // A failure is not remembered, because the store may only have been slow.
        let text = store.secret(name).await.map_err(|Unavailable| TokenUnavailable::Unavailable)?;
        let lookup = match text.is_blank() {
            true => Err(TokenUnavailable::Missing),
            false => UpstreamToken::read(name, &text, issued_at, root)
                .map(Rc::new)
                .map_err(TokenUnavailable::Broken),
        };
        let entry = (lookup.clone(), now);
        let _ = self.read.borrow_mut().insert(name.to_owned(), entry);
        lookup
    }

    /// Returns true if the secret `name`, which is not a Workers Secret, is known to be this token at `now`.
    pub fn has(&self, name: &str, fingerprint: &Fingerprint, now: Timestamp) -> bool {
        let lookup = self.recent(name, now);
        lookup.is_some_and(|lookup| lookup.is_ok_and(|token| token.fingerprint == *fingerprint))
    }

    fn recent(&self, name: &str, now: Timestamp) -> Option<TokenLookup> {
        let read = self.read.borrow();
        let (lookup, at) = read.get(name)?;
        at.is_recent(now, MAX_AGE).then(|| lookup.clone())
    }
}
