//! A rotation at Cloudflare, which finds out what to do from the tokens' names and from the gate.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use crate::clock::{self, Moment};
use crate::error::{Error, Result};

use super::super::envelope::{Dates, Envelope};
use super::super::status::{Seen, named};
use super::cloudflare_tokens::{Listed, Made, Tokens};
use super::finish::Kept;
use super::report::Outcome;
use super::{AGAIN, Rotation, Successor, rights};

impl Rotation<'_> {
    pub(super) fn at_cloudflare(&self, tokens: &Tokens) -> Result<Outcome> {
        let secret = &self.secret;
        self.step(1, &format!("looking which token of {secret} is in place"));
        let seen = self.look()?;
        if seen.fingerprint == tokens.manager.as_str() {
            return Err(Error::usage(
                "the token in the gate is the one in ROTATION_API_TOKEN or CLOUDFLARE_API_TOKEN, which this command \
                 uses to make and revoke tokens: give it one of its own, which may edit API tokens",
            ));
        }
        let ours = tokens.list()?;
        let known = self.met(&ours);
        let old = match &self.options.old {
            Some(id) => {
                tokens.refuse_own(id, self.project.wrangler_token()?)?;
                tokens.get(id)?
            }
            None => None,
        };
        let shown =
            |token: &&Listed| !seen.fingerprint.is_empty() && token.fingerprint == seen.fingerprint;
        let in_place = ours.iter().find(shown);
        if let (Some(token), Some(old)) = (in_place, &old) {
            self.refuse_unlike(tokens, token, old)?;
        }
        if let Some(kept) = in_place.filter(|kept| self.may_stay(kept, &ours, &seen)) {
            let others = ours.iter().any(|token| token.id != kept.id);
            let old_lives = old.is_some() && self.options.old.as_deref() != Some(&kept.id);
            let token = named(&kept.fingerprint);
            if !others && !old_lives {
                self.see_that_it_works()?;
                self.step(
                    2,
                    &format!("{token} is in place and ok: nothing to do (--now rotates it)"),
                );
                return Ok(Outcome::Unchanged);
            }
            self.step(
                2,
                &format!("{token} is in place and ok: what is left of an earlier run is done"),
            );
            self.try_through(&token)?;
            self.finish(tokens, &Kept::of(kept), in_place, &known)?;
            return Ok(Outcome::Finished);
        }
        self.refuse_early(&seen.fingerprint)?;
        let like = self.model(tokens, in_place, old, &seen)?;
        let age = match seen.age_days {
            Some(days) => format!("{days} days old"),
            None => "of unknown age".to_owned(),
        };
        let token = named(&seen.fingerprint);
        let state = &seen.state;
        self.step(2, &format!("{token} is in place, {age}, {state}: a new one is needed"));
        let place = self.place()?;
        self.tell_way(&place);
        let (made, new) = self.make(tokens, &like)?;
        self.bring_in(&place, &new)?;
        let kept = Kept { id: made.id.clone(), fingerprint: new.fingerprint.as_str().to_owned() };
        self.finish(tokens, &kept, in_place, &known)?;
        Ok(Outcome::Rotated)
    }

    /// Returns true if the token in place may stay: it is ok, and no run was about to replace it.
    fn may_stay(&self, kept: &Listed, ours: &[Listed], seen: &Seen) -> bool {
        let newest = ours.iter().all(|token| token.issued_on <= kept.issued_on);
        seen.state == "ok" && newest && !self.options.now
    }

    /// Returns since when these are known here: a run that made one puts it soon or never.
    pub(super) fn met(&self, ours: &[Listed]) -> BTreeMap<String, Instant> {
        let now = Instant::now();
        ours.iter().map(|token| (token.id.clone(), now)).collect()
    }

    /// Returns the token whose policies the new one gets.
    fn model(
        &self,
        tokens: &Tokens,
        in_place: Option<&Listed>,
        old: Option<Value>,
        seen: &Seen,
    ) -> Result<Value> {
        if let Some(token) = in_place {
            return tokens.get(&token.id)?.ok_or_else(|| {
                Error::new(
                    "the token in place was revoked a moment ago: is another rotation under way?",
                )
            });
        }
        let token = named(&seen.fingerprint);
        match (&self.options.old, old) {
            (Some(id), Some(old)) => self.refuse_another(id).map(|()| old),
            (Some(id), None) => Err(Error::usage(format!(
                "--old {id}: Cloudflare has no such token; the ids of {} are listed by GET {}",
                self.options.account.as_ref().map_or("a user's", |_| "an account's"),
                tokens.path()
            ))),
            (None, _) => Err(Error::usage(format!(
                "{token}, which is in place, was not made by this command, or SIGNING_SECRET was replaced since: name it with --old, by its id at Cloudflare \
                 (GET {} lists them)",
                tokens.path()
            ))),
        }
    }

    /// Refuses an `--old` that the token in place, which this command made, was not made after.
    fn refuse_unlike(&self, tokens: &Tokens, in_place: &Listed, old: &Value) -> Result<()> {
        match tokens.get(&in_place.id)? {
            Some(token) if !rights::are_alike(&token, old) => Err(Error::usage(format!(
                "--old {}: it may not do what the token in place may, so it is another's; leave out --old, for this \
                 command made that token",
                self.options.old.as_deref().unwrap_or_default()
            ))),
            _ if self.options.old_unchecked => Ok(()),
            _ if tokens.is_of_another_gate(old)
                || rights::time(&old["issued_on"]) > in_place.issued_on =>
            {
                Err(Error::usage(format!(
                    "--old {}: by its name or its date, it is not the token that the one in place replaced: leave out --old, for \
                     this command made the token in place, or say --old-unchecked, if it is to be revoked",
                    self.options.old.as_deref().unwrap_or_default()
                )))
            }
            _ => Ok(()),
        }
    }

    /// Refuses an `--old` that is not the token in the gate, which the gate's own probe may say.
    fn refuse_another(&self, old: &str) -> Result<()> {
        let through = self.through.as_ref().filter(|through| through.identifies());
        let answer = through.map(|through| self.tries().until(|| through.ask(&self.root)));
        let there = match (through, &answer) {
            (Some(through), Some(Ok(answer))) => through.token_id(answer),
            _ => None,
        };
        match there {
            Some(there) if there == old => Ok(()),
            Some(there) => Err(Error::usage(format!(
                "--old {old}: the token in the gate is {there}, by what the Cloudflare API says through the gate"
            ))),
            None if self.options.old_unchecked => Ok(()),
            None => Err(Error::usage(format!(
                "--old {old}: nothing shows if that is the token in the gate ({}), and it would be revoked in the end: \
                 --old-unchecked, if you know that it is",
                match answer {
                    Some(Err(said)) => said,
                    _ => "that takes a probe of …/tokens/verify".to_owned(),
                }
            ))),
        }
    }

    /// Makes and tries a token: steps 3 and 4. Revokes it if it does not work.
    fn make(&self, tokens: &Tokens, like: &Value) -> Result<(Made, Successor)> {
        let model = like["id"].as_str().unwrap_or_default();
        self.step(3, &format!("making a token that may do what {model} may"));
        let (born, now) = (Moment::now(), clock::now()?);
        let made = tokens.create(like, now)?;
        let tried = (|| {
            let dates = Dates { issued_at: None, expires_at: made.expires_at };
            let envelope = Envelope::of(made.value.clone(), dates, now).map_err(Error::new)?;
            let new = self.successor(envelope, born);
            self.made(&new, Some(made.id.clone()));
            tokens.name(&made, &new.fingerprint)?;
            let token = named(new.fingerprint.as_str());
            self.step(4, &format!("trying {token} at the API, where it is {}", made.id));
            self.tries()
                .until(|| tokens.verify(&made))
                .and_then(|()| self.try_at_the_api(&new))
                .map_err(|said| Error::new(format!("{token} does not work: {said}")))?;
            Ok(new)
        })();
        match tried {
            Ok(new) => Ok((made, new)),
            Err(error) => {
                let error: Error = error;
                let gone = match tokens.revoke(&made.id) {
                    Ok(()) => {
                        self.report.borrow_mut().revoked.push(made.id.clone());
                        "it was revoked again".to_owned()
                    }
                    Err(error) => {
                        self.report.borrow_mut().leave(format!("revoke {}: {AGAIN}", made.id));
                        format!("it was not revoked ({error}), which the next run does")
                    }
                };
                Err(Error::new(format!("{}; nothing was put, and {gone}", error.message)))
            }
        }
    }
}
