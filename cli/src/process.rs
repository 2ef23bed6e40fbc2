//! Runs other programs, each within a time limit.

use std::io::{Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use writegate::Secret;

use crate::clock::Moment;
use crate::interrupt;

/// Longest time between two looks at the clock.
const LOOK: Duration = Duration::from_millis(200);

/// The output of a program.
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
}

impl Said {
    /// Returns the last line of what it wrote on standard error.
    pub(crate) fn last_error(&self) -> String {
        let text = String::from_utf8_lossy(&self.err);
        text.trim().lines().last().unwrap_or_default().to_owned()
    }
}

/// Runs a program with this input to its end. After the time limit, or if this process is interrupted, ends it with everything
/// that it started. An error is one line.
pub(crate) fn run(
    mut command: Command,
    input: Option<&Secret>,
    limit: Option<Duration>,
) -> Result<Said, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |error| format!("{name}: {error}");
    command
        .stdin(input.map_or_else(Stdio::null, |_| Stdio::piped()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // A group of its own, which can be ended as a whole. Without a limit, Ctrl-C reaches it as it does this process.
    if limit.is_some() {
        interrupt::install();
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
    }
    let begun = Moment::now();
    let mut child = command.spawn().map_err(failed)?;
    if limit.is_some() {
        interrupt::end_then(child.id());
    }
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        // If it ends early, it says why, and that is reported.
        let _ = pipe.write_all(input.expose());
    }
    let (sender, ended) = channel();
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let errors = thread::spawn(move || all(err));
    thread::spawn(move || sender.send(all(out)));
    let out = loop {
        let over = limit.filter(|limit| begun.elapsed() >= *limit);
        match ended.recv_timeout(LOOK) {
            Err(RecvTimeoutError::Timeout) if over.is_none() => {}
            Err(RecvTimeoutError::Timeout) => break None,
            out => break Some(out.unwrap_or_default()),
        }
    };
    if out.is_none() {
        interrupt::end_with_children(child.id());
    }
    let status = child.wait().map_err(failed);
    interrupt::has_ended(child.id());
    match (out, limit) {
        (None, Some(limit)) => Err(format!("{name} took longer than {} s", limit.as_secs())),
        (out, _) => Ok(Said {
            status: status?,
            out: out.unwrap_or_default(),
            err: errors.join().unwrap_or_default(),
        }),
    }
}

fn all(stream: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // If the program broke off, its exit code says so.
    let _ = stream.map(|mut stream| stream.read_to_end(&mut bytes));
    bytes
}

/// Ends a program that is no longer needed.
pub(crate) fn end(child: &mut Child) {
    let _gone = child.kill();
    let _reaped = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let shell = |script: &str| {
            let mut shell = Command::new("sh");
            shell.args(["-c", script]);
            shell
        };
        // With its children, which hold its output open.
        let hang = if cfg!(unix) { "sleep 600 & sleep 600" } else { "sleep 600" };
        let said = run(shell(hang), None, Some(Duration::from_millis(10)));
        assert!(said.err().unwrap().contains("sh took longer than 0 s"));
        let minute = Some(Duration::from_secs(60));
        let echo = shell("echo a; cat; echo b >&2; echo c >&2; exit 3");
        let said = run(echo, Some(&Secret::new("in")), minute).ok().unwrap();
        assert_eq!((said.out.as_slice(), said.last_error().as_str()), (&b"a\nin"[..], "c"));
        assert_eq!(said.status.code(), Some(3));
        assert!(run(Command::new("no-such-program"), None, minute).is_err());
    }
}
