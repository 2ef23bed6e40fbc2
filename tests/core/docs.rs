//! The pages that claim properties name the tests that hold them. Those tests exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const PAGES: [&str; 2] = ["security.md", "code-map.md"];

/// Every file of Rust and JavaScript below a folder: its text by its path.
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

#[test]
fn every_file_and_test_that_a_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = BTreeMap::new();
    for folder in ["src", "cli", "testkit", "tests", "bench"] {
        files(&root.join(folder), &mut all);
    }
    let mut missing = Vec::new();
    let mut named = 0;
    let holds = |end: &str, test: &str| {
        let mut found = all.iter().filter(|(path, _)| path.ends_with(end));
        found.any(|(_, text)| test.is_empty() || text.contains(&format!("fn {test}(")))
    };
    for page in PAGES {
        let text = fs::read_to_string(root.join("docs").join(page)).unwrap();
        for name in text.lines().flat_map(quoted) {
            let (file, test) = name.split_once(": ").unwrap_or((name, ""));
            let is_file = file.ends_with(".rs") || file.ends_with(".js");
            // Behind a file, the name of another test of it.
            let is_test = page == "security.md" && name.matches('_').count() > 2;
            let is_there = match (is_file, is_test) {
                (true, _) if file.contains(['{', '*', ' ']) => continue,
                (true, _) => holds(&format!("/{file}"), test),
                (false, true) => holds("", name),
                (false, false) => continue,
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
