//! A rotation under way, and what became of it.

use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use testkit::poll::poll;
use testkit::upstream::PATIENCE;

use crate::rotate_stage::Stage;

/// The end of a run.
pub(crate) struct Done {
    /// `None` where it was killed.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) calls: Vec<String>,
}

impl Done {
    #[track_caller]
    pub(crate) fn is(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        let last = self.err.lines().last().unwrap_or_default();
        for word in words {
            assert!(last.contains(word), "{word} in {}", self.err);
        }
        self
    }

    /// Returns what `--json` printed.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }

    /// Returns the numbers of the reported steps, in order.
    pub(crate) fn steps(&self) -> Vec<u32> {
        let number = |line: &str| {
            let (number, _) = line.strip_prefix("writegate: ")?.split_once("/8 ")?;
            number.parse().ok()
        };
        self.err.lines().filter_map(number).collect()
    }

    /// Returns the number of calls that begin so.
    pub(crate) fn called(&self, start: &str) -> usize {
        self.calls.iter().filter(|call| call.starts_with(start)).count()
    }
}

/// A run under way.
pub(crate) struct Running {
    child: Arc<Mutex<Child>>,
    output: PathBuf,
}

impl Running {
    pub(crate) fn of(child: Arc<Mutex<Child>>, output: PathBuf) -> Self {
        Self { child, output }
    }

    /// Waits until it has told this on standard error.
    pub(crate) fn until_printed(&self, words: &str) {
        poll(PATIENCE * 2, || {
            let shown = fs::read_to_string(self.output.with_extension("err")).unwrap();
            match shown.contains(words) {
                true => Ok(()),
                false => Err(shown),
            }
        });
    }

    pub(crate) fn kill(&self) {
        self.child.lock().unwrap().kill().unwrap();
    }

    pub(crate) fn end(self, stage: &Stage) -> Done {
        let status = poll(PATIENCE * 4, || {
            let ended = self.child.lock().unwrap().try_wait().unwrap();
            ended.ok_or_else(|| "it still runs".to_owned())
        });
        let read = |name: &str| {
            let file = self.output.with_extension(name);
            let text = fs::read_to_string(&file).unwrap();
            fs::remove_file(file).unwrap();
            text
        };
        let done = Done {
            code: status.code(),
            out: read("out"),
            err: read("err"),
            calls: stage.cloud.world.points.calls(),
        };
        let values = stage.tokens().values.clone();
        for text in [&done.out, &done.err] {
            stage.holds_no_secret("what it printed", text, &values);
        }
        done
    }
}
