//! Existing files stay, unless it is said otherwise; a file that git would take along is never written.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::recipes::from_npm;
use super::{CMS, SHIPPED, clone};
use crate::checkout::{Checkout, Done, random_secret};

fn again(checkout: &Checkout, more: &str) -> Done {
    checkout.fed(&format!("{CMS} --local {more}"), &random_secret())
}

#[test]
fn files_that_are_there_are_not_touched() {
    let checkout = clone();
    checkout.secret("mine");
    again(&checkout, "").failed(2, &[".dev.vars exists already", "--force"]);
    assert_eq!(checkout.text(".dev.vars"), "SIGNING_SECRET=mine\n");
    assert_eq!(checkout.text("wrangler.toml"), SHIPPED);

    let own = SHIPPED.replace("writegate", "my-gate");
    let checkout = Checkout::new(&own);
    again(&checkout, "").failed(2, &["wrangler.toml", "--force"]);
    assert_eq!(checkout.text("wrangler.toml"), own);
    assert!(!checkout.0.join(".dev.vars").exists());

    let checkout = clone();
    checkout.made(CMS);
    let before = [checkout.text("wrangler.toml"), checkout.text(".dev.vars")];
    again(&checkout, "").failed(2, &["exists already", "--secrets-only", "--force"]);
    assert_eq!([checkout.text("wrangler.toml"), checkout.text(".dev.vars")], before);
}

#[test]
fn force_replaces_them_and_keeps_what_cannot_be_made_again() {
    let checkout = clone();
    let (root, waf) = (random_secret(), random_secret());
    let own = format!("# mine\nWAF_SECRET={waf}\nSIGNING_SECRET=\"{root}\"\nWRITE_TOKEN=former\n");
    checkout.file(".dev.vars", &own);
    let done = again(&checkout, "--force");
    assert!(done.err.contains("that was there before"), "{}", done.err);
    let first = done.lines().remove(0);
    let file = checkout.text(".dev.vars");
    for part in ["# mine\n", &format!("WAF_SECRET={waf}\n"), &format!("SIGNING_SECRET='{root}'\n")]
    {
        assert!(file.contains(part), "{part} in {file}");
    }
    assert!(!file.contains("former"));
    let shown = checkout.prints(&format!("key show {}", first["id"].as_str().unwrap()));
    assert!(shown.contains(first["sk"].as_str().unwrap()), "{shown}");

    assert_ne!(again(&checkout, "--force").lines()[0]["id"], first["id"]);
    assert!(checkout.text(".dev.vars").contains(&root));
}

/// Runs `init` with this root in the environment.
fn exported(checkout: &Checkout, more: &str, root: &str) -> Done {
    let mut command = checkout.command(&format!("{CMS} --local {more}"));
    Done::fed(command.env("SIGNING_SECRET", root), &random_secret())
}

#[test]
fn a_root_of_the_environment_is_kept_and_named() {
    let checkout = clone();
    let root = random_secret();
    let done = exported(&checkout, "", &root);
    let reported = "with the SIGNING_SECRET of the environment";
    assert!(done.err.contains(reported), "{}", done.err);
    assert!(!done.err.contains(&root), "{}", done.err);
    done.succeeded();
    let line = format!("SIGNING_SECRET='{root}'");
    assert!(checkout.text(".dev.vars").contains(&line));

    // From now on it is the file's, whether it is exported or not.
    for done in [again(&checkout, "--force"), exported(&checkout, "--force", &root)] {
        assert!(done.err.contains("that was there before"), "{}", done.err);
        done.succeeded();
        assert!(checkout.text(".dev.vars").contains(&line));
    }
}

#[test]
fn a_root_that_exists_nowhere_else_is_not_lost_to_another_gate_s() {
    let checkout = clone();
    checkout.made(CMS);
    let before = checkout.text(".dev.vars");
    let other = random_secret();
    let done = exported(&checkout, "--force", &other);
    done.failed(2, &["SIGNING_SECRET in the environment", ".dev.vars"]);
    assert!(!done.err.contains(&other), "{}", done.err);
    assert_eq!(checkout.text(".dev.vars"), before);
    // An empty one counts as missing.
    exported(&checkout, "--force", "").succeeded();
}

#[test]
fn what_git_would_take_along_is_not_written() {
    let git = |checkout: &Checkout, arguments: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(&checkout.0).args(arguments);
        git.output().is_ok_and(|done| done.status.success())
    };
    let checkout = clone();
    assert!(git(&checkout, &["init", "--quiet"]), "git is needed");
    again(&checkout, "").failed(2, &[".gitignore", ".dev.vars"]);
    checkout.assert_untouched();
    // The file that it would be until it is complete counts too.
    checkout.file(".gitignore", ".dev.vars\n");
    again(&checkout, "").failed(2, &[".dev.vars.*"]);
    checkout.assert_untouched();

    // Ignored, but committed before that.
    checkout.file(".dev.vars", "A=1\n");
    assert!(git(&checkout, &["add", "--force", ".dev.vars"]));
    checkout.file(".gitignore", ".dev.vars\n.dev.vars.*\n");
    again(&checkout, "--force").failed(2, &["git rm --cached"]);
    assert_eq!(checkout.text(".dev.vars"), "A=1\n");

    assert!(git(&checkout, &["rm", "--quiet", "--cached", ".dev.vars"]));
    again(&checkout, "--force").succeeded();
    assert!(checkout.text(".dev.vars").starts_with("A=1\nSIGNING_SECRET="));
}

#[test]
fn where_git_will_not_say_what_it_ignores_nothing_is_written() {
    let checkout = clone();
    fs::create_dir(checkout.0.join(".git")).unwrap();
    checkout.program("git", "exit 128");
    checkout.run_with_own_programs(&format!("{CMS} --local")).failed(2, &[".gitignore"]);
    checkout.assert_untouched();
}

#[test]
fn what_an_earlier_run_left_half_written_is_in_nobody_s_way() {
    let checkout = clone();
    checkout.file(".dev.vars.new", "half");
    checkout.file("wrangler.toml.new", "half");
    again(&checkout, "").succeeded();
    for name in [".dev.vars.new", "wrangler.toml.new"] {
        assert!(!checkout.0.join(name).exists(), "{name}");
    }
}

#[test]
fn where_one_file_cannot_be_written_neither_is() {
    let checkout = clone();
    // No file can take a folder's place.
    fs::create_dir(checkout.0.join("wrangler.toml.new")).unwrap();
    let done = again(&checkout, "");
    done.failed(1, &["writing /", "wrangler.toml.new", "move it away"]);
    assert_eq!(checkout.text("wrangler.toml"), SHIPPED);
    for name in [".dev.vars", ".dev.vars.new"] {
        assert!(!checkout.0.join(name).exists(), "{name}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named_with_the_way_to_go_on() {
    let init = format!("{CMS} --local --skip-probe");
    let is_made = |checkout: &Checkout| {
        [".dev.vars", "wrangler.toml"].map(|name| checkout.0.join(name).is_file())
    };
    // Something else is where each of its files and folders has to be.
    for (place, is_file) in [
        (".gitignore", false),
        (".dev.vars", false),
        (".dev.vars.new", false),
        ("wrangler.toml", false),
        ("wrangler.toml.new", false),
        (".github", true),
        (".github/workflows", true),
    ] {
        let checkout = from_npm();
        let path = checkout.0.join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match is_file {
            true => fs::write(&path, "").unwrap(),
            false => fs::create_dir(&path).unwrap(),
        }
        let done = checkout.fed(&init, &random_secret());
        let place = path.to_str().unwrap();
        done.refused(1, &[place, "move it away"]);
        assert_eq!(is_made(&checkout), [false, false], "{place}");
    }

    // So it is with the folder itself, and with one in which nothing can be made.
    let checkout = Checkout::new("");
    checkout.file("taken", "");
    let init = |folder: &str| {
        checkout.fed(&init.replacen("init", &format!("init {folder}"), 1), &random_secret())
    };
    let below = checkout.0.join("taken/below");
    for folder in ["taken", below.to_str().unwrap()] {
        init(folder).refused(1, &["taken", "move it away, or name another folder"]);
    }
    #[cfg(target_os = "linux")]
    init("/proc/gate").refused(1, &["/proc/gate", "name another"]);
}

/// A limit of the shell stands for a full disk: every write fails.
#[test]
fn where_there_is_no_room_nothing_is_lost_and_nothing_is_left() {
    let init = format!("{CMS} --local --skip-probe");
    let gate = || Checkout::new("[[vars.KEYS]]\nid = \"pk_a\"\n");
    let add = "route add '--path=/c/*' --upstream=https://c.example --secret=C";
    for (checkout, line, place) in [
        (clone(), init.as_str(), ".dev.vars.new"),
        (from_npm(), &init, ".gitignore.new"),
        (gate(), "key new --write", "wrangler.toml.new"),
        (gate(), "key disable pk_a", "wrangler.toml.new"),
        (gate(), add, "wrangler.toml.new"),
        (gate(), "migrate --write", "wrangler.toml.new"),
        (gate(), "man pages", "pages"),
    ] {
        let token = fs::File::open(checkout.file("token", &random_secret())).unwrap();
        let before = tree(&checkout);
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"]);
        let own = checkout.command(line);
        command.arg(own.get_program()).args(own.get_args()).current_dir(&checkout.0).stdin(token);
        command.env("WRITEGATE_CACHE", checkout.0.join("cache")).env_remove("CARGO_MANIFEST_DIR");
        let done = Done::of(&mut command);
        done.refused(1, &[place, "there is not enough space: free some"]);
        let mut after = tree(&checkout);
        after.retain(|path, _| !path.starts_with("pages"));
        assert_eq!(after, before, "{line}");
    }
}

/// Returns the files of a checkout, with their content.
fn tree(checkout: &Checkout) -> BTreeMap<String, String> {
    let files = fs::read_dir(&checkout.0).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let files = files.filter(|path| path.is_file());
    files.map(|path| (named(path.clone()), fs::read_to_string(path).unwrap())).collect()
}
