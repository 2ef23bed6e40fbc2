//! The `writegate` command as a person or a script meets it: exit codes, the words of its failures, and
//! that what it prints is what the gate accepts.
//!
//! The last tests set the tools up for real, build the Worker and walk through the demo.

mod check_api;
mod check_leaks;
mod check_logpush;
mod check_privilege;
mod check_rows;
mod check_setup;
mod check_wrangler;
mod checkout;
mod console;
mod explaining;
mod init;
mod inline;
mod keys;
mod packages;
mod project;
mod registry;
mod signing;
mod token;
mod truth;

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::rc::Rc;

use serde_json::{Value, json};
use testkit::poll::poll;
use testkit::token::{now, sk};
use testkit::upstream::PATIENCE;
use writegate::credential::Limits;
use writegate::credential::session::Session;
use writegate::{DerivedKey, Key, RootSecrets, Secret, Timestamp};

use checkout::{Checkout, Done, random_secret, root, rows, writegate};

const ID: &str = "0123456789abcdef0123456789abcdef";
const KEYS: &str = "[[vars.KEYS]]\nid = \"pk_site\"\nversion = 3\n";

#[test]
fn a_root_secret_that_is_missing_or_too_short_is_named_and_not_shown() {
    let checkout = Checkout::new(KEYS);
    checkout.refuses(
        1,
        "
        session mint --key pk_site → SIGNING_SECRET … .dev.vars … openssl rand
        key show pk_site           → SIGNING_SECRET … .dev.vars … openssl rand
        ",
    );
    checkout.secret("");
    checkout.refuses(1, "key show pk_site → SIGNING_SECRET is neither");
    let short = &random_secret()[..31];
    checkout.secret(short);
    let done = checkout.run("session mint --key pk_site");
    done.failed(1, &["31 bytes", "at least 32"]);
    assert!(!done.err.contains(short));
}

#[test]
fn an_error_names_what_is_expected_and_not_what_was_given() {
    let secret = random_secret();
    for (line, words) in rows(&format!(
        "
        token rotate --now={secret}           → --now: one value too many (
        session mint --key a --ttl 4294967300 → --ttl <SECONDS>: expected 1 to
        token age --gate={secret} --gate={secret} → --gate <URL> … https://gate.example.com
        session mint --key a --key {secret}   → --key <ID> may be given only once
        token rotate --hook {secret} --old {ID} → --hook <COMMAND> does not go with --old <ID>
        token put {secret}                    → standard input
        token put --token {secret}            → --token is not an option
        token put --issued-at {secret}        → --issued-at … 2026-11-22
        token age                             → missing: --gate <URL>
        token age --gate {secret}             → --gate <URL> … https://gate.example.com
        session mint --key a --ttl {secret}   → --ttl <SECONDS>
        check --only {secret}                 → --only <CHECK> … expected one of configuration
        key shwo                              → no such command
        session mint --key                    → --key <ID> … a value is missing
        session mint --methd GET              → --methd is not an option here; --method is
        token put --{secret}                  → an argument too many; a secret goes through standard input
        token put --json={secret}             → --json: one value too many; a secret goes through
        "
    )) {
        let done = Done::of(&mut writegate(line));
        done.failed(2, &words);
        for given in [secret.as_str(), ID, "4294967300"] {
            assert!(!done.err.contains(given), "{}", done.err);
        }
    }
    for help in ["--help", "token rotate --help", "--version"] {
        assert!(!Done::of(&mut writegate(help)).succeeded().is_empty(), "{help}");
    }
}

#[test]
fn usage_errors_have_code_2() {
    let checkout = Checkout::keyed("[vars]\nSESSION_MAX_TTL = 600\nKEYS = [{ id = \"a\" }]\n");
    checkout.refuses(
        2,
        "
        session mint
        session mint --key 'a b'
        session mint --key a --ttl 0
        session mint --key a --path posts
        session mint --key a --method post
        session mint --key a --origin null
        session mint --key a --sub ''
        session mint --key a --ttl 601 → 600 s … SESSION_MAX_TTL
        key show
        key show a --version 0
        build --no-such-option
        no-such-command
        ",
    );
    checkout.run("session mint --key a --ttl 600").succeeded();
}

#[test]
fn a_minted_session_passes_the_gate_s_own_check() {
    let checkout = Checkout::new(KEYS);
    let root = random_secret();
    checkout.secret(&root);
    let mint = "session mint --key pk_site --sub visitor-7 --method POST --path '/posts/*'";
    let token = checkout.prints(mint);
    let session = Session::parse(&token).unwrap();
    assert_eq!(session.key(), "pk_site");

    let key = Key::parse("KEYS[0]", json!({"id": "pk_site", "version": 3})).unwrap();
    let roots = RootSecrets { current: Secret::new(root), previous: None };
    let known = DerivedKey::new(key, Rc::new(roots));
    let limits = Limits {
        now: Timestamp::from_seconds(now().try_into().unwrap()),
        clock_skew: 60,
        session_max_ttl: 3600,
        audience: None,
        unsigned_body: false,
        waf_secret: None,
    };
    let claims = session.verify(&known, &limits).unwrap();
    assert_eq!(claims.subject.as_deref(), Some("visitor-7"));
    assert_eq!(claims.methods.unwrap(), writegate::Methods::of(["POST"]));
    assert_eq!(claims.paths.unwrap().len(), 1);
}

#[test]
fn the_environment_wins_over_dev_vars() {
    let checkout = Checkout::new(KEYS);
    let root = random_secret();
    checkout.secret(&random_secret());
    let show = |line: &str| -> Value {
        let done = Done::of(checkout.command(line).env("SIGNING_SECRET", &root));
        serde_json::from_str(&done.succeeded()).unwrap()
    };
    let shown = show("key show pk_site");
    assert_eq!(shown["sk"], sk(&root, "pk_site", 3).as_str());
    assert_eq!(shown["version"], 3);
    assert!(!shown.to_string().contains(&root));
    assert_ne!(show("key show pk_site --version 4")["sk"], shown["sk"]);
}

#[test]
fn a_record_that_the_gate_refuses_is_refused_here_too() {
    let checkout = Checkout::keyed("[[vars.KEYS]]\nid = \"pk_site\"\npath = [\"/x\"]\n");
    checkout.refuses(1, "session mint --key pk_site → wrangler.toml … KEYS[0].path");
}

#[test]
fn what_is_missing_is_said_in_one_line() {
    let checkout = Checkout::new("");
    let refused = |words: &[&str]| {
        let done = checkout.run_with_own_programs("build");
        done.ended(1, words);
        done
    };
    refused(&["Node is missing", "install Node 20"]);
    checkout.program("node", "echo v18.19.0");
    refused(&["v18.19.0 is too old", "install Node 20"]);
    checkout.program("node", "echo v20.11.1");
    assert_eq!(refused(&["npm is missing"]).err.lines().count(), 1);

    checkout.program("npm", "echo 10.0.0");
    checkout.program("rustc", "echo /nonexistent");
    checkout.program("rustup", "echo 'could not download' >&2; exit 1");
    refused(&["wasm32-unknown-unknown", "could not download", "not Debian"]);

    // With the target there, the next step is the build.
    checkout.program("rustc", "echo \"${0%/*}\"");
    checkout.program("libcore-1.rlib", "");
    assert!(refused(&[]).err.contains("running cargo: it is not on PATH: install it"));
}

#[test]
fn installers_and_compilers_get_no_variable_that_is_not_on_the_list() {
    let checkout = Checkout::new("");
    let secret = random_secret();
    let registry = "http://127.0.0.1:1/";
    let seen = "export -p >>\"$0.env\"";
    let build = || {
        let mut command = checkout.command("build");
        for name in [
            "WRITE_TOKEN", "CLOUDFLARE_API_TOKEN", "AWS_SECRET_ACCESS_KEY", "NPM_TOKEN",
            "npm_config__auth", "CARGO_REGISTRY_TOKEN", "NOBODY_KNOWS_THIS_ONE",
        ] {
            command.env(name, &secret);
        }
        command.env("npm_config_registry", registry).env("PATH", checkout.0.join("bin"));
        assert_eq!(Done::of(&mut command).code, Some(1));
    };
    checkout.program("node", &format!("{seen}; echo v20.20.0"));
    checkout.program("npm", &format!("{seen}; echo 10.0.0"));
    checkout.program("rustc", &format!("{seen}; echo /nonexistent"));
    for name in ["rustup", "cargo", "apt-get"] {
        checkout.program(name, &format!("{seen}; exit 1"));
    }
    build();
    // With the target there, cargo builds.
    checkout.program("rustc", &format!("{seen}; echo \"${{0%/*}}\""));
    checkout.program("libcore-1.rlib", "");
    build();
    for name in ["node", "npm", "rustc", "rustup", "apt-get", "cargo"] {
        let seen = std::fs::read_to_string(checkout.0.join(format!("bin/{name}.env"))).unwrap();
        assert!(!seen.contains(&secret), "{name} has a secret: {seen}");
        assert!(!seen.contains("NOBODY_KNOWS_THIS_ONE"), "{name}: {seen}");
        assert!(seen.contains(registry) && seen.contains("PATH="), "{name}: {seen}");
    }
}

#[test]
fn the_worker_is_built_once() {
    let first = [writegate("build"), writegate("build")]
        .map(|mut command| std::thread::spawn(move || Done::of(&mut command)))
        .map(|run| run.join().unwrap());
    for done in first {
        assert_eq!(done.code, Some(0), "{}", done.err);
    }
    let made = || {
        let modified = |name| root().join("build").join(name).metadata().unwrap().modified();
        ["index.js", "index_bg.wasm"].map(|name| modified(name).unwrap())
    };
    let before = made();
    let second = Done::of(&mut writegate("build"));
    assert_eq!((second.code, second.err.as_str()), (Some(0), ""));
    assert_eq!(made(), before);
}

#[test]
fn the_demo_writes_with_a_session_and_is_refused_without() {
    let shown = Done::of(&mut writegate("demo --once")).succeeded();
    for part in [
        "← 201 {\"id\":1,",
        "← 401 {\"code\":\"credential-missing\"",
        "It never reached the API",
        "← 403 {\"code\":\"method-denied\"",
        "\"outcome\":\"forwarded\"",
        "curl -i -H 'Authorization: Bearer ey",
        "   the page      http://127.0.0.1:",
        "/_gate/      its session: eyJ",
        "\"token_type\":\"Bearer\"",
        "← 201 {\"id\":2,",
        "\"reason\":\"spent\"",
        "All of it went as it should.",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn a_demo_without_a_folder_for_its_files_says_which_is_missing() {
    // With the usual one: other programs need it, too.
    Done::of(&mut writegate("build"));
    let missing = Checkout::new("").0.join("missing");
    let done = Done::of(writegate("demo --once").env("TMPDIR", &missing));
    done.refused(1, &[missing.to_str().unwrap(), "TMPDIR", "create it, or name another"]);
    assert!(!missing.exists());
}

/// Each way to end the demo ends its gate too, and nothing stays of either.
#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    let scratch = Checkout::new("").0;
    // Where the tests run with SIGINT ignored, as a script's do that starts them with `&`, the demo would ignore it, too.
    let mut command = Command::new("perl");
    command.args(["-e", "$SIG{INT} = 'DEFAULT'; exec @ARGV", env!("CARGO_BIN_EXE_writegate")]);
    command.args(["demo", "--no-open"]);
    command.env("TMPDIR", &scratch).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut demo = command.spawn().unwrap();
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let lines: Vec<String> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.contains("stays up until Ctrl-C"))
        .collect();
    let gate = lines.iter().find(|line| line.contains("the gate ")).expect("its address");
    let gate = testkit::program::port_in(gate);
    let folders = || {
        let names = std::fs::read_dir(&scratch).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("writegate-demo-")).count()
    };
    assert_eq!(folders(), 1, "{lines:#?}");
    assert!(TcpStream::connect(("127.0.0.1", gate)).is_ok());
    let pid = demo.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    poll(PATIENCE, || demo.try_wait().unwrap().ok_or("the demo goes on".to_owned()));
    poll(PATIENCE, || match (folders(), TcpStream::connect(("127.0.0.1", gate))) {
        (0, Err(_)) => Ok(()),
        (folders, gate) => Err(format!("{folders} folders are left, and the gate: {gate:?}")),
    });
}

/// Also while a program is at work, which is ended first, and below `nohup`, where a closed terminal ends nothing.
#[test]
fn an_interrupted_check_ends_as_interrupted_and_not_as_what_it_found() {
    let checkout = Checkout::new("");
    let check = checkout.command("check --only configuration,leaks-in-tree");
    let hang = "exec /bin/sleep 60";
    for (ignored, git, code, word) in [
        (":", format!("kill -TERM $PPID; {hang}"), 130, "writegate: interrupted"),
        ("trap '' HUP", format!("kill -TERM $PPID; {hang}"), 130, "writegate: interrupted"),
        ("trap '' HUP", "kill -HUP $PPID; exit 1".to_owned(), 1, ""),
    ] {
        checkout.program("git", &git);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("{ignored}; exec \"$0\" \"$@\"")]);
        shell.arg(check.get_program()).args(check.get_args()).current_dir(&checkout.0);
        Done::of(shell.env("PATH", checkout.0.join("bin"))).ended(code, &[word]);
    }
}

/// The handler waits for a reader of its words, and the command has nothing left to do meanwhile.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_command_has_the_exit_code_of_the_interrupt_however_late_the_handler_is() {
    use std::io::{Read as _, Write as _, pipe};

    let checkout = Checkout::new("");
    checkout.program("git", "kill -TERM $PPID; exec /bin/sleep 60");
    let (mut words, mut full) = pipe().unwrap();
    // As much as a pipe holds.
    full.write_all(&[b'.'; 65_536]).unwrap();
    let mut command = checkout.command("check --json --only leaks-in-tree");
    command.env("PATH", checkout.0.join("bin")).stdout(Stdio::piped()).stderr(full);
    let mut check = command.spawn().unwrap();
    drop(command);
    // After its last row, the command is at its end.
    let mut row = String::new();
    BufReader::new(check.stdout.take().unwrap()).read_line(&mut row).unwrap();
    assert!(row.contains("leaks-in-tree"), "{row}");
    for _ in 0..10_000 {
        assert_eq!(check.try_wait().unwrap(), None, "it does not wait for the handler");
    }
    let mut said = String::new();
    words.read_to_string(&mut said).unwrap();
    assert_eq!(check.wait().unwrap().code(), Some(130));
    assert_eq!(said.trim_matches(['.', '\n']), "writegate: interrupted");
}
