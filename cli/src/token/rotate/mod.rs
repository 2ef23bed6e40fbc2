//! `writegate token rotate`: a new token in place of the old one, while callers write.
//!
//! Nothing is stored between runs: what was done is read from the world, from the fingerprint that the gate shows and from
//! the names of the tokens at Cloudflare. So the next run resumes one that ended anywhere, on any machine.
//!
//! 1. Which token is in place, shown ten times running.
//! 2. Decide if a new one is needed.
//! 3. Make it.
//! 4. Try it at the API. One that does not work is revoked again, and nothing was put.
//! 5. Put it, through versions where the newest is not the one deployed.
//! 6. Wait until the gate shows it ten times running.
//! 7. Try it through the gate.
//! 8. Look at the gate again, and only then revoke the others.
//!
//! Nothing that could be in the gate is ever revoked before step 8 (`finish.rs`).

mod by_hook;
mod cloudflare;
mod cloudflare_tokens;
mod finish;
mod hook;
mod options;
mod report;
mod rights;

use std::cell::RefCell;
use std::time::Duration;

use writegate::{Fingerprint, Secret};

use crate::clock::{self, Moment};
use crate::error::{Error, Result};
use crate::invocation;
use crate::progress::Progress;
use crate::project::{Project, placeholder_root};
use crate::wrangler::Wrangler;
use crate::{interrupt, output, redact, settings};

use super::envelope::Envelope;
use super::local::Local;
use super::place::{Place, Way};
use super::probe::{self, Through, Tries};
use super::status::{Seen, named, twin};

use cloudflare_tokens::Tokens;
use hook::Hook;
pub(crate) use options::Options;
use report::{Outcome, Report};

const STEPS: u32 = 8;
/// The work that a run leaves if it breaks off.
const AGAIN: &str = "run this again: it continues from what the gate then shows";
/// The time within which a new token may be put, and within which wrangler must have done it. A run that finds it later
/// takes its time (`--lease`) before it revokes it, which must be longer than both.
const START_WITHIN: Duration = Duration::from_secs(100);
const PUT_WITHIN: Duration = Duration::from_secs(140);

pub(super) fn run(options: &Options) -> Result<()> {
    let rotation = Rotation::prepare(options)?;
    let end = rotation.run();
    interrupt::yield_to_handler();
    let printed = match &end {
        _ if !options.json => Ok(()),
        // Nothing was made or put, so there is nothing to report.
        Err(error) if error.code == 2 => Ok(()),
        end => output::catch(|| {
            rotation.print(end.as_ref().map(|outcome| *outcome));
            Ok(())
        }),
    };
    // A closed or full output hides no failure of the run.
    end.and(printed)
}

/// A run, with everything that it needs, so that a missing part is found before the run does anything.
struct Rotation<'o> {
    options: &'o Options,
    project: Project,
    progress: Progress,
    local: Local,
    secret: String,
    root: Secret,
    wrangler: Wrangler,
    through: Option<Through>,
    report: RefCell<Report>,
    /// The work that is left if the run breaks off once a token is about to be put.
    rest: RefCell<String>,
    /// The longest time that a request may go on with the token that it began with.
    longest: Duration,
}

/// A token that replaces the old one.
struct Successor {
    envelope: Envelope,
    fingerprint: Fingerprint,
    /// Before it was made.
    born: Moment,
}

impl<'o> Rotation<'o> {
    fn prepare(options: &'o Options) -> Result<Self> {
        let project = options.project.find()?;
        let progress = Progress::new();
        let local = Local::of(project.document()?);
        let secret = local.secret(options.secret.as_deref())?;
        let root = settings::signing_secret(&project)?;
        let config = local.config(&placeholder_root(), None)?;
        local.refuse_elsewhere(options.which.address())?;
        let through = match (probe::exists(&config, &secret), options.unprobed) {
            (false, true) => None,
            (false, false) => {
                return Err(Error::usage(format!(
                    "no route with {secret} has a `probe`, a path whose GET shows if the token works: add one \
                     to wrangler.toml and deploy, or go without by --unprobed"
                )));
            }
            (true, unprobed) => {
                let gate = options.which.address();
                let asked = options.through.as_ref();
                match Through::find(&config, &secret, gate, asked, clock::now()?) {
                    Err(_) if unprobed => None,
                    found => Some(found?),
                }
            }
        };
        // Says at once when the gate's admin is not to be found.
        options.which.open(&project)?;
        let routes = config.routes.iter();
        let routes = routes.filter(|route| route.auth.secret() == secret);
        // The token that a request has when its body begins to arrive may be the one that it is sent with.
        let longest_ms = routes.map(|route| route.timeout_ms).max().unwrap_or(0).saturating_mul(2);
        Ok(Self {
            wrangler: Wrangler::find(&project, &progress)?,
            options,
            project,
            progress,
            local,
            secret,
            root,
            through,
            report: RefCell::default(),
            rest: RefCell::new(AGAIN.to_owned()),
            longest: Duration::from_millis(longest_ms.into()),
        })
    }

    fn run(&self) -> Result<Outcome> {
        let options = self.options;
        match &options.hook {
            None => {
                let address = options.which.address().origin();
                let account = options.account.as_deref();
                let tokens = Tokens::open(account, address, &self.secret, &self.root)?;
                // The API's tokens go into a header as they are.
                let text = Secret::new("token");
                self.local.config(&self.root, Some((&self.secret, &text)))?;
                self.at_cloudflare(&tokens)
            }
            Some(make) => self.by_hook(&Hook {
                make: make.clone(),
                revoke: options.revoke_hook.clone(),
                folder: self.project.root.clone(),
                secret: self.secret.clone(),
            }),
        }
    }

    fn print(&self, end: std::result::Result<Outcome, &Error>) {
        let said = end.map_err(|error| redact::redacted(&error.message));
        let report = self.report.borrow();
        let object = report.object(self, said.as_ref().map(|end| *end).map_err(String::as_str));
        println!("{object}");
    }

    /// Refuses faults that would otherwise show only after the new token is in the gate.
    fn refuse_early(&self, fingerprint: &str) -> Result<()> {
        if let Some(through) = &self.through {
            through.refuse_closed(&self.root)?;
        }
        self.refuse_login(fingerprint)?;
        self.refuse_shared(fingerprint)
    }

    /// Refuses to replace the token that wrangler works with: it would be revoked under it.
    fn refuse_login(&self, fingerprint: &str) -> Result<()> {
        match self.project.wrangler_token()? {
            Some(login) if Fingerprint::of(&login, &self.root).as_str() == fingerprint => {
                Err(Error::usage(format!(
                    "{} is also what wrangler works with, as CLOUDFLARE_API_TOKEN: it would be revoked under it; give \
                     wrangler a token of its own, with Workers Scripts: Edit",
                    named(fingerprint)
                )))
            }
            _ => Ok(()),
        }
    }

    /// Refuses to replace a token that another secret of the gate holds, too: it would be revoked there.
    fn refuse_shared(&self, fingerprint: &str) -> Result<()> {
        match twin(&self.project, &self.options.which, &self.secret, fingerprint)? {
            None => Ok(()),
            Some(other) => Err(Error::usage(format!(
                "{} is also what the gate has in {other}: give that a token of its own first ({})",
                named(fingerprint),
                invocation::hint(&format!(
                    "token put --secret {other}{}",
                    self.project.env_option()
                ))
            ))),
        }
    }

    /// Finds out which token is in place: step 1.
    fn look(&self) -> Result<Seen> {
        let seen = self.watch(None)?;
        let shown = Some(seen.fingerprint.clone()).filter(|shown| !shown.is_empty());
        let mut report = self.report.borrow_mut();
        report.before.clone_from(&shown);
        report.now = shown;
        drop(report);
        Ok(seen)
    }

    fn made(&self, new: &Successor, id: Option<String>) {
        self.report.borrow_mut().made = Some((new.fingerprint.as_str().to_owned(), id));
    }

    /// Reports a step as it begins, and sets what an interrupt reports as left to do.
    fn step(&self, number: u32, what: &str) {
        interrupt::so_far(match number {
            1 | 2 => "nothing was made or put".to_owned(),
            3 | 4 => format!("nothing was put or revoked; {AGAIN}"),
            5..=7 => format!("nothing was revoked; {}", self.rest.borrow()),
            _ => format!("perhaps not all others are revoked; {}", self.rest.borrow()),
        });
        self.progress.note(&format!("{number}/{STEPS} {what}"));
    }

    const fn tries(&self) -> Tries {
        Tries { pause: self.options.watch.interval(), patience: self.options.watch.patience() }
    }

    /// Returns the time for which the old token stays valid once the gate shows the new one.
    fn grace(&self) -> Duration {
        // An isolate uses what it has read of a Secrets Store for 30 s.
        let usual = match self.local.stored(&self.secret) {
            Some(_) => 60,
            None => 30,
        };
        let grace = self.options.grace.map(Duration::from_secs);
        grace.unwrap_or_else(|| self.longest.max(Duration::from_secs(usual)))
    }

    /// Finds the way to put the token, before there is one.
    fn place(&self) -> Result<Place> {
        let place = Place::find(&self.wrangler, self.local.stored(&self.secret).as_ref())?;
        if self.options.deployed_only {
            place.refuse_undeployed()?;
        }
        Ok(place)
    }

    fn successor(&self, envelope: Envelope, born: Moment) -> Successor {
        Successor { fingerprint: Fingerprint::of(&envelope.value, &self.root), envelope, born }
    }

    /// Tries the new token by the routes' probes: step 4.
    fn try_at_the_api(&self, new: &Successor) -> std::result::Result<(), String> {
        let token = Some((self.secret.as_str(), &new.envelope.text));
        let config = self.local.config(&self.root, token);
        let config = config.map_err(|error| error.message)?;
        probe::at_the_api(&config, &self.secret, self.tries())
    }

    /// Puts and checks the token: steps 5 to 7. A failure revokes nothing, because the token may be in the gate already.
    fn bring_in(&self, place: &Place, new: &Successor) -> Result<()> {
        let token = named(new.fingerprint.as_str());
        self.step(5, &format!("putting {token} into {}", self.secret));
        let time_left = || {
            let elapsed = new.born.elapsed();
            match elapsed < START_WITHIN {
                true => Ok(Some(PUT_WITHIN.saturating_sub(elapsed))),
                false => Err(Error::new("putting the new token took too long")),
            }
        };
        let text = &new.envelope.text;
        self.report.borrow_mut().begin_put(place);
        let version = place
            .put(&self.wrangler, &self.progress, &self.secret, text, &time_left)
            .map_err(|error| {
                let rest = self.rest.borrow();
                self.report.borrow_mut().leave(rest.as_str());
                Error::new(format!("{}; nothing was revoked; {rest}", error.message))
            })?;
        self.report.borrow_mut().end_put(version);
        let done = (|| {
            self.step(6, &format!("waiting until the gate shows {token} ten times running"));
            let wanted = Some(new.fingerprint.as_str());
            self.watch(wanted)?;
            self.report.borrow_mut().now = wanted.map(str::to_owned);
            self.try_through(&token)
        })();
        done.map_err(|error: Error| {
            let rest = self.rest.borrow();
            let mut report = self.report.borrow_mut();
            report.leave(rest.as_str());
            let back = match place.serving.as_slice() {
                [] => String::new(),
                serving => {
                    let serving = serving.join(" ");
                    let env = self.project.env_option();
                    let back =
                        format!("the way back is `npx wrangler versions deploy {serving}{env}`");
                    report.leave(back.as_str());
                    format!("; {back}")
                }
            };
            Error::new(format!("{}; nothing was revoked; {rest}{back}", error.message))
        })
    }

    /// Waits until the gate has shown one token ten times running, and where one is wanted, that one.
    fn watch(&self, wanted: Option<&str>) -> Result<Seen> {
        let Options { watch, which, .. } = self.options;
        watch.until(&self.project, which, &self.secret, wanted)
    }

    /// Checks that the token that stays works, because the gate's status knows only ages.
    fn see_that_it_works(&self) -> Result<()> {
        let Some(through) = &self.through else {
            return Ok(());
        };
        let answer = self.tries().until(|| through.ask(&self.root));
        answer.map(drop).map_err(|said| {
            Error::new(format!(
                "{said}; if the token in place does not work any more, --now replaces it"
            ))
        })
    }

    /// Tries the token in place: step 7.
    fn try_through(&self, token: &str) -> Result<()> {
        let Some(through) = &self.through else {
            self.step(7, &format!("{token} is not tried through the gate (--unprobed)"));
            return Ok(());
        };
        self.step(7, &format!("trying {token} through the gate: GET {}", through.path()));
        let answer = self.tries().until(|| through.ask(&self.root));
        answer.map(drop).map_err(Error::new)
    }

    /// Notes that a version that nobody deployed would go out.
    fn tell_way(&self, place: &Place) {
        if let Way::Versions { description, .. } = &place.way {
            self.progress
                .note(&format!("the newest version, {description}, is not the one deployed"));
        }
    }
}
