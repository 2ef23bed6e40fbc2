//! Reads answers, secrets, and the files that an option names. Secrets come from a terminal without an echo, else from
//! standard input, where no other program sees them and no shell keeps them.

use std::io::{self, BufRead as _, ErrorKind, IsTerminal as _, Read as _, Write as _};
use std::{fs, thread};

use writegate::Secret;

use crate::error::{Context as _, Error, Result};
use crate::{interrupt, project, utf16};

/// Longest secret, in bytes: the limit of a Workers Secret.
const MAX_BYTES: u64 = 5 * 1024;

/// Returns true if a person can be asked.
pub(crate) fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Returns a secret: typed without an echo, or all of standard input; without white space at its end, as `wrangler
/// secret put` takes it.
pub(crate) fn secret(prompt: &str) -> Result<Secret> {
    // It is asked for at the terminal itself, wherever standard error goes.
    if io::stdin().is_terminal() {
        return hidden(prompt);
    }
    // At its full size at once: a buffer that grows leaves copies behind.
    let mut bytes = Vec::with_capacity(usize::try_from(MAX_BYTES + 1).unwrap_or_default());
    let mut input = io::stdin().lock().take(MAX_BYTES + 1);
    input.read_to_end(&mut bytes).context(format!("reading {prompt} from standard input"))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(Error::usage(format!(
            "{prompt}: longer than {MAX_BYTES} bytes, the limit of a Workers Secret"
        )));
    }
    Ok(trimmed(Secret::new(bytes)))
}

/// Returns the bytes of a file that an option names, or of standard input for `-`. The name is not repeated: it may be a
/// secret in the wrong place.
pub(crate) fn bytes(option: &str, name: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = match name {
        "-" => io::stdin().read_to_end(&mut bytes).map(|_length| bytes),
        name => fs::read(name),
    };
    read.map_err(|error| Error::usage(format!("{option}: reading the file: {error}")))
}

/// Returns the text of such a file, whatever encoding its byte order mark says.
pub(crate) fn text(option: &str, name: &str) -> Result<String> {
    let bytes = bytes(option, name)?;
    Ok(String::from_utf8_lossy(&utf16::unmarked(&bytes)).into_owned())
}

/// Returns a secret that is typed without an echo.
fn hidden(prompt: &str) -> Result<Secret> {
    let typed = interrupt::asking(|| rpassword::prompt_password(format!("{prompt} (not shown): ")));
    match typed {
        Ok(typed) => Ok(trimmed(Secret::new(typed))),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(ended(prompt)),
        // It has read the Ctrl-C itself, restored the terminal and sent the signal, whose handler ends this process.
        Err(error) if error.kind() == ErrorKind::Interrupted => loop {
            thread::park();
        },
        Err(error) => Err(error).context(prompt),
    }
}

/// Says that the person ended the input instead of answering.
fn ended(prompt: &str) -> Error {
    // After the question.
    eprint!("\n");
    Error::usage(interrupt::with_so_far(&format!("{prompt}: the input ended")))
}

/// Returns the secret as it is set; what is no text stays as it is.
fn trimmed(given: Secret) -> Secret {
    match given.expose_str() {
        Some(text) => project::secret(text).unwrap_or_else(|| Secret::new("")),
        None => given,
    }
}

/// Returns the line that a person types, or the default if it is empty.
pub(crate) fn line(prompt: &str, default: Option<&str>) -> Result<String> {
    let question = match default {
        Some(default) => format!("{prompt} [{default}]: "),
        None => format!("{prompt}: "),
    };
    let mut typed = String::new();
    let read = interrupt::asking(|| {
        io::stderr().write_all(question.as_bytes())?;
        io::stdin().lock().read_line(&mut typed)
    });
    if read.context(prompt)? == 0 {
        return Err(ended(prompt));
    }
    let typed = typed.trim();
    Ok(match (typed, default) {
        ("", Some(default)) => default.to_owned(),
        (typed, _) => typed.to_owned(),
    })
}
