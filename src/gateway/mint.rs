//! Minting a session for a page that solved a Turnstile challenge: `POST /_gate/session`, after steps 0 to 2
//! of [`crate::gateway`] (docs/wire-contract.md, "Minted sessions"). No credential is looked at, and nothing
//! later is asked when something earlier refuses:
//!
//!  3. The page must have a web origin — 403 `origin-denied`.
//!  4. The body must not be announced as too long — 413 `body-too-large`.
//!  5. The caller's address must be within `RATE_MINT` — 429 `rate-limited`; 503 `feature-unavailable` if the
//!     limiter is missing or does not answer. Whatever follows, the request has counted.
//!  6. The body must arrive, and be a key id and a token — 413 `body-too-large`, 408 `body-timeout`, 503
//!     `overloaded`, 400 `bad-request`.
//!  7. The key must exist, be valid, and mint — 401 `key-unknown`, `key-revoked`, `key-expired`,
//!     `scheme-not-allowed`; 503 `misconfigured`, `feature-unavailable` as for any key of the registry.
//!  8. The key must allow address and origin — 403 `ip-denied`, `origin-denied`.
//!  9. There must be a secret for siteverify — 503 `feature-unavailable`; and not a dummy one, unless the page
//!     is on loopback — 403 `challenge-failed`.
//! 10. Siteverify must accept the token, for this page — 403 `challenge-failed`; 503 `feature-unavailable` if
//!     it says neither yes nor no. It is not asked again, because the token may be used up.
//!
//! After step 10, steps 7 and 8 are repeated until nothing had to be waited for, because the session must be
//! true to the key as it is when the session is made.

use std::rc::Rc;

use crate::admin::{self, LocalResponse};
use crate::base::day::Day;
use crate::base::json_writer::ObjectWriter;
use crate::base::request::caller_address;
use crate::credential::check_key;
use crate::credential::session::{self, PageSession};
use crate::credential::turnstile::{self, MAX_BODY_BYTES, MintRequest};
use crate::gateway::admit::NotAdmitted;
use crate::gateway::authorize;
use crate::gateway::steps::Steps;
use crate::keys::{self, DerivedKey, Key, KeyId, Mint};
use crate::limits::rate;
use crate::limits::usage::Account;
use crate::platform::{AdminBackend, Platform, ReadBody, Unavailable};
use crate::policy::origin::Origin;
use crate::problem::{Refusal, Rejection};

use super::{Abort, check_length};

/// The name of the rate limiter, `RATE_MINT`, that counts every request by the caller's address.
const RATE: &str = "mint";

/// The page that asks for a session.
struct Page<'h> {
    /// Its `Origin`, as sent.
    text: &'h str,
    origin: Origin,
}

impl<P: Platform + AdminBackend> Steps<'_, '_, P> {
    /// Mints a session for the page that sent this request.
    pub(super) async fn mint_session(mut self) -> Result<LocalResponse, Abort> {
        let (config, head, platform) = (self.config, self.head, self.platform);
        // (3)
        let text = head.header("origin").ok_or(Refusal::OriginDenied)?;
        let page = Page { text, origin: Origin::parse(text).ok_or(Refusal::OriginDenied)? };
        // (4)
        check_length(head, MAX_BODY_BYTES)?;
        // (5)
        let not_admitted = |reason| self.not_admitted(reason, RATE, head.path());
        let counted_as = rate::at_address("", caller_address(head));
        match platform.within_rate(&rate::binding(RATE), &counted_as).await {
            Ok(true) => {}
            Ok(false) => return Err(not_admitted(NotAdmitted::OverRate)),
            Err(Unavailable) => return Err(not_admitted(NotAdmitted::RateUnavailable)),
        }
        // (6)
        let body = ReadBody {
            max_bytes: MAX_BODY_BYTES,
            timeout_ms: admin::BODY_TIMEOUT_MS,
            algorithms: &[],
        };
        let _ = platform.read_body(body).await.map_err(|error| not_admitted(error.into()))?;
        let request = MintRequest::parse(&platform.body());
        let request = request.map_err(|error| Rejection::bad_field(&error, None))?;
        self.state.record.turnstile();
        let mut is_verified = false;
        let (key, mint) = loop {
            // (7) (8)
            self.now = platform.now();
            let minting = minting_key(&mut self, &request.key, &page).await?;
            if !is_verified {
                // (9) (10)
                verify(&self, &page, &request).await?;
                self.state.record.turnstile_verified();
                is_verified = true;
            }
            if platform.now() == self.now {
                break minting;
            }
        };
        if config.ledger {
            let (usage, day) = (&self.gate.usage, Day::of(self.now));
            self.state.charge_to(|| Account::new(usage, key.key(), day));
        }
        Ok(respond(&self, key.key(), mint, &page))
    }
}

/// Returns the key of this id and what it says of minting, if it may mint for this page: steps 7 and 8.
async fn minting_key(
    steps: &mut Steps<'_, '_, impl Platform>,
    id: &KeyId,
    page: &Page<'_>,
) -> Result<(Rc<DerivedKey>, Mint), Rejection> {
    // (7)
    let derived_key = steps.find(id).await?;
    let key = derived_key.key();
    steps.state.identified(key, None, false);
    check_key(key, steps.now)?;
    let mint = key.mint.ok_or(Refusal::SchemeNotAllowed)?;
    // (8)
    authorize::authorize_mint(key, steps.head, &page.origin)?;
    Ok((derived_key, mint))
}

/// Checks the Turnstile token: steps 9 and 10.
async fn verify(
    steps: &Steps<'_, '_, impl AdminBackend>,
    page: &Page<'_>,
    request: &MintRequest,
) -> Result<(), Rejection> {
    // (9)
    let turnstile = &steps.config.turnstile;
    let secret = turnstile.secret_for(&page.origin, &request.key)?;
    // (10)
    let form = turnstile::form(secret, &request.token, caller_address(steps.head));
    let answer = steps.platform.siteverify(&turnstile.verify_url, &form).await;
    let unusable = |Unavailable| turnstile::unusable("did not answer", &request.key);
    let (status, body) = answer.map_err(unusable)?;
    turnstile.check_answer((status, &body), &page.origin, &request.key)
}

/// Makes the session, and returns the answer with it.
fn respond(
    Steps { config, head, now, platform, .. }: &Steps<'_, '_, impl AdminBackend>,
    key: &Key,
    mint: Mint,
    page: &Page<'_>,
) -> LocalResponse {
    let ttl = mint.ttl.min(config.session_max_ttl);
    let kid = mint.bind.then(|| session::kid_from_random(platform.random()));
    let session = PageSession {
        now: *now,
        ttl,
        audience: &format!("{}://{}", head.scheme(), head.authority()),
        origin: page.text,
        random: platform.random(),
        kid: kid.as_deref(),
    };
    let sk = keys::derive_sk(&config.roots.current, &key.id, key.version);
    let mut answer = ObjectWriter::new();
    answer.set("token", session.mint(&key.id, &sk).as_str());
    answer.set("token_type", "Bearer");
    answer.set("expires_in", ttl);
    if let Some(kid) = kid {
        answer.set("session_key", keys::derive_ss(&sk, &kid).expose_str());
    }
    LocalResponse::text(201, answer.end())
}
