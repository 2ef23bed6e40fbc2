//! `writegate check` over a tree and its history: what is found, where, and that it is never shown.

use std::fs;
use std::io::Write as _;

use serde_json::Value;

use crate::check_setup::Gate;
use crate::checkout::{Done, random_secret, root, writegate};

/// Returns a token of GitHub's form, made afresh.
fn token() -> String {
    format!("ghp_{}", &random_secret()[..36])
}

/// Returns the 16 digits in brackets after a finding.
fn mark(row: &Value) -> String {
    let evidence = row["evidence"].as_str().unwrap();
    let (_, rest) = evidence.split_once('(').unwrap();
    rest[..16].to_owned()
}

#[test]
fn a_token_in_the_tree_is_placed_and_not_shown() {
    let gate = Gate::well();
    let found = token();
    gate.says("leaks-in-tree", "ok", "nothing in the tree: 3 files");
    // Not yet git's, but it would be with the next `git add .`.
    gate.checkout.file("notes.md", &format!("one\n\ntoken: {found}\n"));
    let row = gate.says("leaks-in-tree", "fail", "1 in the tree: notes.md:3 a GitHub token (");
    assert!(!row.to_string().contains(&found[4..]), "{row}");
    assert!(row["hint"].as_str().unwrap().contains(".writegate-ignore"), "{row}");
    gate.says("leaks-in-history", "ok", "nothing in the history");
    gate.commit("Write it down");
    gate.says("leaks-in-tree", "fail", "notes.md:3");
    // What git ignores is only on this machine.
    gate.git(&["rm", "--quiet", "--cached", "notes.md"]);
    gate.checkout.file(".gitignore", ".dev.vars\n/node_modules\n/cache\nnotes.md\n");
    gate.says("leaks-in-tree", "ok", "nothing in the tree");
}

#[test]
fn what_is_in_a_gzip_file_is_found_like_any_text() {
    let gate = Gate::well();
    let (found, root) = (token(), gate.root.clone());
    let packed = |text: &str| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    };
    // Two members, as `cat` makes them, and one whose end is missing.
    let members = [packed("one\n"), packed(&format!("\ntoken: {found}\n"))].concat();
    let whole = packed(&format!("{root}\n"));
    fs::write(gate.checkout.0.join("a.gz"), members).unwrap();
    fs::write(gate.checkout.0.join("b.gz"), &whole[..whole.len() - 8]).unwrap();
    // As in Helm's releases and in user data, where it may be wrapped.
    let text = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &whole);
    let lines: Vec<&str> = [&text[..20], &text[20..]].into();
    gate.checkout.file("c.yml", &format!("user-data: |\n  {}\n", lines.join("\n  ")));
    let words = "a.gz:3 a GitHub token … b.gz:1 the value of SIGNING_SECRET … \
        c.yml:2 the value of SIGNING_SECRET, packed and in base64";
    gate.says("leaks-in-tree", "fail", words);
    gate.commit("Pack them");
    gate.says("leaks-in-history", "fail", words);
}

/// As the programs that make them write: with the sizes behind, stored, one in another, and behind a program.
#[test]
fn what_is_in_a_zip_file_is_found_like_any_text() {
    let gate = Gate::well();
    let (found, root) = (token(), gate.root.clone());
    let deflated = |text: &[u8]| {
        let mut deflate =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        deflate.write_all(text).unwrap();
        deflate.finish().unwrap()
    };
    let member = |method: u8, packed: &[u8]| {
        let mut member = b"PK\x03\x04\x14\0\x08\0".to_vec();
        member.extend([method, 0]);
        member.extend([0; 16]);
        member.extend(b"\x05\0\x02\0a.txt??");
        member.extend(packed);
        member.extend(b"PK\x07\x08............");
        member
    };
    let one = member(8, &deflated(b"nothing\n"));
    let two = member(8, &deflated(format!("\ntoken: {found}\n").as_bytes()));
    let file = |name: &str, content: &[u8]| fs::write(gate.checkout.0.join(name), content).unwrap();
    file("a.zip", &[one.clone(), two].concat());
    let inner = member(8, &deflated(format!("{root}\n").as_bytes()));
    file(
        "b.docx",
        &[one.clone(), member(8, &deflated(&[&[b' '; 5000][..], &inner].concat()))].concat(),
    );
    gate.checkout.file("e.tf", &base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &inner));
    file("c.jar", &member(0, format!("{root}\n").as_bytes()));
    file("d.exe", &[&b"MZ\0\0PK\x03\x04"[..], &inner].concat());
    let words = "a.zip:2 a GitHub token, in a file of a ZIP file … \
        b.docx:1 the value of SIGNING_SECRET, in a file of a ZIP file … c.jar:1 the value of SIGNING_SECRET … \
        d.exe:1 the value of SIGNING_SECRET, in a file of a ZIP file … e.tf:1 the value of SIGNING_SECRET, packed";
    gate.says("leaks-in-tree", "fail", words);
    gate.commit("Pack them");
    gate.says("leaks-in-history", "fail", words);
}

#[test]
fn this_machine_s_secrets_are_found_in_files_of_every_kind_and_size_and_in_names() {
    let gate = Gate::well();
    let (root, token) = (gate.root.clone(), gate.token.clone());
    let wide: Vec<u8> = format!("x{token}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(gate.checkout.0.join("image.bin"), [b"\0\x01", &wide[..]].concat()).unwrap();
    let basic = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("user:{token}"));
    let long = format!("{}\n{basic}\n{}", "x".repeat(5 << 20), "y".repeat(100));
    gate.checkout.file("long.txt", &long);
    gate.checkout.file(&format!("backup-{root}.txt"), "nothing\n");
    for committed in [false, true] {
        if committed {
            gate.commit("Keep them");
        }
        let check = if committed { "leaks-in-history" } else { "leaks-in-tree" };
        let row = gate.says(
            check,
            "fail",
            "3 in the  … image.bin … in UTF-16 … long.txt … the value of WRITE_TOKEN, in base64 … a file's name",
        );
        assert!(!row.to_string().contains(&basic), "{row}");
    }
}

#[test]
fn links_names_of_former_files_and_what_is_staged_are_looked_at() {
    let gate = Gate::well();
    let (root, token) = (gate.root.clone(), gate.token.clone());
    std::os::unix::fs::symlink(format!("/backup/{root}"), gate.checkout.0.join("link")).unwrap();
    let pattern = self::token();
    let wide = format!("\u{feff}one\r\ntoken: {pattern}\r\n");
    let wide: Vec<u8> = wide.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(gate.checkout.0.join("notes.txt"), wide).unwrap();
    let yaml = format!("a: \"{}\\\n  {}\"\n", &token[..10], &token[10..]);
    gate.checkout.file("a.yaml", &yaml);
    gate.says(
        "leaks-in-tree",
        "fail",
        "3 in the tree … a.yaml:1 the value of WRITE_TOKEN, escaped or over several lines … link, a link: the value of SIGNING_SECRET … notes.txt:2 a GitHub token");
    for name in ["link", "notes.txt", "a.yaml"] {
        fs::remove_file(gate.checkout.0.join(name)).unwrap();
    }
    // git has one content under two names, and lists it with one of them.
    gate.checkout.file("a", "the same\n");
    gate.checkout.file(&format!("b-{token}"), "the same\n");
    gate.commit("Keep both");
    fs::remove_file(gate.checkout.0.join(format!("b-{token}"))).unwrap();
    gate.commit("Take one out");
    gate.says(
        "leaks-in-history",
        "fail",
        "1 in the history … a file's name the value of WRITE_TOKEN",
    );
    let gate = Gate::well();
    gate.git(&["branch", &format!("try-{}", gate.token)]);
    gate.says(
        "leaks-in-history",
        "fail",
        "1 in the history … the name of a branch or tag: the value of WRITE_TOKEN",
    );
    let gate = Gate::well();
    gate.checkout.file("staged", &format!("{}\n", gate.token));
    gate.git(&["add", "staged"]);
    gate.checkout.file("staged", "nothing\n");
    gate.says("leaks-in-tree", "ok", "");
    gate.says("leaks-in-history", "fail", "staged:1 the value of WRITE_TOKEN");
}

#[test]
fn a_token_that_was_taken_out_again_is_in_the_history() {
    let gate = Gate::well();
    let (found, said) = (token(), token());
    gate.checkout.file("a name with spaces.md", &format!("\n{found}\n"));
    gate.commit("Write it down");
    gate.checkout.file("a name with spaces.md", "nothing\n");
    gate.commit("Take it out");
    gate.says("leaks-in-tree", "ok", "");
    let row = gate.says(
        "leaks-in-history",
        "fail",
        "1 in the history:  … :a name with spaces.md:2 a GitHub token (",
    );
    let text = row.to_string();
    assert!(!text.contains(&found[4..]), "{row}");
    // The commit that brought it, and not the one that took it out.
    let place = row["evidence"].as_str().unwrap().split(": ").nth(1).unwrap();
    let brought = gate.git_output(&["log", "-1", "--format=%h", "HEAD~1"]);
    assert!(place.starts_with(&format!("{brought}:")), "{row}");

    // On another branch, in a message, in a tag.
    gate.git(&["checkout", "--quiet", "-b", "other"]);
    gate.commit(&format!("Use {said}"));
    gate.git(&["tag", "--annotate", "v1", "--message", &format!("With {}", token())]);
    gate.git(&["checkout", "--quiet", "-"]);
    gate.says(
        "leaks-in-history",
        "fail",
        "3 in the history … the message of commit … the message of tag",
    );
}

#[test]
fn the_secrets_of_this_checkout_are_found_everywhere() {
    let gate = Gate::well();
    let sk = testkit::token::sk(&gate.root, "pk_site", 1);
    gate.checkout.file("a.txt", &format!("x{}x\n", gate.token));
    gate.checkout.file("b.txt", &format!("{}\n", gate.root));
    gate.checkout.file("c.txt", &format!("{sk}\n"));
    let row = gate.says(
        "leaks-in-tree",
        "fail",
        "a.txt:1 the value of WRITE_TOKEN … b.txt:1 the value of SIGNING_SECRET … c.txt:1 the sk of pk_site");
    assert!(!row.to_string().contains(&sk), "{row}");
    // They can be replaced, and not accepted.
    assert!(!row["hint"].as_str().unwrap().contains(".writegate-ignore"), "{row}");
    // In an envelope, it is the token that counts.
    gate.checkout.file(".dev.vars", &format!("WRITE_TOKEN='{{\"token\":\"{}\"}}'\n", gate.token));
    gate.says("leaks-in-tree", "fail", "in the tree: a.txt:1 the value of WRITE_TOKEN");
}

#[test]
fn what_was_accepted_is_not_found_again() {
    let gate = Gate::well();
    let found = token();
    gate.checkout.file("vector.txt", &found);
    gate.commit("Add a vector");
    let mark = mark(&gate.says("leaks-in-tree", "fail", ""));
    gate.checkout.file(".writegate-ignore", &format!("{mark} # a vector\n"));
    gate.says("leaks-in-tree", "ok", "1 accepted by .writegate-ignore");
    gate.says("leaks-in-history", "ok", "1 accepted");
    gate.checkout.file("other.txt", &token());
    gate.says("leaks-in-tree", "fail", "1 in the tree: other.txt:1");
    gate.checkout.file(".writegate-ignore", &format!("{found}\n"));
    let row = gate.says("leaks-in-tree", "warn", "line 1");
    assert!(!row.to_string().contains(&found), "{row}");
}

#[test]
fn what_is_not_looked_at_is_said() {
    let gate = Gate::well();
    let found = token();
    fs::write(gate.checkout.0.join("picture"), [b"\0\0", found.as_bytes()].concat()).unwrap();
    let large = format!("{}{found}", "x\n".repeat(2 << 20));
    gate.checkout.file("large.txt", &large);
    gate.says("leaks-in-tree", "ok", "1 binary … 1 over 4 MiB");
    gate.commit("Take both");
    gate.says("leaks-in-history", "ok", "1 binary … 1 over 4 MiB");
    gate.checkout.file("large.txt", &large[large.len() - (4 << 20)..]);
    gate.says("leaks-in-tree", "fail", "large.txt: … 1 binary");
    // As a submodule is, and a clone within the tree.
    let gate = Gate::well();
    fs::create_dir(gate.checkout.0.join("inner")).unwrap();
    gate.git(&["init", "--quiet", "inner"]);
    gate.checkout.file("inner/leak", &gate.root);
    gate.says("leaks-in-tree", "ok", "not the repositories in it: inner");
}

#[test]
fn a_clone_without_its_history_is_not_called_clean() {
    let gate = Gate::well();
    gate.commit("Go on");
    let folder = gate.checkout.0.clone();
    let shallow = folder.with_extension("shallow");
    let _gone = fs::remove_dir_all(&shallow);
    let from = format!("file://{}", folder.display());
    gate.git(&["clone", "--quiet", "--depth", "1", &from, shallow.to_str().unwrap()]);
    let done = Done::of(gate.command("--json --only leaks-in-history").current_dir(&shallow));
    let row: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(row["status"], "warn", "{row}");
    assert!(row["evidence"].as_str().unwrap().contains("shallow"), "{row}");
    assert!(row["hint"].as_str().unwrap().contains("fetch-depth: 0"), "{row}");
}

/// As in a partial clone, or a broken one.
#[test]
fn a_clone_that_lacks_an_object_is_not_called_clean() {
    let gate = Gate::well();
    gate.checkout.file("notes.md", "one\n");
    gate.commit("Write it down");
    let id = gate.git_output(&["rev-parse", "HEAD:notes.md"]);
    gate.checkout.file("notes.md", "two\n");
    gate.commit("Take it out");
    let (folder, name) = id.split_at(2);
    fs::remove_file(gate.checkout.0.join(".git/objects").join(folder).join(name)).unwrap();
    gate.says("leaks-in-tree", "ok", "");
    gate.says("leaks-in-history", "warn", "1 objects are not in this clone");
    gate.checkout.file("other.md", &token());
    gate.commit("Write a token");
    gate.says("leaks-in-history", "fail", "other.md:1");
}

/// This repository holds no secret, and what looks like one has been looked at.
#[test]
fn this_repository_is_clean() {
    let mut command = writegate("check --json --only leaks-in-tree --only leaks-in-history");
    let done = Done::of(command.current_dir(root()).env_remove("WRITE_TOKEN"));
    let rows: Vec<Value> =
        done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2, "{}", done.err);
    for row in rows {
        // A warning is for a clone without git or without its history.
        assert_ne!(row["status"], "fail", "{row}");
    }
}
