//! A rotation at an API that only the operator's commands know.

use std::time::Duration;

use crate::clock::{self, Moment};
use crate::error::{Error, Result};
use crate::interrupt;

use super::super::status::named;
use super::Rotation;
use super::hook::Hook;
use super::report::Outcome;

impl Rotation<'_> {
    pub(super) fn by_hook(&self, hook: &Hook) -> Result<Outcome> {
        let secret = &self.secret;
        self.step(1, &format!("looking which token of {secret} is in place"));
        let seen = self.look()?;
        let before = named(&seen.fingerprint);
        let age = match seen.age_days {
            Some(days) => format!("{days} days old"),
            None => "of unknown age".to_owned(),
        };
        let state = &seen.state;
        if seen.state == "ok" && !self.options.now {
            self.see_that_it_works()?;
            self.step(
                2,
                &format!(
                    "{before} is in place, {age}, ok: nothing to do (--now rotates it; that also ends a run that was \
                     interrupted before the old token was revoked)"
                ),
            );
            return Ok(Outcome::Unchanged);
        }
        self.refuse_early(&seen.fingerprint)?;
        self.step(2, &format!("{before} is in place, {age}, {state}: a new one is needed"));
        let place = self.place()?;
        self.tell_way(&place);
        self.step(3, "making a token by --hook");
        interrupt::so_far(
            "nothing was put; if the command of --hook made a token, revoke it at the API: it is in no gate",
        );
        let envelope = hook.make(clock::now()?)?;
        // Regardless of how long the command took, because no other run knows its token.
        let new = self.successor(envelope, Moment::now());
        let token = named(new.fingerprint.as_str());
        self.made(&new, None);
        if new.fingerprint.as_str() == seen.fingerprint {
            return Err(Error::new(format!(
                "the command of --hook printed {token}, which is in place: it must make a new one; nothing was put"
            )));
        }
        self.step(4, &format!("trying {token} at the API"));
        let left = format!("revoke {token} at the API: it is in no gate");
        interrupt::so_far(format!("nothing was put; {left}"));
        self.try_at_the_api(&new).map_err(|said| {
            self.report.borrow_mut().leave(left);
            Error::new(format!(
                "{token} does not work: {said}; nothing was put, and it should be revoked at the API"
            ))
        })?;
        // No later run knows of both.
        self.rest.replace(match &hook.revoke {
            Some(_) => "run this again with --now: it makes another, and has all others revoked".to_owned(),
            None => format!(
                "of {before} and {token}, revoke at the API the one that the gate then does not show"
            ),
        });
        self.bring_in(&place, &new)?;
        self.step(8, &format!("revoking all but {token}"));
        if hook.revoke.is_some() {
            self.confirm(new.fingerprint.as_str(), Duration::ZERO)?;
            self.confirm_works()?;
        }
        let revoke = format!("revoke {before}, {age}, at the API");
        let mut report = self.report.borrow_mut();
        match hook.revoke_all_but(&new.envelope.value) {
            Ok(true) => {
                report.revoked_by_hook = true;
                self.progress.note(&format!(
                    "done: {secret} is {token}, and --revoke-hook revoked the others"
                ));
            }
            Ok(false) => {
                self.progress.note(&format!(
                    "done: {secret} is {token}; {revoke}: there is no --revoke-hook"
                ));
                report.leave(revoke);
            }
            Err(error) => {
                report.leave(revoke);
                return Err(error);
            }
        }
        Ok(Outcome::Rotated)
    }
}
