//! Step 8: revokes every token that is not in place, when nothing can need it any more.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

use super::super::status::named;
use super::cloudflare_tokens::{Listed, Tokens};
use super::{AGAIN, Rotation};

/// The token that stays.
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) fingerprint: String,
}

impl Kept {
    pub(super) fn of(token: &Listed) -> Self {
        Self { id: token.id.clone(), fingerprint: token.fingerprint.clone() }
    }
}

impl Rotation<'_> {
    /// Revokes every token of this gate but the one kept, and the one of `--old`.
    ///
    /// `in_place` is what the gate showed when the run began, and `known` when each token was first seen: one that was made
    /// by another run is left until that run must have put it or given it up. If it was put, the gate shows it, and
    /// nothing is revoked here: that run does.
    pub(super) fn finish(
        &self,
        tokens: &Tokens,
        kept: &Kept,
        in_place: Option<&Listed>,
        known: &BTreeMap<String, Instant>,
    ) -> Result<()> {
        let token = named(&kept.fingerprint);
        let ours = tokens.list().map_err(|error| {
            self.report.borrow_mut().leave(AGAIN);
            Error::new(format!(
                "{error}; {token} is in place and works, and nothing was revoked: run this again",
                error = error.message
            ))
        })?;
        let met = self.met(&ours);
        let lease = Duration::from_secs(self.options.lease);
        let old = self.options.old.as_deref();
        // However old it is: by a clock that is wrong, one of a moment ago may be.
        let may_be_put = |token: &&Listed| {
            let is_replaced = in_place.is_some_and(|replaced| replaced.id == token.id);
            !is_replaced && old != Some(&token.id)
        };
        let others: Vec<&Listed> = ours.iter().filter(|token| token.id != kept.id).collect();
        let left = others
            .iter()
            .copied()
            .filter(may_be_put)
            .filter_map(|token| known.get(&token.id).or_else(|| met.get(&token.id)))
            .map(|met| lease.saturating_sub(met.elapsed()))
            .max()
            .unwrap_or_default();
        let mut victims: Vec<&str> = others.iter().map(|token| token.id.as_str()).collect();
        victims.extend(old.filter(|old| *old != kept.id && !victims.contains(old)));

        self.step(8, &format!("revoking all but {token}: {}", victims.join(", ")));
        if !left.is_zero() {
            self.progress.note(&format!(
                "another run may be about to put one of them: waiting {} s (--lease)",
                left.as_secs() + 1
            ));
        }
        self.confirm(&kept.fingerprint, left)?;
        self.refuse_dead(tokens, kept)?;
        self.confirm_works()?;
        let mut report = self.report.borrow_mut();
        let mut failed = Vec::new();
        for id in victims {
            match tokens.revoke(id) {
                Ok(()) => report.revoked.push(id.to_owned()),
                Err(error) => {
                    report.leave(format!("revoke {id}: {AGAIN}"));
                    failed.push(format!("{id}: {error}"));
                }
            }
        }
        match failed.as_slice() {
            [] => {
                self.progress
                    .note(&format!("done: {} is {token}, and the others are revoked", self.secret));
                Ok(())
            }
            failed => Err(Error::new(format!(
                "{token} is in place and works, but not all others were revoked (run this again): {}",
                failed.join("; ")
            ))),
        }
    }

    /// Refuses to revoke anything where somebody has revoked or disabled the token that is to stay, as late as that can be
    /// seen: the others are the way back.
    fn refuse_dead(&self, tokens: &Tokens, kept: &Kept) -> Result<()> {
        let what = match tokens.get(&kept.id) {
            Ok(Some(token)) if token["status"] == "active" => return Ok(()),
            Ok(Some(token)) => match token["status"].as_str() {
                Some("disabled") => "it is disabled at Cloudflare".to_owned(),
                Some("expired") => "it has expired".to_owned(),
                _ => "Cloudflare does not call it active".to_owned(),
            },
            Ok(None) => "somebody has revoked it at Cloudflare".to_owned(),
            Err(error) => {
                self.report.borrow_mut().leave(AGAIN);
                return Err(Error::new(format!("{}; nothing was revoked", error.message)));
            }
        };
        self.report.borrow_mut().leave("rotate again with --now: the token in the gate is dead");
        Err(Error::new(format!(
            "{} is in the gate, and {what}: nothing else was revoked",
            named(&kept.fingerprint)
        )))
    }

    /// Waits, then checks that the gate still shows this token.
    pub(super) fn confirm(&self, fingerprint: &str, least: Duration) -> Result<()> {
        thread::sleep(self.grace().max(least));
        self.watch(Some(fingerprint)).map(drop).map_err(|error| {
            let mut report = self.report.borrow_mut();
            report.now = None;
            report.leave(AGAIN);
            Error::new(format!(
                "{}; another rotation may have taken over, so nothing was revoked",
                error.message
            ))
        })
    }

    /// Checks through the gate that the token that stays works, after the wait.
    pub(super) fn confirm_works(&self) -> Result<()> {
        self.see_that_it_works().map_err(|error| {
            self.report.borrow_mut().leave(AGAIN);
            Error::new(format!("{}; nothing was revoked", error.message))
        })
    }
}
