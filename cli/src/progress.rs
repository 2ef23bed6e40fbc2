//! Progress of long steps, with their duration, and the whole output of a program that failed.

use std::io::{self, BufRead, BufReader, IsTerminal};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::{Context, Error, Result};

/// The spinners of steps that run beside each other.
static SPINNERS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Prints something while no spinner is drawn.
pub(crate) fn undisturbed(print: impl FnOnce()) {
    SPINNERS.suspend(print);
}

/// Reports on standard error: a spinner on a terminal, plain lines elsewhere.
pub(crate) struct Progress {
    terminal: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { terminal: io::stderr().is_terminal() }
    }

    /// Prints a line of its own.
    pub(crate) fn note(&self, text: &str) {
        undisturbed(|| eprintln!("writegate: {text}"));
    }

    /// Shows how many of `total` things are done.
    pub(crate) fn count(&self, title: &str, total: usize) -> Count {
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        let bar = if self.terminal {
            let bar = ProgressBar::new(total);
            if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len}") {
                bar.set_style(style);
            }
            bar.set_prefix(title.to_owned());
            bar
        } else {
            ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden())
        };
        Count { bar, title: title.to_owned() }
    }

    /// Shows `title` while the commands of `work` run.
    pub(crate) fn step<T>(&self, title: &str, work: impl FnOnce(&Step) -> Result<T>) -> Result<T> {
        let bar = if self.terminal {
            let bar = SPINNERS.add(ProgressBar::new_spinner());
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}")
            {
                bar.set_style(style);
            }
            bar.set_prefix(title.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        } else {
            self.note(&format!("{title} …"));
            ProgressBar::hidden()
        };
        let begun = Instant::now();
        let result = work(&Step { bar: bar.clone() });
        bar.finish_and_clear();
        if result.is_ok() {
            self.note(&format!("{title}: done in {} s", begun.elapsed().as_secs()));
        }
        result
    }
}

/// A counter of completed items.
pub(crate) struct Count {
    bar: ProgressBar,
    title: String,
}

impl Count {
    /// Counts more items as done.
    pub(crate) fn more(&self, done: usize) {
        self.bar.inc(u64::try_from(done).unwrap_or(u64::MAX));
        if let (true, Some(total)) = (self.bar.is_hidden(), self.bar.length()) {
            eprintln!("writegate: {}: {} of {total}", self.title, self.bar.position());
        }
    }

    /// Prints something on standard output, which may be the same terminal.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A step under way.
pub(crate) struct Step {
    bar: ProgressBar,
}

impl Step {
    /// Runs a command to its end, and shows its newest line. An error holds the whole output.
    pub(crate) fn run(&self, mut command: Command) -> Result<()> {
        let name = command.get_program().to_string_lossy().into_owned();
        let running = || format!("running {name}");
        // One pipe for both streams, so that the lines stay in order.
        let (reader, writer) = io::pipe().context(running())?;
        let second = writer.try_clone().context(running())?;
        command.stdin(Stdio::null()).stdout(writer).stderr(second);
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let what = if name.starts_with("npm") { "Node.js, which brings it" } else { "it" };
                Error::new(format!("{}: it is not on PATH: install {what}", running()))
            }
            _ => Error::new(format!("{}: {error}", running())),
        })?;
        // Otherwise this process would hold the other end of the pipe open.
        drop(command);

        let mut output = String::new();
        let mut line = Vec::new();
        let mut reader = BufReader::new(reader);
        while reader.read_until(b'\n', &mut line).context(running())? > 0 {
            let text = String::from_utf8_lossy(&line);
            self.bar.set_message(text.trim().to_owned());
            output.push_str(&text);
            line.clear();
        }
        let status = child.wait().context(running())?;
        self.bar.set_message("");
        if status.success() {
            Ok(())
        } else {
            Err(Error::new(format!("{name} failed ({status})")).with_output(output))
        }
    }
}

/// Returns the output of a short command, if it runs and succeeds.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let done = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(done.stdout).ok()?;
    done.status.success().then(|| text.trim().to_owned())
}
