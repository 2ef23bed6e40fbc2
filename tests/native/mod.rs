//! A gate without a platform: what it would wait for is there at once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};

use writegate::admission::{BodyError, NotRecorded, Platform};
use writegate::audit::Context;
use writegate::credential::digest::Algorithm;
use writegate::credential::signature::Nonce;
use writegate::gateway::{Decision, Gate, Raw};
use writegate::key::KeyId;

/// A platform with this body, and a memory for nonces.
pub(crate) struct Native {
    body: Vec<u8>,
    seen: RefCell<BTreeSet<(String, String)>>,
}

impl Native {
    pub(crate) const fn with_body(body: Vec<u8>) -> Self {
        Self {
            body,
            seen: RefCell::new(BTreeSet::new()),
        }
    }
}

impl Platform for Native {
    async fn digest_body(
        &self,
        most: u64,
        algorithms: &[Algorithm],
    ) -> Result<Vec<Vec<u8>>, BodyError> {
        match self.body.len() as u64 > most {
            true => Err(BodyError::TooLarge),
            false => Ok(algorithms.iter().map(|a| a.digest(&self.body)).collect()),
        }
    }

    async fn remember(&self, key: &KeyId, nonce: &Nonce) -> Result<bool, NotRecorded> {
        let entry = (nonce.object(key), nonce.value.clone());
        Ok(self.seen.borrow_mut().insert(entry))
    }
}

/// What the gate decides, on this platform.
pub(crate) fn decide_on<'g, 'h>(
    platform: &Native,
    gate: &'g Gate,
    raw: Raw<'h>,
    context: Context,
) -> Decision<'g, 'h> {
    let mut future = pin!(gate.decide(raw, context, platform));
    match future.as_mut().poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(decision) => decision,
        Poll::Pending => panic!("nothing here has to be waited for"),
    }
}
