//! Standard output and standard error, either of which may be closed: `writegate key list | head` ends quietly.
//!
//! The macros here take the place of the standard library's, which panic then.

use std::any::Any;
use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::error::{Error, Result};
use crate::redact::redacted;

macro_rules! print {
    ($($part:tt)*) => { $crate::output::out(format_args!($($part)*)) };
}

macro_rules! println {
    () => { print!("\n") };
    ($($part:tt)*) => { print!("{}\n", format_args!($($part)*)) };
}

macro_rules! eprint {
    ($($part:tt)*) => { $crate::output::err(format_args!($($part)*)) };
}

macro_rules! eprintln {
    ($($part:tt)*) => { eprint!("{}\n", format_args!($($part)*)) };
}

/// Set once there is something on standard output.
static HAS_OUTPUT: AtomicBool = AtomicBool::new(false);

/// Unwinds to [`catch`], so that programs that this process started are ended, too.
struct Closed(io::Error);

pub(crate) fn out(text: Arguments<'_>) {
    HAS_OUTPUT.store(true, Ordering::Relaxed);
    let mut out = io::stdout().lock();
    written(out.write_fmt(text).and_then(|()| out.flush()));
}

/// Prints the help or the version: on standard output, or on standard error with exit code 2 if nothing was asked for.
pub(crate) fn help(help: &clap::Error) -> Result<()> {
    let printed = help.print().and_then(|()| io::stdout().flush());
    if help.use_stderr() {
        return Err(Error::usage(""));
    }
    written(printed);
    Ok(())
}

fn written(done: io::Result<()>) {
    if let Err(error) = done {
        panic::resume_unwind(Box::new(Closed(error)));
    }
}

pub(crate) fn err(text: Arguments<'_>) {
    // The reader has closed it.
    let _closed = io::stderr().lock().write_fmt(text);
}

/// Says why a command stops: on standard error for a person, and with `--json` also on standard output, unless the command has
/// printed its own JSON there.
pub(crate) fn failure(error: &Error, json: bool) {
    if let Some(output) = &error.output {
        eprint!("{output}");
    }
    if error.message.is_empty() {
        return;
    }
    let message = redacted(&error.message);
    if json && !HAS_OUTPUT.load(Ordering::Relaxed) {
        // Standard output may be what failed.
        let _unwritten = writeln!(io::stdout(), "{}", json!({"ok": false, "error": message}));
    }
    eprintln!("writegate: {message}");
}

/// Runs a command, which ends quietly when the reader of its output closes it.
pub(crate) fn catch(command: impl FnOnce() -> Result<()>) -> Result<()> {
    let closed = |payload: Box<dyn Any + Send>| match payload.downcast::<Closed>() {
        Ok(closed) if closed.0.kind() == ErrorKind::BrokenPipe => Ok(()),
        Ok(closed) => Err(Error::new(format!("writing the output: {}", closed.0))),
        Err(payload) => panic::resume_unwind(payload),
    };
    panic::catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(closed)
}
