//! Rows about strings that look like secrets, in the tree and in the history.

mod allowlist;
mod archive;
mod dump;
mod entropy;
mod escapes;
pub(super) mod git;
mod history;
mod known_secrets;
mod scan;
mod tree;

use std::path::Path;

use writegate::Secret;
use writegate::Token;
use writegate::config::Config;
use writegate::derive_sk;

use self::allowlist::Allowlist;
use self::known_secrets::KnownSecrets;
use self::scan::Hit;
pub(super) use self::scan::Scanner;
use super::local::{Local, PREVIOUS_ROOT, ROOT};
use super::row::{Verdict, listed};
use crate::utf16;

/// In a longer file, and in a binary one, the check looks only for the secrets of this machine.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// A longer object of the history is skipped, because an object is in memory as a whole.
const MAX_OBJECT: u64 = 256 * 1024 * 1024;
/// Most findings that are reported.
const TOLD: usize = 20;

/// The counts of a search, and its findings.
#[derive(Default)]
struct Looked {
    files: usize,
    binary: usize,
    large: usize,
    too_large: usize,
    accepted: usize,
    /// Folders that are repositories of their own, as submodules are.
    repositories: Vec<String>,
    /// The parts that could not be read, with the reasons.
    unread: Vec<String>,
    found: Vec<String>,
    /// At least one finding can be allowed in `.writegate-ignore`.
    doubtful: bool,
}

impl Looked {
    fn count(&mut self, scanner: &Scanner, content: &[u8]) -> (Vec<Hit>, usize) {
        self.files += 1;
        let unpacked = archive::gunzipped(content);
        let content = unpacked.as_deref().unwrap_or(content);
        let mut members = Vec::new();
        for member in archive::unzipped(content) {
            let (hits, accepted) = match Scanner::is_binary(&member) {
                true => (scanner.known(&member), 0),
                false => scanner.scan(&member),
            };
            self.accepted += accepted;
            let packed =
                |hit: Hit| Hit { kind: format!("{}, in a file of a ZIP file", hit.kind), ..hit };
            for hit in hits.into_iter().map(packed) {
                // What deflating made no shorter is in its packed form, too.
                if !members.contains(&hit) {
                    members.push(hit);
                }
            }
        }
        let (mut hits, accepted) = self.count_plain(scanner, content);
        hits.extend(members);
        (hits, accepted)
    }

    fn count_plain(&mut self, scanner: &Scanner, content: &[u8]) -> (Vec<Hit>, usize) {
        // As PowerShell writes.
        let decoded = utf16::decoded(content).map(String::into_bytes);
        let content = decoded.as_deref().unwrap_or(content);
        let is_long = u64::try_from(content.len()).is_ok_and(|length| length > MAX_BYTES);
        if is_long || Scanner::is_binary(content) {
            self.binary += usize::from(!is_long);
            self.large += usize::from(is_long);
            return (scanner.known(content), 0);
        }
        let (hits, accepted) = scanner.scan(content);
        self.accepted += accepted;
        (hits, accepted)
    }

    fn at(&mut self, scanner: &Scanner, content: &[u8], place: impl Fn(&Hit) -> String) {
        let (hits, _) = self.count(scanner, content);
        for hit in hits {
            self.hit(&place(&hit), &hit);
        }
    }

    fn hit(&mut self, place: &str, hit: &Hit) {
        let mark = hit.mark.as_ref().map(|mark| format!(" ({mark})"));
        self.doubtful |= mark.is_some();
        self.found.push(format!("{place} {}{}", hit.kind, mark.unwrap_or_default()));
    }

    fn verdict(&self, where_to: &str, what: &str, hint: &str) -> Verdict {
        let mut seen = format!("{} {what} searched", self.files);
        let mut not = Vec::new();
        for (count, kind) in [(self.binary, "binary"), (self.large, "over 4 MiB")] {
            if count > 0 {
                not.push(format!("{count} {kind}"));
            }
        }
        if !not.is_empty() {
            seen.push_str(&format!(" (for this machine's secrets only: {})", not.join(", ")));
        }
        if self.accepted > 0 {
            seen.push_str(&format!(", {} accepted by {}", self.accepted, allowlist::FILE));
        }
        if self.too_large > 0 {
            seen.push_str(&format!(", {} over 256 MiB not", self.too_large));
        }
        if !self.repositories.is_empty() {
            let names = listed(&self.repositories, 4);
            seen.push_str(&format!(", not the repositories in it: {names}"));
        }
        if !self.found.is_empty() {
            let mut hint = hint.to_owned();
            if self.doubtful {
                hint.push_str(&format!(
                    "; if it is not a secret, or no longer valid, add the 16 digits in brackets to \
                    {}, with # and the reason",
                    allowlist::FILE
                ));
            }
            let found = listed(&self.found, TOLD);
            return Verdict::fail(
                format!("{} in {where_to}: {found}; {seen}", self.found.len()),
                hint,
            );
        }
        if !self.unread.is_empty() {
            return Verdict::warn(
                format!("nothing found, but {}; {seen}", listed(&self.unread, 4)),
                "run this in a complete clone (git fetch --unshallow; in GitHub Actions \
                fetch-depth: 0)",
            );
        }
        Verdict::ok(format!("nothing in {where_to}: {seen}"))
    }
}

/// Returns a scanner that knows the secrets of this machine, by their names.
pub(super) fn scanner(
    checkout: &Path,
    local: &Local,
    config: Option<&Config>,
) -> Result<Scanner, String> {
    let allowlist = Allowlist::read(checkout)?;
    let mut secrets: Vec<(String, Secret)> = Vec::new();
    for (name, secret) in local.all() {
        let what = format!("the value of {name}");
        // Of an envelope the token, of a user's or an email's the password as well.
        if let Ok(token) = Token::parse(secret) {
            let text = token.value.expose_str().unwrap_or_default();
            if let Some((_, password)) = text.split_once(':') {
                secrets.push((what.clone(), Secret::new(password)));
            }
            secrets.push((what.clone(), token.value));
        }
        secrets.push((what, secret.clone()));
    }
    let keys = config.into_iter().flat_map(|config| config.keys.values());
    for key in keys.map(|known| known.key()) {
        for root in [ROOT, PREVIOUS_ROOT].iter().filter_map(|name| local.get(name)) {
            let sk = derive_sk(root, &key.id, key.version);
            secrets.push((format!("the sk of {}", key.id), sk));
        }
    }
    secrets.sort_by(|(one, a), (other, b)| (one, a.expose()).cmp(&(other, b.expose())));
    secrets.dedup_by(|(_, a), (_, b)| a.expose() == b.expose());
    Ok(Scanner::new(KnownSecrets::new(secrets), allowlist))
}

pub(super) fn in_tree(checkout: &Path, scanner: &Scanner) -> Verdict {
    let looked = git::work_tree(checkout).and_then(|()| tree::look(checkout, scanner));
    verdict_of(looked, |looked| {
        looked.verdict(
            "the tree",
            "files",
            "replace it where it was issued, then remove it from the file",
        )
    })
}

pub(super) fn in_history(checkout: &Path, scanner: &Scanner, note: impl Fn(String)) -> Verdict {
    let looked = git::work_tree(checkout).and_then(|()| history::look(checkout, scanner, note));
    verdict_of(looked, |looked| {
        looked.verdict(
            "the history",
            "objects of all refs",
            "replace it where it was issued, because every clone keeps it, even if you remove it \
            from the history",
        )
    })
}

fn verdict_of(looked: Result<Looked, String>, verdict: impl FnOnce(&Looked) -> Verdict) -> Verdict {
    match looked {
        Ok(looked) => verdict(&looked),
        Err(why) => Verdict::warn(
            format!("could not search: {why}"),
            "in a new folder, run `git init`; otherwise run this in the gate's repository, with git installed",
        ),
    }
}

/// Returns the row for a scanner that cannot be made.
pub(super) fn unusable(why: &str) -> Verdict {
    Verdict::warn(format!("could not search: {why}"), format!("fix {}", allowlist::FILE))
}
