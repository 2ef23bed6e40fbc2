//! All calls that a run makes, in order: each is a point where it can be killed, before the call does
//! anything or after, or held.

use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use testkit::poll::poll;
use testkit::upstream::PATIENCE;

/// When, at which call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    /// The call has no effect.
    Before,
    /// The call has its effect, and no answer.
    After,
    /// The call has its effect and no answer, but nobody is killed.
    Lost,
    /// The call has its effect, and the run gets this signal before there is an answer.
    Signal(&'static str),
}

#[derive(Default)]
pub(crate) struct Points {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: Vec<String>,
    kill: Option<(usize, Moment)>,
    victim: Option<Arc<Mutex<Child>>>,
    /// A call that waits: the first that begins so.
    hold: Option<(String, Sender<()>, Receiver<()>)>,
}

impl Points {
    /// Begins to number calls anew.
    pub(crate) fn begin(&self, victim: Arc<Mutex<Child>>, kill: Option<(usize, Moment)>) {
        let mut state = self.state.lock().unwrap();
        state.calls.clear();
        state.kill = kill;
        state.victim = Some(victim);
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.state.lock().unwrap().calls.clone()
    }

    /// Does `action`, and waits until the first call after it that begins with `call` has arrived. That call waits until
    /// something is sent.
    pub(crate) fn hold<T>(&self, call: &str, action: impl FnOnce() -> T) -> (T, Sender<()>) {
        let (arrived, there) = channel();
        let (go, going) = channel();
        self.state.lock().unwrap().hold = Some((call.to_owned(), arrived, going));
        let done = action();
        there.recv_timeout(PATIENCE).unwrap();
        (done, go)
    }

    /// Does what a call does; `None` where there is no answer.
    pub(crate) fn pass<T>(&self, what: &str, effect: impl FnOnce() -> T) -> Option<T> {
        let (moment, victim, held) = {
            let mut state = self.state.lock().unwrap();
            let number = state.calls.len();
            state.calls.push(what.to_owned());
            let moment = state.kill.filter(|(at, _)| *at == number).map(|(_, m)| m);
            let held = state.hold.take_if(|held| what.starts_with(held.0.as_str()));
            (moment, state.victim.clone(), held)
        };
        if let Some((_, arrived, going)) = held {
            arrived.send(()).unwrap();
            going.recv_timeout(PATIENCE * 2).unwrap();
        }
        let answer = (!matches!(moment, Some(Moment::Before))).then(effect);
        match (moment, victim) {
            (Some(Moment::Before | Moment::After), Some(victim)) => {
                let _gone_already = victim.lock().unwrap().kill();
            }
            (Some(Moment::Signal(name)), Some(victim)) => {
                let id = victim.lock().unwrap().id().to_string();
                let sent = Command::new("kill").args([&format!("-{name}"), &id]).status();
                assert!(sent.unwrap().success(), "{name}");
                let ended =
                    || victim.lock().unwrap().try_wait().unwrap().ok_or("it goes on".to_owned());
                poll(PATIENCE, ended);
            }
            _ => {}
        }
        answer.filter(|_| moment.is_none())
    }
}
