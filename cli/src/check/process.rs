//! Runs other programs, each within a time limit.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// The output of a program.
pub(super) struct Said {
    pub(super) status: ExitStatus,
    pub(super) out: Vec<u8>,
    /// The last line of what it wrote on standard error.
    pub(super) error: String,
}

/// Runs a program to its end, and ends it when the time is over. An error is one line.
pub(super) fn run(mut command: Command, limit: Duration) -> Result<Said, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name}: {error}"))?;
    let (sender, ended) = channel();
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let errors = thread::spawn(move || all(err));
    thread::spawn(move || sender.send(all(out)));
    let Ok(out) = ended.recv_timeout(limit) else {
        end(&mut child);
        return Err(format!("{name} took longer than {} s", limit.as_secs()));
    };
    let status = child.wait().map_err(|error| format!("{name}: {error}"))?;
    let errors = errors.join().unwrap_or_default();
    let errors = String::from_utf8_lossy(&errors).into_owned();
    Ok(Said { status, out, error: errors.trim().lines().last().unwrap_or_default().to_owned() })
}

fn all(stream: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // If the program broke off, its exit code says so.
    let _ = stream.map(|mut stream| stream.read_to_end(&mut bytes));
    bytes
}

/// Ends a program that is not wanted any more.
pub(super) fn end(child: &mut Child) {
    let _gone = child.kill();
    let _reaped = child.wait();
}

/// Runs work, and waits at most so long. The work cannot be ended: it continues, and nobody waits for it.
pub(super) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (sender, done) = channel();
    thread::spawn(move || sender.send(work()));
    done.recv_timeout(limit).map_err(|_timeout| format!("no answer in {} s", limit.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let mut sleep = Command::new("sleep");
        sleep.arg("600");
        let said = run(sleep, Duration::from_millis(10));
        assert!(said.err().unwrap().contains("sleep took longer"));
        let mut echo = Command::new("sh");
        echo.args(["-c", "echo a; echo b >&2; echo c >&2; exit 3"]);
        let said = run(echo, Duration::from_secs(60)).ok().unwrap();
        assert_eq!((said.out.as_slice(), said.error.as_str()), (&b"a\n"[..], "c"));
        assert_eq!(said.status.code(), Some(3));
        assert!(run(Command::new("no-such-program"), Duration::from_secs(60)).is_err());
    }

    #[test]
    fn work_that_does_not_end_is_not_waited_for() {
        assert_eq!(within(Duration::from_secs(60), || 7), Ok(7));
        let (sender, never) = channel::<()>();
        let late = within(Duration::from_millis(10), move || never.recv().is_ok());
        assert!(late.is_err());
        drop(sender);
    }
}
