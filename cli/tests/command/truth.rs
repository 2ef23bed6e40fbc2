//! The command as it meets mistakes, callers who have only a key's secret, and readers that go away.

mod arguments;

use std::process::Stdio;
use std::{fs, io};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use writegate::{MacKey, Secret};

use crate::checkout::{Checkout, Done, Empty, random_secret, rows, words, writegate};

const KEYS: &str =
    "[[vars.KEYS]]\nid = \"pk_site\"\nversion = 3\n[[vars.KEYS]]\nid = \"pk_other\"\n";
const URL: &str = "https://gate.example/posts";

impl Empty {
    fn run(&self, sk: &str, line: &str) -> Done {
        Done::of(writegate(line).current_dir(&self.0).env("WRITEGATE_SK", sk))
    }
}

fn sk() -> String {
    testkit::token::sk(&random_secret(), "pk_site", 1)
}

/// Returns the claims of a session, which may be behind its scheme.
#[track_caller]
pub(crate) fn claims(token: &str) -> Value {
    let part = token.trim().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn an_unknown_command_proposes_the_nearest_and_is_not_repeated() {
    let secret = random_secret();
    for (line, words) in rows(&format!(
        "
        key shwo         → no such command … did you mean key show?
        sesion           → no such command … did you mean session?
        mint             → no such command … did you mean session mint?
        deploy           → no such command … npx wrangler deploy
        sign             → no such command … request sign, or url sign
        rotate           → no such command … did you mean token rotate?
        {secret}         → no such command … expected one of init, build
        key pk_site      → no such command … expected one of new, update
        key create       → no such command … expected one of new, update
        key mint         → no such command … did you mean session mint?
        session mnit     → no such command … did you mean session mint?
        token list       → no such command … did you mean key list?
        key miint        → no such command … expected one of new, update
        logout           → no such command … expected one of init, build
        key list --json  → --json is not an option here … the output is JSON anyway
        usage --gate=http://127.0.0.1:1 --json   → --json … JSON anyway
        console --gate=http://127.0.0.1:1 --json → --json is not an option here (
        key list pk_site → an argument too many (
        "
    )) {
        let done = Done::of(&mut writegate(line));
        done.ended(2, &words);
        assert_eq!(done.out.is_empty(), !line.contains("--json"), "{}", done.out);
        assert!(!done.err.contains(&secret), "{}", done.err);
    }
    for help in ["help", "help key show", "key help", "key show -h"] {
        let help = Done::of(&mut writegate(help)).succeeded();
        assert!(help.contains("Usage: writegate"), "{help}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let checkout = Checkout::keyed(KEYS);
    let closed = || {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        writer
    };
    let quiet = |line: &str| {
        let mut run = checkout.command(line);
        let done = Done::of(run.stdout(closed()).stdin(Stdio::null()));
        assert!(done.code.is_some_and(|code| code <= 2), "{line}: {:?}", done.code);
        assert!(!done.err.contains("panicked"), "{line}: {}", done.err);
        done
    };
    for line in [
        "key show pk_site",
        "session mint --key pk_site",
        &format!("explain -- {URL}"),
        "check --only preview-urls",
        "completions bash",
        "key new",
    ] {
        quiet(line).succeeded();
    }
    for (command, rest) in COMMANDS {
        quiet(&format!("{command} {rest}"));
        quiet(&format!("{command} --help"));
    }
    // The exit code is right even if nobody reads the reason.
    let mut command = checkout.command("key show pk_sites");
    assert_eq!(command.stderr(closed()).status().unwrap().code(), Some(2));
}

/// Whatever prints something where nothing can be written says so.
#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else {
        return;
    };
    let checkout = Checkout::keyed(KEYS);
    let mut tried = Vec::new();
    for (command, rest) in COMMANDS {
        for line in [
            format!("{command} {rest}"),
            format!("{command} --help"),
            format!("{command} {rest} --json"),
        ] {
            let run = || {
                let mut run = checkout.command(&line);
                run.stdin(Stdio::null());
                run
            };
            let out = Done::of(&mut run()).out;
            // A failure has its own exit code.
            if out.is_empty() || out.starts_with("{\"error\"") {
                continue;
            }
            let done = Done::of(run().stdout(full.try_clone().unwrap()));
            assert_eq!(done.code, Some(1), "{line}: {}", done.err);
            assert!(done.err.contains("writing the output"), "{line}: {}", done.err);
            tried.push(line);
        }
    }
    for line in ["--help", "--version", "help key", "key --help"] {
        let done = Done::of(writegate(line).stdout(full.try_clone().unwrap()));
        done.failed(1, &["writing the output"]);
    }
    let json = tried.iter().filter(|arguments| arguments.ends_with("--json")).count();
    let help = tried.iter().filter(|arguments| arguments.ends_with("--help")).count();
    assert!(help == COMMANDS.len() && json >= 6 && tried.len() > 30, "{tried:?}");
}

/// A program that asked for JSON gets some from every failure: the words that a person gets on standard error.
#[test]
fn with_json_a_failure_is_a_document_on_standard_output() {
    let (empty, secret) = (Empty::new(), random_secret());
    let mut failed = Vec::new();
    for (command, rest) in COMMANDS {
        let help = Done::of(&mut writegate(&format!("{command} --help"))).succeeded();
        if !help.contains("--json") {
            continue;
        }
        for line in [
            format!("{command} --json {rest}"),
            format!("{command} --{secret} --json"),
            format!("{command} --json --env --env {rest}"),
        ] {
            let done = Done::of(writegate(&line).current_dir(&empty.0).stdin(Stdio::null()));
            // Behind its own options, explain's are curl's.
            if command == "explain" && line.contains(&secret) {
                continue;
            }
            let document: Value = serde_json::from_str(&done.out).expect(&line);
            // A record needs no project, and an explanation of a request is one.
            if done.code == Some(0) || document.get("judged").is_some() {
                continue;
            }
            assert!([Some(1), Some(2)].contains(&done.code), "{line}: {done:?}");
            let said = done.err.lines().last().unwrap();
            let said = said.strip_prefix("writegate: ").unwrap();
            assert_eq!(document, json!({"ok": false, "error": said}), "{line}");
            assert!(!said.contains(&secret), "{line}: {said}");
            failed.push(command);
        }
    }
    assert_eq!(failed.len(), 12 * 3 - 3, "{failed:?}");

    // A document that was printed is the only one, and without --json there is none.
    let checkout = Checkout::keyed(KEYS);
    let check = checkout.run("check --json --only configuration,upstream");
    check.ended(1, &["of the checks did not pass"]);
    assert_eq!(check.out.lines().count(), 2, "{}", check.out);
    for line in ["token put", "key show pk_sit", "explain -- --json", "--json"] {
        let done = Done::of(writegate(line).current_dir(&empty.0).stdin(Stdio::null()));
        assert!(done.code == Some(2) && done.out.is_empty() == (line != "--json"), "{done:?}");
    }
}

#[test]
fn an_id_that_the_configuration_does_not_have_is_refused_with_the_nearest() {
    let checkout = Checkout::new(KEYS);
    let root = random_secret();
    checkout.secret(&root);
    let misplaced = random_secret();
    for line in ["session mint --key", "key show --"] {
        checkout.refuses(2, &format!("{line} pk_sit → wrangler.toml … the nearest id is pk_site"));
        let done = checkout.run(&format!("{line} {misplaced}"));
        done.failed(2, &["wrangler.toml", "--unknown-key"]);
        assert!(!done.err.contains(&misplaced), "{}", done.err);
    }
    let shown = checkout.prints("key show pk_registry --unknown-key");
    assert!(shown.contains(&testkit::token::sk(&root, "pk_registry", 1)));
    checkout.prints("session mint --key pk_registry --unknown-key --version 2");
    // A signature of a key of the registry is made, with a warning that the configuration does not have the id.
    for sign in ["url sign", "request sign GET"] {
        let done = checkout.run(&format!("{sign} {URL} --key pk_registry"));
        for words in ["no such key", "signs it anyway"] {
            assert!(done.err.contains(words), "{words}: {}", done.err);
        }
        done.succeeded();
    }
}

#[test]
fn a_key_s_secret_is_enough_in_an_empty_folder() {
    let (empty, sk) = (Empty::new(), sk());
    let mac = MacKey::new(&Secret::new(sk.as_str()));
    let [mint, sign, link] = [
        "session mint --key pk_site --ttl 2h",
        &format!("request sign --key pk_site GET {URL}"),
        &format!("url sign --key pk_site {URL}"),
    ];
    let token = empty.run(&sk, mint).succeeded();
    let (signed, tag) = token.trim().rsplit_once('.').unwrap();
    assert!(mac.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(tag).unwrap()));
    let signed = empty.run(&sk, sign).succeeded();
    assert!(signed.contains("keyid=\"pk_site\""), "{signed}");
    let signed = empty.run(&sk, link).succeeded();
    assert!(signed.starts_with(&format!("{URL}?key=pk_site&exp=")), "{signed}");
    for line in ["key show pk_site --version 2", &format!("{link} --waf")] {
        let done = empty.run(&sk, line);
        assert_ne!(done.code, Some(0), "{line}: {}", done.out);
        assert!(!done.err.contains("SIGNING_SECRET") && !done.err.contains(&sk), "{}", done.err);
    }
    let wrong = random_secret();
    let done = empty.run(&wrong, mint);
    done.failed(2, &["WRITEGATE_SK is not a key secret"]);
    assert!(!done.err.contains(&wrong), "{}", done.err);
    // A secret that was not copied exactly is named, because the gate would refuse what is made with it.
    for (wrong, fault) in [
        (sk[..30].to_owned(), "27 characters after sk_"),
        (format!("{sk}x"), "44 characters after sk_"),
        (format!("{sk};"), "a character that no key secret has"),
        (format!("\"{sk}\""), "something before sk_"),
        (format!(" {sk}"), "something before sk_"),
        (format!("WRITEGATE_SK={sk}"), "something before sk_"),
        (sk.replacen("sk_", "ss_", 1), "is not a key secret"),
    ] {
        for line in [mint, sign, link, &format!("explain -- {URL}")] {
            let done = empty.run(&wrong, line);
            done.failed(2, &["WRITEGATE_SK", fault]);
            assert!(!done.err.contains(&sk[3..]), "{}", done.err);
        }
    }
}

#[test]
fn what_looks_like_a_secret_is_never_repeated() {
    let checkout = Checkout::keyed(KEYS);
    let (sk, password) = (sk(), random_secret());
    let url = format!("https://user:{password}@gate.example/posts#x");
    let signed = format!("https://gate.example/a//b?sig={password}");
    for (line, _) in rows(&format!(
        "
        key show {sk}
        session mint --key {sk}
        url sign --key pk_site {url}
        url sign --key pk_site {signed}
        request sign --key pk_site GET {url}
        key list --gate={url}
        explain --har {sk}
        explain -- -H {sk} --bogus {password} {URL}
        explain -- {url} {signed}
        explain -- -X GET {sk} {url}
        explain -- --data-binary @{sk} {URL}
        completions {sk}
        "
    )) {
        let done = checkout.run(line);
        assert_eq!(done.code, Some(2), "{line}: {}{}", done.out, done.err);
        for secret in [&sk, &password] {
            let said = format!("{}{}", done.out, done.err);
            assert!(!said.contains(secret.as_str()), "{line}: {said}");
        }
    }
}

/// Commands with what they need to get to work, by their names and the rest.
pub(crate) const COMMANDS: [(&str, &str); 22] = [
    ("key show", "pk_site"),
    ("key new", ""),
    ("key list", ""),
    ("key update", "pk_site --name x"),
    ("key disable", "pk_site"),
    ("key import", "--gate=http://127.0.0.1:1 /dev/null"),
    ("key revoke", "--gate=http://127.0.0.1:1 pk_site"),
    ("session mint", "--key=pk_site"),
    ("request sign", "--key=pk_site GET https://gate.example/posts"),
    ("url sign", "--key=pk_site https://gate.example/posts"),
    ("token put", ""),
    ("token age", "--gate=http://127.0.0.1:1"),
    ("token rotate", "--gate=http://127.0.0.1:1"),
    ("usage", "--gate=http://127.0.0.1:1"),
    ("purge", "--gate=http://127.0.0.1:1 --route=/x"),
    ("console", "--gate=http://127.0.0.1:1 --no-open"),
    ("explain", "-- https://gate.example/posts"),
    ("check", "--only=preview-urls"),
    ("migrate", ""),
    ("route add", "'--path=/c/*' --upstream=https://c.example --secret=C --print"),
    ("init", "--local --force --skip-probe --upstream=https://c.example"),
    ("completions", "bash"),
];

/// Options of curl whose values are part of a request.
const OF_CURL: [&str; 16] = [
    "-H", "-d", "-b", "-u", "-X", "-F", "-T", "-e", "-A", "-r", "--url", "--json",
    "--data-urlencode", "--data-binary", "--oauth2-bearer", "--request-target",
];

/// Whatever takes a value is given secrets in every form: no error and no explanation has it.
#[test]
fn no_secret_comes_back_whatever_takes_it() {
    let checkout = Checkout::keyed(&format!("[vars]\nUPSTREAM = \"https://api.example\"\n{KEYS}"));
    let session = checkout.prints("session mint --key pk_site");
    let bearer = format!("Authorization: Bearer {session}");
    let secret = &random_secret();
    let forms = [
        secret.clone(),
        format!("sk_{}", &secret[..43]),
        format!("ghp_{}", &secret[..36]),
        format!("https://user:{secret}@gate.example/x"),
        format!("https://user:a/{secret}@gate.example/x?y#z"),
        format!("http://user:a b{secret}@gate.example/x"),
        format!("https://gate.example/a//b?sig={secret}"),
        format!("Authorization: Bearer {secret}"),
        format!("X-Token: {secret}"),
        format!("@{secret}"),
        format!("{secret}:{secret}"),
    ];
    let mut lines: Vec<Vec<String>> = Vec::new();
    let mut count = 0;
    for (command, rest) in COMMANDS {
        let help = checkout.prints(&format!("{command} --help"));
        let options = help.lines().filter_map(|line| {
            let (name, value) = line.trim_start().split_once(' ')?;
            let name = if name.ends_with(',') { value.split(' ').next()? } else { name };
            (name.starts_with("--") && line.contains('<')).then(|| name.to_owned())
        });
        let line = |more: &[String], last: &[String]| {
            [&words(command)[..], more, &words(rest), last].concat()
        };
        for option in options {
            for form in 0..3 {
                count += 1;
                let given = format!("{option}={}", forms[(count + form * 4) % forms.len()]);
                lines.push(line(&[given], &[]));
            }
        }
        // The folder of a new gate is made and filled by npm.
        for form in forms.iter().filter(|_| command != "init") {
            lines.push(line(&[], std::slice::from_ref(form)));
        }
    }
    for option in OF_CURL {
        for form in &forms {
            lines.push(["explain", "--", option, form, URL].map(str::to_owned).into());
            let line = ["explain", "--json", "--", option, form, "-H", &bearer, URL];
            lines.push(line.map(str::to_owned).into());
        }
    }
    assert!(lines.len() > 500, "{}", lines.len());
    let mut reported = Vec::new();
    for line in &lines {
        let mut command = checkout.command("");
        command.args(line);
        let done = Done::of(command.stdin(Stdio::null()).env_remove("WRITE_TOKEN"));
        // What is asked for is printed, and nothing else.
        let is_output = done.code == Some(0) && line[0] != "explain";
        let said = format!("{}{}", if is_output { "" } else { &done.out }, done.err);
        if said.contains(&secret[..36]) {
            reported.push(format!("{line:?}: {said}"));
        }
        assert!(!done.err.contains("panicked"), "{line:?}: {}", done.err);
    }
    assert!(reported.is_empty(), "{} of {}\n{}", reported.len(), lines.len(), reported.join("\n"));
}

#[test]
fn completions_and_man_pages_have_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = Done::of(&mut writegate(&format!("completions {shell}"))).succeeded();
        assert!(script.contains("writegate") && script.contains("unknown-key"), "{shell}");
    }
    let empty = Empty::new();
    let folder = empty.0.join("man");
    Done::of(&mut writegate(&format!("man {}", folder.display()))).succeeded();
    for page in ["writegate.1", "writegate-key-show.1", "writegate-explain.1"] {
        let page = fs::read_to_string(folder.join(page)).unwrap();
        assert!(page.starts_with(".") && page.contains(".SH"), "{page}");
    }
}
