//! Programs that are not ours: started, read line by line, and ended politely. Python's packages come into a virtual
//! environment, npm's into a folder, both below Cargo's target folder.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::Value;

use crate::process::{root, scratch};
use crate::upstream::PATIENCE;

/// Packages for the tests of Datasette and of foreign clients; pinned, because a test must not change by itself.
const PYTHON_PACKAGES: [&str; 4] =
    ["datasette==1.0a41", "PyJWT==2.15.1", "http-message-signatures==3.0.0", "requests==2.34.2"];

/// A running program.
pub struct Program {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Program {
    /// Starts it and follows what it prints.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        follow(child.stdout.take().unwrap(), sender.clone());
        follow(child.stderr.take().unwrap(), sender);
        Self { child, lines, said: Vec::new() }
    }

    /// Waits, within bounds, for a line that holds this text, and returns it.
    pub fn until(&mut self, text: &str, patience: Duration) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(patience) else {
                panic!("no line with {text:?}: {:#?}", self.said);
            };
            self.said.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A polite signal, so that it ends its own children too; its pipes are at their end once all of them are gone.
        let _asked = Command::new("kill").arg(self.child.id().to_string()).status();
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn follow(input: impl Read + Send + 'static, lines: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(input).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
}

/// Returns the port in a line such as `Ready on http://127.0.0.1:40123 (…)`.
pub fn port_in(line: &str) -> u16 {
    let rest = line.split("127.0.0.1:").nth(1).expect("an address on loopback");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// The end of a program: its exit code, and what it printed.
#[derive(Debug)]
pub struct Done {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Done {
    /// Runs a program to its end.
    pub fn of(command: &mut Command) -> Self {
        Self::new(command.output().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Runs a program to its end with this input, which it need not read.
    pub fn fed(command: &mut Command, input: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let _read_or_not = child.stdin.take().unwrap().write_all(input.as_bytes());
        Self::new(child.wait_with_output().unwrap())
    }

    fn new(Output { status, stdout, stderr }: Output) -> Self {
        let [out, err] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
        Self { code: status.code(), out, err }
    }

    /// Returns what it printed on standard output, and asserts that it succeeded.
    #[track_caller]
    pub fn succeeded(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// Returns its output, JSON in each line, and asserts that it succeeded.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Asserts that it ended with this code and these words in its last line.
    #[track_caller]
    pub fn ended(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        let last = self.err.lines().last().unwrap_or_default();
        for word in words {
            assert!(last.contains(word), "{word} in {}", self.err);
        }
    }

    /// Asserts that it ended so, with nothing on standard output.
    #[track_caller]
    pub fn refused(&self, code: i32, words: &[&str]) {
        self.ended(code, words);
        assert_eq!(self.out, "");
    }

    /// Asserts that it failed with this code and one line that holds all of these.
    #[track_caller]
    pub fn failed(&self, code: i32, words: &[&str]) {
        self.refused(code, words);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
    }
}

/// Runs a program to its end with this input, and returns what it printed.
#[track_caller]
pub fn run(command: &mut Command, input: &str) -> String {
    Done::fed(command, input).succeeded().trim().to_owned()
}

/// Returns true if these programs are there, which nothing of ours installs; else prints a line that says so. On CI
/// that is a failure.
pub fn found(programs: &[&str], test: &str) -> bool {
    let runs = |program: &&str| {
        let version = Command::new(program).arg("--version").output();
        version.is_ok()
    };
    match programs.iter().find(|program| !runs(program)) {
        None => true,
        Some(missing) => {
            skip(test, missing);
            false
        }
    }
}

/// Returns where the first of these programs is, by name on `PATH` or by path; else prints a line that says that none
/// is there. On CI that is a failure.
pub fn first_of(programs: &[&str], test: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let mut places = programs.iter().flat_map(|name| folders.iter().map(move |at| at.join(name)));
    let there = places.find(|place| place.is_file());
    if there.is_none() {
        skip(test, &programs.join(" or "));
    }
    there
}

fn skip(test: &str, missing: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI needs {missing} for {test}");
    // The macros' output is shown only for tests that fail.
    let _told = writeln!(std::io::stderr(), "skipped {test}: there is no {missing} here");
}

/// Returns the folder with the virtual environment's programs; `None`, and a line that says so, where there is no
/// Python. On CI that is a failure.
pub fn python(test: &str) -> Option<PathBuf> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let usable = Command::new("python3").args(["-c", "import venv, ensurepip"]).output();
        usable.is_ok_and(|output| output.status.success()).then(make_venv)
    });
    if made.is_none() {
        skip(test, "python3 with venv");
    }
    made.clone()
}

fn make_venv() -> PathBuf {
    let venv = scratch("python");
    let (programs, marker) = (venv.join("bin"), venv.join("complete"));
    let wanted = PYTHON_PACKAGES.join("\n");
    if std::fs::read_to_string(&marker).is_ok_and(|made| made == wanted) {
        return programs;
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv), "");
    run(
        Command::new(programs.join("python"))
            .args(["-m", "pip", "install", "--quiet"])
            .args(PYTHON_PACKAGES),
        "",
    );
    std::fs::write(marker, wanted).unwrap();
    programs
}

/// Returns the folder with the test's own npm packages, installed as its lock says.
pub fn npm() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let (from, folder) = (root().join("testkit"), scratch("npm"));
        let mut current = folder.join("node_modules").is_dir();
        for name in ["package.json", "package-lock.json"] {
            let wanted = std::fs::read(from.join(name)).unwrap();
            current &= std::fs::read(folder.join(name)).is_ok_and(|there| there == wanted);
            std::fs::write(folder.join(name), wanted).unwrap();
        }
        if !current {
            run(
                Command::new("npm")
                    .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
                    .current_dir(&folder),
                "",
            );
        }
        folder
    })
}
