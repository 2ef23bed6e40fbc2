//! Handles Ctrl-C, SIGTERM and a closed terminal during a question, a write of a file, or a rotation. The handler says what is
//! done so far, restores the terminal, removes incomplete files, and ends programs. Without it, an interrupt at a hidden prompt
//! would leave the shell without an echo.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};
use std::{fs, process, thread};

use crate::{progress, redact};

/// The exit code of a shell for a program that SIGINT ended.
pub(crate) const CODE: u8 = 130;

static INSTALLED: Once = Once::new();
static STATE: Mutex<State> = Mutex::new(State {
    done: String::new(),
    terminal: None,
    files: Vec::new(),
    programs: Vec::new(),
    interrupted: false,
});

struct State {
    /// A sentence about the work done so far, and the command that continues.
    done: String,
    /// The terminal's mode before it stopped its echo.
    terminal: Option<terminal::Mode>,
    /// Files that are not complete.
    files: Vec<PathBuf>,
    /// Programs that must not outlive this one.
    programs: Vec<u32>,
    /// The handler is at work, which ends this process.
    interrupted: bool,
}

/// Sets the sentence about the work done so far, for an interrupt or the end of the input.
pub(crate) fn so_far(done: impl Into<String>) {
    install();
    with(|state| state.done = done.into());
}

/// Returns a message with the work done so far.
pub(crate) fn with_so_far(message: &str) -> String {
    with(|state| match state.done.as_str() {
        "" => message.to_owned(),
        done => format!("{message}; {done}"),
    })
}

/// Runs a question, during which an interrupt restores the terminal.
pub(crate) fn asking<T>(question: impl FnOnce() -> T) -> T {
    install();
    with(|state| state.terminal = terminal::mode());
    let answer = question();
    with(|state| state.terminal = None);
    answer
}

/// Marks a file that an interrupt must remove.
pub(crate) fn remove_then(file: &Path) {
    install();
    with(|state| state.files.push(file.to_owned()));
}

/// Cancels [`remove_then`].
pub(crate) fn keep_then(file: &Path) {
    with(|state| state.files.retain(|other| other != file));
}

/// Marks a program that an interrupt must end.
pub(crate) fn end_then(program: u32) {
    let is_late = with(|state| {
        state.programs.push(program);
        state.interrupted
    });
    if is_late {
        end_with_children(program);
    }
}

/// Cancels [`end_then`].
pub(crate) fn has_ended(program: u32) {
    with(|state| state.programs.retain(|other| *other != program));
}

/// Removes everything that is not complete.
pub(crate) fn clean() {
    with(|state| {
        if let Some(mode) = state.terminal.take() {
            terminal::restore(&mode);
        }
        for file in state.files.drain(..) {
            let _gone = fs::remove_file(file);
        }
    });
}

/// Waits for the handler, if it is at work: other programs got the signal, too, and the handler reports, not they.
pub(crate) fn yield_to_handler() {
    while with(|state| state.interrupted) {
        thread::park();
    }
}

/// Installs the handler, once.
pub(crate) fn install() {
    INSTALLED.call_once(|| {
        #[cfg(unix)]
        let was_ignored = ignore_hangup();
        // If that fails, Ctrl-C still ends the command.
        let _ = ctrlc::set_handler(handle);
        #[cfg(unix)]
        if was_ignored {
            let _ = ignore_hangup();
        }
    });
}

/// Ignores SIGHUP. Returns true if it was ignored before, as `nohup` does: the command then goes on without its terminal.
#[cfg(unix)]
#[expect(unsafe_code, reason = "there is no other way to ask what happens to a signal")]
fn ignore_hangup() -> bool {
    use nix::sys::signal::{SigHandler, Signal, signal};

    // SAFETY: no function of ours is made a handler.
    let before = unsafe { signal(Signal::SIGHUP, SigHandler::SigIgn) };
    matches!(before, Ok(SigHandler::SigIgn))
}

/// Ends a program and everything that it started, if it has a group of its own.
#[cfg(unix)]
pub(crate) fn end_with_children(id: u32) {
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;

    let group = i32::try_from(id).map(Pid::from_raw);
    let _gone = group.map(|group| killpg(group, Signal::SIGKILL));
}

/// Ends a program and everything that it started.
#[cfg(not(unix))]
pub(crate) fn end_with_children(id: u32) {
    let _gone =
        process::Command::new("taskkill").args(["/T", "/F", "/PID", &id.to_string()]).output();
}

/// Handles an interrupt, and ends this process.
fn handle() {
    let programs = with(|state| {
        state.interrupted = true;
        std::mem::take(&mut state.programs)
    });
    programs.into_iter().for_each(end_with_children);
    clean();
    // Until the end, so that no spinner overwrites these words.
    progress::undisturbed(|| {
        // After what was typed, and the ^C.
        eprint!("\n");
        eprintln!("writegate: {}", redact::redacted(&with_so_far("interrupted")));
        process::exit(CODE.into());
    });
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

/// Windows restores a console for the next program by itself.
#[cfg(not(unix))]
mod terminal {
    pub(super) type Mode = ();

    pub(super) fn mode() -> Option<Mode> {
        None
    }

    pub(super) fn restore(_mode: &Mode) {}
}
