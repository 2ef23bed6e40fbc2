//! Tokens that a Secrets Store holds (contract section 1): they are read while the gate works, so a new
//! value counts without a deployment. An isolate remembers one for 30 s, and what has none to send
//! because the store does not answer is refused: a token that was taken away there is not used on.
//!
//! In scope: what is remembered, and what a value means. Out of scope: reading it (`edge`), and tokens
//! that are Workers Secrets, which `config` reads once.

use core::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::base::json::FieldError;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::platform::SecretsStore;
use crate::upstream::route::Route;
use crate::upstream::token::{TokenSource, UpstreamToken};
use crate::upstream::url::UpstreamCredential;

/// How long, in seconds, an isolate goes on with what it read: as long as with a key's record.
const MAX_AGE: i64 = 30;

/// What a token secret holds, or why there is no token.
pub type TokenLookup = Result<Rc<UpstreamToken>, TokenUnavailable>;

/// Why there is no token.
#[derive(Clone, Debug)]
pub enum TokenUnavailable {
    /// The secret is not set, or empty.
    Missing,
    /// Its Secrets Store has no such secret, or did not answer.
    Unavailable,
    /// It is no token.
    Broken(FieldError),
}

/// What this isolate has read from Secrets Stores.
#[derive(Debug, Default)]
pub struct TokenCache {
    read: RefCell<BTreeMap<String, (TokenLookup, Timestamp)>>,
}

impl TokenUnavailable {
    /// What to do about the secret.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Missing => "set the secret: npx wrangler secret put, and this name; one in a Secrets Store is empty".into(),
            Self::Unavailable => "its Secrets Store has no such secret, or did not answer: compare store_id and secret_name in wrangler.toml with npx wrangler secrets-store secret list".into(),
            Self::Broken(error) => format!("the secret is no token: {error}"),
        }
    }
}

impl TokenCache {
    /// What a route sends to its upstream whose token is no Workers Secret, or is not set.
    ///
    /// # Errors
    /// When there is no token to make it of.
    pub async fn credential(
        &self,
        route: &Route,
        source: Option<&TokenSource>,
        root: &Secret,
        store: &impl SecretsStore,
        now: Timestamp,
    ) -> Result<Rc<UpstreamCredential>, TokenUnavailable> {
        let known = self.token(route.auth.secret(), source, root, store, now).await?;
        let made = route.auth.credential(known.as_ref());
        Ok(Rc::new(made.map_err(TokenUnavailable::Broken)?))
    }

    /// Returns the tokens of all these secrets, by name.
    pub async fn all<'c>(
        &self,
        tokens: &'c BTreeMap<String, TokenSource>,
        root: &Secret,
        store: &impl SecretsStore,
        now: Timestamp,
    ) -> BTreeMap<&'c str, TokenLookup> {
        let mut all = BTreeMap::new();
        for (name, source) in tokens {
            let found = self.token(name, Some(source), root, store, now).await;
            all.insert(name.as_str(), found);
        }
        all
    }

    /// Returns the token of the secret `name`, which `source` says where to find.
    ///
    /// # Errors
    /// When there is none.
    pub async fn token(
        &self,
        name: &str,
        source: Option<&TokenSource>,
        root: &Secret,
        store: &impl SecretsStore,
        now: Timestamp,
    ) -> TokenLookup {
        let issued_at = match source {
            Some(TokenSource::Set(known)) => return Ok(Rc::clone(known)),
            Some(TokenSource::Stored { issued_at }) => *issued_at,
            Some(TokenSource::Missing) | None => return Err(TokenUnavailable::Missing),
        };
        if let Some(found) = self.recent(name, now) {
            return found;
        }
        // What does not answer is asked again by the next request: it may only have been slow.
        let text = store.secret(name).await.map_err(|_silent| TokenUnavailable::Unavailable)?;
        let found = match text.is_empty() {
            true => Err(TokenUnavailable::Missing),
            false => UpstreamToken::read(name, &text, issued_at, root)
                .map(Rc::new)
                .map_err(TokenUnavailable::Broken),
        };
        let entry = (found.clone(), now);
        self.read.borrow_mut().insert(name.to_owned(), entry);
        found
    }

    fn recent(&self, name: &str, now: Timestamp) -> Option<TokenLookup> {
        let read = self.read.borrow();
        let (found, at) = read.get(name)?;
        (now < at.plus_seconds(MAX_AGE)).then(|| found.clone())
    }
}
