//! The pages point to what exists: the tests that hold a claim, other pages and their headings, the codes of refusals.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const PAGES: [&str; 3] = ["security.md", "invariants.md", "code-map.md"];

/// Reads every file of Rust and JavaScript below a folder: its text by its path.
fn files(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.extension().and_then(|kind| kind.to_str());
        if path.is_dir() {
            files(&path, found);
        } else if matches!(kind, Some("rs" | "js")) {
            let text = fs::read_to_string(&path).unwrap();
            found.insert(path.to_string_lossy().into_owned(), text);
        }
    }
}

/// Returns the texts between backticks on a page.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2)
}

/// Returns true if some file has this item, and is the module of this name or about the type of this name.
fn has_member(all: &BTreeMap<String, String>, owner: &str, member: &str) -> bool {
    all.iter().any(|(path, text)| {
        let is_module =
            path.contains(&format!("/{owner}.")) || path.contains(&format!("/{owner}/"));
        let is_type = text.contains(&format!("struct {owner}"))
            || text.contains(&format!("{owner}<"))
            || text.contains(&format!("impl {owner} "));
        let is_item = ["fn", "const", "struct", "enum"].iter().any(|kind| {
            let item = format!("{kind} {member}");
            text.match_indices(&item)
                .any(|(at, _)| !text[at + item.len()..].starts_with(is_of_a_word))
        });
        (is_module || is_type) && is_item
    })
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn every_file_test_and_item_that_a_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = BTreeMap::new();
    for folder in ["src", "cli", "testkit", "tests", "bench", "console", "public"] {
        files(&root.join(folder), &mut all);
    }
    let mut missing = Vec::new();
    let mut named = 0;
    for page in PAGES {
        let text = fs::read_to_string(root.join("docs").join(page)).unwrap();
        let holds = |end: &str, test: &str| {
            // security.md names tests; a file of `src/` is there by its whole path.
            let is_whole = end.is_empty() || end.starts_with("/src/") || page != "security.md";
            let is_meant = |path: &str| is_whole || !path.contains("/src/");
            let mut found = all.iter().filter(|(path, _)| path.ends_with(end) && is_meant(path));
            found.any(|(_, text)| test.is_empty() || text.contains(&format!("fn {test}(")))
        };
        for name in text.lines().flat_map(quoted) {
            let (file, test) = name.split_once(": ").unwrap_or((name, ""));
            let is_file = file.ends_with(".rs") || file.ends_with(".js");
            // Behind a file, the name of another test of it.
            let is_test = page == "security.md" && name.matches('_').count() > 2;
            let member = name.split_once("::").filter(|(_, member)| !member.contains(['(', ' ']));
            let is_there = match (is_file, is_test, member) {
                (true, _, _) if file.contains(['{', '*', ' ']) => continue,
                (true, _, _) => holds(&format!("/{file}"), test),
                (false, true, _) => holds("", name),
                (false, false, Some((owner, member))) => has_member(&all, owner, member),
                (false, false, None) => continue,
            };
            named += 1;
            if !is_there {
                missing.push(format!("{page}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(named > 200, "{named} names were found");
}

/// Returns every page: the README, the folder `docs`, and the pages beside test data.
fn pages(root: &Path) -> Vec<PathBuf> {
    let mut folders = vec![root.join("docs"), root.join("tests/vectors")];
    let mut pages = vec![root.join("README.md")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// Returns the lines of a page that are not inside a fence.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence
    })
}

/// Returns the anchors of a page's headings, by GitHub's rule: lower case, without punctuation, `-` for a space.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = prose(page).filter_map(|line| {
        let (marks, heading) = line.split_once(' ')?;
        (!marks.is_empty() && marks.bytes().all(|byte| byte == b'#')).then_some(heading)
    });
    let slug = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
    };
    let mut anchors = BTreeSet::new();
    for heading in headings {
        let anchor: String = slug(heading);
        assert!(anchors.insert(anchor), "two headings are {heading:?}");
    }
    anchors
}

/// Returns true if this file exists and has this anchor, or none is asked for.
fn leads_somewhere(file: &Path, anchor: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    file.exists() && (anchor.is_empty() || anchors(&text).contains(anchor))
}

#[test]
fn every_link_leads_to_a_page_and_a_heading() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut broken = Vec::new();
    let mut links = 0;
    for page in pages(root) {
        let text = fs::read_to_string(&page).unwrap();
        let targets = prose(&text).flat_map(|line| line.split("](").skip(1));
        for target in targets.map(|rest| rest.split_once(')').expect("the link ends").0) {
            if target.starts_with("https://") {
                continue;
            }
            links += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { page.clone() } else { page.with_file_name(file) };
            if !leads_somewhere(&file, anchor) {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(links > 100, "{links} links were found");
}

/// Comments and messages name a page, and perhaps a heading of it.
#[test]
fn every_page_that_code_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = BTreeMap::new();
    for folder in ["src", "cli", "testkit", "tests", "bench"].map(|folder| root.join(folder)) {
        if folder.exists() {
            files(&folder, &mut all);
        }
    }
    let mut broken = Vec::new();
    for (path, text) in &all {
        for rest in text.split("docs/").skip(1) {
            let is_name = |c: char| c.is_ascii_alphanumeric() || "-_./#".contains(c);
            let name = rest.split(|c| !is_name(c)).next().unwrap_or_default();
            let name = name.trim_end_matches('.');
            let (file, anchor) = name.split_once('#').unwrap_or((name, ""));
            if file.ends_with(".md") && !leads_somewhere(&root.join("docs").join(file), anchor) {
                broken.push(format!("{path}: docs/{name}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Returns the first cell of a table's row as statuses, and the codes of the second.
fn codes_of(line: &str) -> Option<impl Iterator<Item = (u16, &str)>> {
    let mut cells = line.strip_prefix("| ")?.split(" | ");
    let statuses: Result<Vec<u16>, _> = cells.next()?.split(", ").map(str::parse).collect();
    let statuses = statuses.ok()?;
    let codes = quoted(cells.next()?)
        .filter(|code| code.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()));
    Some(codes.flat_map(move |code| statuses.clone().into_iter().map(move |status| (status, code))))
}

#[test]
fn both_contracts_list_every_code_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // This page is what the code says: a unit test of the problem documents holds it.
    let problems = fs::read_to_string(root.join("public/_gate/problems.html")).unwrap();
    let headings = problems.lines().filter_map(|line| line.strip_prefix("<h2><code>"));
    let all: BTreeMap<&str, u16> = headings
        .filter_map(|rest| {
            let (code, rest) = rest.split_once("</code> <small>")?;
            Some((code, rest.split_once('<')?.0.parse().ok()?))
        })
        .collect();
    assert!(all.len() > 30, "{all:?}");
    for (page, heading) in [("clients.md", "## Refusals"), ("wire-contract.md", "## 6. Refusals")] {
        let text = fs::read_to_string(root.join("docs").join(page)).unwrap();
        let section = text.split_once(&format!("\n{heading}\n")).expect("the section").1;
        let section = section.split("\n## ").next().unwrap_or_default();
        let listed: Vec<_> = section.lines().filter_map(codes_of).flatten().collect();
        let codes: BTreeSet<_> = listed.iter().map(|(_, code)| *code).collect();
        assert_eq!(codes, all.keys().copied().collect(), "{page}");
        for (code, status) in &all {
            assert!(listed.contains(&(*status, code)), "{page}: {code} is {status}");
        }
    }
}

#[test]
fn a_root_secret_is_made_in_one_length() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = BTreeMap::new();
    for folder in ["src", "cli/src"] {
        files(&root.join(folder), &mut all);
    }
    for name in ["README.md", ".dev.vars.example"] {
        all.insert(name.to_owned(), fs::read_to_string(root.join(name)).unwrap());
    }
    for folder in ["docs", "docs/recipes"] {
        let pages = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        for page in pages.filter(|page| page.is_file()) {
            all.insert(page.display().to_string(), fs::read_to_string(page).unwrap());
        }
    }
    let all = all.iter();
    let lines = all
        .flat_map(|(path, text)| text.split("openssl rand ").skip(1).map(move |rest| (path, rest)));
    let mut count = 0;
    for (path, rest) in lines {
        assert!(rest.starts_with("-base64 48"), "{path}");
        count += 1;
    }
    assert!(count > 4, "{count}");
}
