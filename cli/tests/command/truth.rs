//! The command as it meets mistakes, callers who have only a key's secret, and readers that go away.

mod arguments;

use std::path::PathBuf;
use std::{fs, io};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use writegate::{KeyId, MacKey, Secret, derive_sk};

use crate::checkout::{Checkout, Done, random_secret, writegate};

const KEYS: &str =
    "[[vars.KEYS]]\nid = \"pk_site\"\nversion = 3\n[[vars.KEYS]]\nid = \"pk_other\"\n";
const URL: &str = "https://gate.example/posts";

/// An empty folder that is in no project.
struct Empty(PathBuf);

impl Empty {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("writegate-{}", random_secret()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn run(&self, sk: &str, arguments: &[&str]) -> Done {
        Done::of(writegate(arguments).current_dir(&self.0).env("WRITEGATE_SK", sk))
    }
}

impl Drop for Empty {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn sk() -> String {
    let id = KeyId::parse("pk_site").unwrap();
    let sk = derive_sk(&Secret::new(random_secret()), &id, 1);
    sk.expose_str().unwrap().to_owned()
}

#[track_caller]
fn claims(token: &str) -> Value {
    let part = token.trim().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn an_unknown_command_proposes_the_nearest_and_is_not_repeated() {
    let secret = random_secret();
    for (arguments, words) in [
        (["key", "shwo"].as_slice(), ["no such command", "did you mean key show?"]),
        (&["sesion"], ["no such command", "did you mean session?"]),
        (&["mint"], ["no such command", "did you mean session mint?"]),
        (&["sign"], ["no such command", "request sign, or url sign"]),
        (&["rotate"], ["no such command", "did you mean token rotate?"]),
        (&[&secret], ["no such command", "expected one of init, build"]),
        (&["key", "pk_site"], ["no such command", "expected one of new, update"]),
        (&["key", "create"], ["no such command", "expected one of new, update"]),
        (&["key", "mint"], ["no such command", "did you mean session mint?"]),
        (&["session", "mnit"], ["no such command", "did you mean session mint?"]),
        (&["token", "list"], ["no such command", "did you mean key list?"]),
        (&["key", "miint"], ["no such command", "expected one of new, update"]),
        (&["logout"], ["no such command", "expected one of init, build"]),
        (&["key", "list", "--json"], ["--json is no option here", "the output is JSON anyway"]),
        (&["usage", "--gate=http://127.0.0.1:1", "--json"], ["--json", "JSON anyway"]),
        (&["console", "--gate=http://127.0.0.1:1", "--json"], ["--json is no option here (", ""]),
        (&["key", "list", "pk_site"], ["an argument too many; a secret", ""]),
    ] {
        let done = Done::of(&mut writegate(arguments));
        done.failed(2, &words);
        assert!(!done.err.contains(&secret), "{}", done.err);
    }
    for help in
        [["help"].as_slice(), &["help", "key", "show"], &["key", "help"], &["key", "show", "-h"]]
    {
        assert!(
            Done::of(&mut writegate(help)).succeeded().contains("Usage: writegate"),
            "{help:?}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let checkout = Checkout::new(KEYS);
    checkout.secret(&random_secret());
    let closed = || {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        writer
    };
    for arguments in [
        ["key", "show", "pk_site"].as_slice(),
        &["session", "mint", "--key", "pk_site"],
        &["explain", "--", URL],
        &["check", "--only", "preview-urls"],
        &["completions", "bash"],
        &["key", "new"],
    ] {
        let done = Done::of(checkout.command(arguments).stdout(closed()));
        assert_eq!(done.code, Some(0), "{arguments:?}: {}", done.err);
        assert!(!done.err.contains("panicked"), "{arguments:?}: {}", done.err);
    }
    for (command, rest) in COMMANDS {
        for arguments in [[command, rest].concat(), [command, &["--help"]].concat()] {
            let mut run = checkout.command(&arguments);
            let done = Done::of(run.stdout(closed()).stdin(std::process::Stdio::null()));
            assert!(done.code.is_some_and(|code| code <= 2), "{arguments:?}: {:?}", done.code);
            assert!(!done.err.contains("panicked"), "{arguments:?}: {}", done.err);
        }
    }
    // The exit code is right even if nobody reads the reason.
    let mut command = checkout.command(&["key", "show", "pk_sites"]);
    assert_eq!(command.stderr(closed()).status().unwrap().code(), Some(2));
}

/// Whatever prints something where nothing can be written says so.
#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else {
        return;
    };
    let checkout = Checkout::new(KEYS);
    checkout.secret(&random_secret());
    let mut tried = Vec::new();
    for (command, rest) in COMMANDS {
        let json = [command, rest, &["--json"]].concat();
        for arguments in [[command, rest].concat(), [command, &["--help"]].concat(), json] {
            let run = || {
                let mut run = checkout.command(&arguments);
                run.stdin(std::process::Stdio::null());
                run
            };
            if Done::of(&mut run()).out.is_empty() {
                continue;
            }
            let done = Done::of(run().stdout(full.try_clone().unwrap()));
            assert_eq!(done.code, Some(1), "{arguments:?}: {}", done.err);
            assert!(done.err.contains("writing the output"), "{arguments:?}: {}", done.err);
            tried.push(arguments.join(" "));
        }
    }
    for arguments in [["--help"].as_slice(), &["--version"], &["help", "key"], &["key", "--help"]] {
        let done = Done::of(writegate(arguments).stdout(full.try_clone().unwrap()));
        done.failed(1, &["writing the output"]);
    }
    let json = tried.iter().filter(|arguments| arguments.ends_with("--json")).count();
    let help = tried.iter().filter(|arguments| arguments.ends_with("--help")).count();
    assert!(help == COMMANDS.len() && json >= 6 && tried.len() > 30, "{tried:?}");
}

#[test]
fn an_id_that_the_configuration_does_not_have_is_refused_with_the_nearest() {
    let checkout = Checkout::new(KEYS);
    let root = random_secret();
    checkout.secret(&root);
    let misplaced = random_secret();
    for arguments in [["session", "mint", "--key"], ["key", "show", "--"]] {
        for (id, words) in [("pk_sit", "the nearest id is pk_site"), (&misplaced, "--unknown-key")]
        {
            let done = checkout.run(&[&arguments[..], &[id]].concat());
            done.failed(2, &["wrangler.toml", words]);
            assert!(!done.err.contains(&misplaced), "{}", done.err);
        }
    }
    let shown = checkout.run(&["key", "show", "pk_registry", "--unknown-key"]).succeeded();
    let id = KeyId::parse("pk_registry").unwrap();
    assert!(shown.contains(derive_sk(&Secret::new(root.as_str()), &id, 1).expose_str().unwrap()));
    let mint = ["session", "mint", "--key", "pk_registry", "--unknown-key", "--version", "2"];
    checkout.run(&mint).succeeded();
    // A signature of a key of the registry is made, with a warning that the configuration does not have the id.
    for sign in [&["url", "sign"][..], &["request", "sign", "GET"]] {
        let done = checkout.run(&[sign, &[URL, "--key", "pk_registry"]].concat());
        for words in ["no such key", "signed all the same"] {
            assert!(done.err.contains(words), "{words}: {}", done.err);
        }
        done.succeeded();
    }
}

#[test]
fn a_key_s_secret_is_enough_in_an_empty_folder() {
    let (empty, sk) = (Empty::new(), sk());
    let mac = MacKey::new(&Secret::new(sk.as_str()));
    let token = empty.run(&sk, &["session", "mint", "--key", "pk_site", "--ttl", "2h"]).succeeded();
    let (signed, tag) = token.trim().rsplit_once('.').unwrap();
    assert!(mac.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(tag).unwrap()));
    let link = empty.run(&sk, &["url", "sign", "--key", "pk_site", URL]).succeeded();
    assert!(link.starts_with(&format!("{URL}?key=pk_site&exp=")), "{link}");
    let signed = empty.run(&sk, &["request", "sign", "--key", "pk_site", "GET", URL]).succeeded();
    assert!(signed.contains("keyid=\"pk_site\""), "{signed}");
    for arguments in [
        ["key", "show", "pk_site", "--version", "2"].as_slice(),
        &["url", "sign", "--waf", "--key", "pk_site", URL],
    ] {
        let done = empty.run(&sk, arguments);
        assert_ne!(done.code, Some(0), "{arguments:?}: {}", done.out);
        assert!(!done.err.contains("SIGNING_SECRET") && !done.err.contains(&sk), "{}", done.err);
    }
    let wrong = random_secret();
    let done = empty.run(&wrong, &["session", "mint", "--key", "pk_site"]);
    done.failed(2, &["WRITEGATE_SK is no key secret"]);
    assert!(!done.err.contains(&wrong), "{}", done.err);
    // A secret that was not copied exactly is named, because the gate would refuse what is made with it.
    for (wrong, fault) in [
        (sk[..30].to_owned(), "27 characters after sk_"),
        (format!("{sk}x"), "44 characters after sk_"),
        (format!("{sk};"), "a character that is in no key secret"),
        (format!("\"{sk}\""), "something before sk_"),
        (format!(" {sk}"), "something before sk_"),
        (format!("WRITEGATE_SK={sk}"), "something before sk_"),
        (sk.replacen("sk_", "ss_", 1), "is no key secret"),
    ] {
        for arguments in [
            ["session", "mint", "--key", "pk_site"].as_slice(),
            &["request", "sign", "--key", "pk_site", "GET", URL],
            &["url", "sign", "--key", "pk_site", URL],
            &["explain", "--", URL],
        ] {
            let done = empty.run(&wrong, arguments);
            done.failed(2, &["WRITEGATE_SK", fault]);
            assert!(!done.err.contains(&sk[3..]), "{}", done.err);
        }
    }
}

#[test]
fn what_looks_like_a_secret_is_never_repeated() {
    let checkout = Checkout::new(KEYS);
    checkout.secret(&random_secret());
    let (sk, password) = (sk(), random_secret());
    let url = format!("https://user:{password}@gate.example/posts#x");
    let signed = format!("https://gate.example/a//b?sig={password}");
    let gate = format!("--gate={url}");
    for arguments in [
        ["key", "show", sk.as_str()].as_slice(),
        &["session", "mint", "--key", &sk],
        &["url", "sign", "--key", "pk_site", &url],
        &["url", "sign", "--key", "pk_site", &signed],
        &["request", "sign", "--key", "pk_site", "GET", &url],
        &["key", "list", &gate],
        &["explain", "--har", &sk],
        &["explain", "--", "-H", &sk, "--bogus", &password, URL],
        &["explain", "--", &url, &signed],
        &["explain", "--", "-X", "GET", &sk, &url],
        &["explain", "--", "--data-binary", &format!("@{sk}"), URL],
        &["completions", &sk],
    ] {
        let done = checkout.run(arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {}{}", done.out, done.err);
        for secret in [&sk, &password] {
            let said = format!("{}{}", done.out, done.err);
            assert!(!said.contains(secret.as_str()), "{arguments:?}: {said}");
        }
    }
}

/// Commands with what they need to get to work, by their names and the rest.
const COMMANDS: [(&[&str], &[&str]); 20] = [
    (&["key", "show"], &["pk_site"]),
    (&["key", "new"], &[]),
    (&["key", "list"], &[]),
    (&["key", "update"], &["pk_site"]),
    (&["key", "disable"], &["pk_site"]),
    (&["key", "import"], &["--gate=http://127.0.0.1:1", "/dev/null"]),
    (&["key", "revoke"], &["--gate=http://127.0.0.1:1", "pk_site"]),
    (&["session", "mint"], &["--key=pk_site"]),
    (&["request", "sign"], &["--key=pk_site", "GET", URL]),
    (&["url", "sign"], &["--key=pk_site", URL]),
    (&["token", "put"], &[]),
    (&["token", "age"], &["--gate=http://127.0.0.1:1"]),
    (&["usage"], &["--gate=http://127.0.0.1:1"]),
    (&["purge"], &["--gate=http://127.0.0.1:1"]),
    (&["explain"], &["--", URL]),
    (&["check"], &["--only=preview-urls"]),
    (&["migrate"], &[]),
    (&["route", "add"], &["--path=/c/*", "--upstream=https://c.example", "--secret=C", "--print"]),
    (&["init"], &["--local", "--force", "--skip-probe", "--upstream=https://c.example"]),
    (&["completions"], &["bash"]),
];
/// Options of curl whose values are part of a request.
const OF_CURL: [&str; 16] = [
    "-H", "-d", "-b", "-u", "-X", "-F", "-T", "-e", "-A", "-r", "--url", "--json",
    "--data-urlencode", "--data-binary", "--oauth2-bearer", "--request-target",
];

/// Whatever takes a value is given secrets in every form: no error and no explanation has it.
#[test]
fn no_secret_comes_back_whatever_takes_it() {
    let checkout = Checkout::new(&format!("[vars]\nUPSTREAM = \"https://api.example\"\n{KEYS}"));
    checkout.secret(&random_secret());
    let bearer = ["session", "mint", "--key", "pk_site"];
    let bearer = format!("Authorization: Bearer {}", checkout.run(&bearer).succeeded().trim());
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
        let help = Done::of(&mut writegate(&[command, &["--help"]].concat())).succeeded();
        let options = help.lines().filter_map(|line| {
            let (name, value) = line.trim_start().split_once(' ')?;
            let name = if name.ends_with(',') { value.split(' ').next()? } else { name };
            (name.starts_with("--") && line.contains('<')).then(|| name.to_owned())
        });
        let line = |more: &[&str], last: &[&str]| -> Vec<String> {
            [command, more, rest, last].concat().into_iter().map(str::to_owned).collect()
        };
        for option in options {
            for form in 0..3 {
                count += 1;
                let given = format!("{option}={}", forms[(count + form * 4) % forms.len()]);
                lines.push(line(&[&given], &[]));
            }
        }
        // The folder of a new gate is made and filled by npm.
        for form in forms.iter().filter(|_| command != ["init"]) {
            lines.push(line(&[], &[form]));
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
        let arguments: Vec<&str> = line.iter().map(String::as_str).collect();
        let mut command = checkout.command(&arguments);
        let done = Done::of(command.stdin(std::process::Stdio::null()).env_remove("WRITE_TOKEN"));
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
        let script = Done::of(&mut writegate(&["completions", shell])).succeeded();
        assert!(script.contains("writegate") && script.contains("unknown-key"), "{shell}");
    }
    let empty = Empty::new();
    let folder = empty.0.join("man");
    Done::of(&mut writegate(&["man", folder.to_str().unwrap()])).succeeded();
    for page in ["writegate.1", "writegate-key-show.1", "writegate-explain.1"] {
        let page = fs::read_to_string(folder.join(page)).unwrap();
        assert!(page.starts_with(".") && page.contains(".SH"), "{page}");
    }
}
