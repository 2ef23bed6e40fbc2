//! Everything that git has stored: all blobs of all refs and of the index, each once, the names of files, and the messages
//! of commits and tags.
//!
//! Two programs in a row: one lists the objects, the other prints them. At no time is more than one object in memory.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use super::scan::{Hit, Scanner};
use super::{Looked, MAX_OBJECT, git};
use crate::process;

/// The longest time for the whole search.
const LIMIT: Duration = Duration::from_secs(300);
/// The number of objects after which a line reports the progress.
const STEP: usize = 20_000;
/// The number of findings whose commit is looked up, because each look-up walks the whole history once more.
const COMMITS: usize = 5;

/// An object to search, with its path unless it is a message.
#[derive(Clone)]
struct Object {
    id: String,
    kind: String,
    path: String,
}

/// An answer of git.
enum Answer {
    Object(Object, Vec<u8>),
    /// The object is too long to be searched.
    Large,
    /// The clone lacks the object.
    Missing,
}

pub(super) fn look(
    checkout: &Path,
    scanner: &Scanner,
    note: impl Fn(String),
) -> Result<Looked, String> {
    let mut programs = Programs::start(checkout)?;
    let end = Instant::now() + LIMIT;
    let (mut looked, mut hits, mut missing) = (Looked::default(), Vec::new(), 0);
    let broken = loop {
        if Instant::now() > end {
            let seconds = LIMIT.as_secs();
            let done = looked.files;
            break Some(format!("the search stopped after {seconds} s and {done} objects"));
        }
        match programs.next() {
            Ok(Some(Answer::Object(object, content))) => {
                look_at(&object, &content, scanner, &mut looked, &mut hits);
                if object.kind != "tree" && looked.files.is_multiple_of(STEP) {
                    note(format!("the history: {} objects", looked.files));
                }
            }
            Ok(Some(Answer::Large)) => looked.too_large += 1,
            Ok(Some(Answer::Missing)) => missing += 1,
            Ok(None) => break None,
            Err(_) => break Some(format!("git stopped after {} objects", looked.files)),
        }
    };
    let is_well = programs.end(broken.is_none());
    if missing > 0 {
        looked.unread.push(format!("{missing} objects are not in this clone"));
    }
    // The findings so far are still reported.
    let unlisted = || "git did not list every object of the history".to_owned();
    looked.unread.extend(broken.or_else(|| (!is_well).then(unlisted)));
    if git::read(checkout, &["rev-parse", "--is-shallow-repository"])?.starts_with(b"true") {
        looked.unread.push("this clone is shallow: older commits are not here".to_owned());
    }
    let refs = git::read(checkout, &["for-each-ref", "--format=%(refname)"])?;
    for hit in scanner.known(&refs) {
        // The name would repeat it.
        looked.hit("the name of a branch or tag:", &hit);
    }
    for (index, (object, hit)) in hits.into_iter().enumerate() {
        let commit = (index < COMMITS).then(|| commit_of(checkout, &object)).flatten();
        looked.hit(&place(&object, commit.as_deref(), &hit), &hit);
    }
    Ok(looked)
}

fn place(object: &Object, commit: Option<&str>, hit: &Hit) -> String {
    let short = object.id.get(..12).unwrap_or(&object.id);
    match (object.kind.as_str(), commit) {
        ("blob", Some(commit)) => format!("{commit}:{}:{}", object.path, hit.line),
        ("tree", None) => format!("tree {short}:{}", object.path),
        ("blob", None) => format!("blob {short}:{}:{}", object.path, hit.line),
        (kind, _) => format!("the message of {kind} {short}"),
    }
}

/// Returns the commit that brought a blob: the first of those that changed how often it is there.
fn commit_of(checkout: &Path, object: &Object) -> Option<String> {
    if object.kind != "blob" {
        return None;
    }
    let find = format!("--find-object={}", object.id);
    let commits = git::read(checkout, &["log", "--all", "--format=%h", &find]).ok()?;
    let commits = String::from_utf8_lossy(&commits).into_owned();
    commits.lines().last().map(str::to_owned)
}

/// Looks for secrets in an object, and in its name.
fn look_at(
    object: &Object,
    content: &[u8],
    scanner: &Scanner,
    looked: &mut Looked,
    hits: &mut Vec<(Object, Hit)>,
) {
    // A blob is listed with one of its names, a tree has all of a folder's.
    let named = Object { path: "a file's name".to_owned(), ..object.clone() };
    let is_tree = object.kind == "tree";
    for hit in scanner.known(if is_tree { content } else { object.path.as_bytes() }) {
        let is_known =
            |(other, known): &(Object, Hit)| other.path == named.path && known.kind == hit.kind;
        if !hits.iter().any(is_known) {
            hits.push((named.clone(), hit));
        }
    }
    if !is_tree {
        let (found, _) = looked.count(scanner, content);
        hits.extend(found.into_iter().map(|hit| (object.clone(), hit)));
    }
}

struct Programs {
    children: [Child; 2],
    answers: BufReader<ChildStdout>,
}

impl Programs {
    fn start(checkout: &Path) -> Result<Self, String> {
        let start = |arguments: &[&str], input: Stdio| -> Result<(Child, ChildStdout), String> {
            let mut git = git::command(checkout, arguments);
            git.stdin(input).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = git.spawn().map_err(|error| format!("git: {error}"))?;
            let output = child.stdout.take().ok_or("git has no output")?;
            Ok((child, output))
        };
        let all = ["rev-list", "--objects", "--missing=print", "--all", "--indexed-objects"];
        let (list, listed) = start(&all, Stdio::null())?;
        let format = "--batch=%(objecttype) %(objectname) %(objectsize) %(rest)";
        let (print, printed) = start(&["cat-file", "--buffer", format], listed.into())?;
        Ok(Self { children: [list, print], answers: BufReader::new(printed) })
    }

    /// Returns the next answer: a line, and behind that of an object its bytes and a line break.
    fn next(&mut self) -> io::Result<Option<Answer>> {
        let mut line = Vec::new();
        if self.answers.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let mut parts = line.trim_end_matches('\n').splitn(4, ' ');
        let mut part = || parts.next().unwrap_or_default().to_owned();
        let (kind, id) = (part(), part());
        // The list has it as `?<id>`, and of that there is no object.
        if id == "missing" {
            return Ok(Some(Answer::Missing));
        }
        let size: u64 = part().parse().map_err(io::Error::other)?;
        let mut bytes = self.answers.by_ref().take(size.saturating_add(1));
        if size > MAX_OBJECT {
            io::copy(&mut bytes, &mut io::sink())?;
            return Ok(Some(Answer::Large));
        }
        let mut content = Vec::new();
        if u64::try_from(bytes.read_to_end(&mut content)?).ok() != Some(size.saturating_add(1)) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        content.pop();
        Ok(Some(Answer::Object(Object { id, kind, path: part() }, content)))
    }

    /// Ends both programs, by force unless everything was read. Returns true if they completed their work.
    fn end(self, whole: bool) -> bool {
        // A thread that still writes to it stops.
        drop(self.answers);
        let ends = self.children.map(|mut child| match whole {
            true => child.wait().is_ok_and(|status| status.success()),
            false => {
                process::end(&mut child);
                true
            }
        });
        ends == [true, true]
    }
}
