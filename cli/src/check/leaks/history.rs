//! Everything that git ever took: all blobs of all refs and of the index, each once, the names of files, and the messages
//! of commits and tags.
//!
//! Three programs in a row: one lists the objects, one prints their kind and size, one prints those that
//! are wanted. At no time is more than one object in memory.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::super::process;
use super::scan::{Hit, Scanner};
use super::{Looked, MAX_OBJECT, git};

/// Longest for all of it.
const LIMIT: Duration = Duration::from_secs(300);
/// After so many objects a line says how far it is.
const STEP: usize = 20_000;
/// Of so many findings the commit is looked up, each of which walks the whole history once more.
const COMMITS: usize = 5;

/// An object that is wanted: what it is called where it is not a message.
#[derive(Clone)]
struct Object {
    id: String,
    kind: String,
    path: String,
}

/// The number of objects that are too large, and of those that the clone does not have.
#[derive(Default)]
struct Left {
    large: usize,
    missing: usize,
}

pub(super) fn look(
    checkout: &Path,
    scanner: &Scanner,
    note: impl Fn(String),
) -> Result<Looked, String> {
    let mut programs = Programs::start(checkout)?;
    let (mut looked, hits) = programs.read(scanner, &note);
    let whole = looked.unread.is_empty();
    match programs.end(whole) {
        Some(left) => {
            looked.too_large = left.large;
            if left.missing > 0 {
                let missing = format!("{} objects are not in this clone", left.missing);
                looked.unread.push(missing);
            }
        }
        // The findings are reported all the same.
        None => looked.unread.push("git did not list every object of the history".to_owned()),
    }
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

struct Programs {
    children: Vec<Child>,
    contents: BufReader<ChildStdout>,
    objects: Receiver<Object>,
    chooser: JoinHandle<Option<Left>>,
}

impl Programs {
    fn start(checkout: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("git: {error}");
        let mut list = git::command(
            checkout,
            &["rev-list", "--objects", "--missing=print", "--all", "--indexed-objects"],
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
        let listed = list.stdout.take().ok_or("git rev-list has no output")?;
        let format = "--batch-check=%(objecttype) %(objectname) %(objectsize) %(rest)";
        let mut sizes = git::command(checkout, &["cat-file", format])
            .stdin(listed)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let mut contents = git::command(checkout, &["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let sized = sizes.stdout.take().ok_or("git cat-file has no output")?;
        let wanted = contents.stdin.take().ok_or("git cat-file has no input")?;
        let given = contents.stdout.take().ok_or("git cat-file has no output")?;
        let (sender, objects) = sync_channel(1024);
        Ok(Self {
            children: vec![list, sizes, contents],
            contents: BufReader::new(given),
            objects,
            chooser: thread::spawn(move || choose(sized, wanted, &sender)),
        })
    }

    /// Looks at every object that was chosen.
    fn read(&mut self, scanner: &Scanner, note: &impl Fn(String)) -> (Looked, Vec<(Object, Hit)>) {
        let end = Instant::now() + LIMIT;
        let (mut looked, mut hits) = (Looked::default(), Vec::new());
        while let Ok(object) = self.objects.recv() {
            if Instant::now() > end {
                let done = looked.files;
                looked.unread.push(format!(
                    "after {} s and {done} objects it was broken off",
                    LIMIT.as_secs()
                ));
                break;
            }
            let Some(content) = self.content() else {
                let done = looked.files;
                looked.unread.push(format!("git broke off after {done} objects"));
                break;
            };
            // A blob is listed with one of its names, a tree has all of a folder's.
            let named = Object { path: "a file's name".to_owned(), ..object.clone() };
            let in_names = match object.kind.as_str() {
                "tree" => scanner.known(&content),
                _ => scanner.known(object.path.as_bytes()),
            };
            for hit in in_names {
                if hits.iter().all(|(other, known): &(Object, Hit)| {
                    other.path != named.path || known.kind != hit.kind
                }) {
                    hits.push((named.clone(), hit));
                }
            }
            if object.kind == "tree" {
                continue;
            }
            let (found, _) = looked.count(scanner, &content);
            if looked.files.is_multiple_of(STEP) {
                note(format!("the history: {} objects", looked.files));
            }
            hits.extend(found.into_iter().map(|hit| (object.clone(), hit)));
        }
        (looked, hits)
    }

    /// Returns the next object: a head line with its size, its bytes, and a line break.
    fn content(&mut self) -> Option<Vec<u8>> {
        let mut head = String::new();
        self.contents.read_line(&mut head).ok()?;
        let size = head.trim_end().rsplit(' ').next()?.parse::<u64>().ok()?;
        let mut content = Vec::new();
        let whole = size.checked_add(1)?;
        self.contents.by_ref().take(whole).read_to_end(&mut content).ok()?;
        content.pop()?;
        (u64::try_from(content.len()).ok()? == size).then_some(content)
    }

    /// Ends all of it; what was left out, if git listed everything. Where not everything was read, the
    /// programs are ended by force.
    fn end(mut self, whole: bool) -> Option<Left> {
        // Whoever still writes to it stops.
        drop(self.objects);
        drop(self.contents);
        let mut well = true;
        for child in &mut self.children {
            if whole {
                well &= child.wait().is_ok_and(|status| status.success());
            } else {
                process::end(child);
            }
        }
        self.chooser.join().ok().flatten().filter(|_| well)
    }
}

/// Requests every object that is not too long, in the order in which they are listed.
fn choose(sized: ChildStdout, mut wanted: ChildStdin, shown: &SyncSender<Object>) -> Option<Left> {
    let mut left = Left::default();
    for line in BufReader::new(sized).split(b'\n') {
        let line = line.ok()?;
        let line = String::from_utf8_lossy(&line);
        let mut parts = line.splitn(4, ' ');
        let (kind, id) = (parts.next()?, parts.next()?);
        // The list has it as `?<id>`, and of that there is no object.
        if id == "missing" {
            left.missing += 1;
            continue;
        }
        let size: u64 = parts.next()?.parse().ok()?;
        match kind {
            _ if size > MAX_OBJECT => {
                left.large += 1;
                continue;
            }
            _ => {}
        }
        let object = Object {
            id: id.to_owned(),
            kind: kind.to_owned(),
            path: parts.next().unwrap_or_default().to_owned(),
        };
        // Announced before it is requested, so that the reader of the answer knows whose it is.
        let asked = format!("{id}\n");
        if shown.send(object).is_err() || wanted.write_all(asked.as_bytes()).is_err() {
            // Nobody waits for more.
            return Some(left);
        }
    }
    Some(left)
}
