//! Ctrl-C while a person is asked: says what is done so far, and leaves the terminal as it was. Without this, one that is
//! interrupted while it types a secret has a shell without an echo.

use std::process;
use std::sync::{Mutex, Once, PoisonError};

use crate::redact;

/// The exit code of a shell for a program that SIGINT ended.
pub(crate) const CODE: u8 = 130;

static INSTALLED: Once = Once::new();
static STATE: Mutex<State> = Mutex::new(State { done: String::new(), terminal: None });

struct State {
    /// A sentence about the work done so far, and the command that continues.
    done: String,
    /// The terminal's mode before it stopped its echo.
    terminal: Option<terminal::Mode>,
}

/// Says from now on what is done so far, if somebody interrupts this or ends the input.
pub(crate) fn so_far(done: impl Into<String>) {
    with(|state| state.done = done.into());
}

/// Returns a message with what is done so far.
pub(crate) fn with_so_far(message: &str) -> String {
    with(|state| match state.done.as_str() {
        "" => message.to_owned(),
        done => format!("{message}; {done}"),
    })
}

/// Asks a person something, and ends well if it is interrupted meanwhile.
pub(crate) fn asking<T>(question: impl FnOnce() -> T) -> T {
    INSTALLED.call_once(|| {
        // Where it cannot be, Ctrl-C ends the command all the same.
        let _ = ctrlc::set_handler(|| {
            if let Some(mode) = with(|state| state.terminal.take()) {
                terminal::restore(&mode);
            }
            // After what was typed, and the ^C.
            eprint!("\n");
            eprintln!("writegate: {}", redact::redacted(&with_so_far("interrupted")));
            process::exit(CODE.into());
        });
    });
    with(|state| state.terminal = terminal::mode());
    let answer = question();
    with(|state| state.terminal = None);
    answer
}

fn with<T>(work: impl FnOnce(&mut State) -> T) -> T {
    work(&mut STATE.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(unix)]
mod terminal {
    use std::io;

    use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};

    pub(super) type Mode = Termios;

    pub(super) fn mode() -> Option<Mode> {
        tcgetattr(io::stdin()).ok()
    }

    pub(super) fn restore(mode: &Mode) {
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, mode);
    }
}

/// Windows gives a console back to the next program as it was.
#[cfg(not(unix))]
mod terminal {
    pub(super) type Mode = ();

    pub(super) fn mode() -> Option<Mode> {
        None
    }

    pub(super) fn restore(_mode: &Mode) {}
}
