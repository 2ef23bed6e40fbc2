//! The project that the command reads is the one that wrangler would, in every way in which files may be written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testkit::token::sk;

use crate::checkout::{Checkout, Done, Empty, random_secret, rows, writegate};
use crate::truth::COMMANDS;

const ONE: &str = "[[vars.KEYS]]\nid = \"pk_live\"\nversion = 1\n";
const GATE: &str = "--gate=http://127.0.0.1:1";
const STAGED: &str = "[[vars.KEYS]]\nid = \"pk_live\"\nversion = 1\n\
    [[env.production.vars.KEYS]]\nid = \"pk_live\"\nversion = 3\n[env.staging]\n";

/// Returns the secret that `key show` prints, and what it says.
#[track_caller]
fn shown(checkout: &Checkout, line: &str) -> (String, String) {
    let done = checkout.run(&format!("key show {line}"));
    assert_eq!(done.code, Some(0), "{}", done.err);
    let record: Value = serde_json::from_str(&done.out).unwrap();
    (record["sk"].as_str().unwrap().to_owned(), done.err)
}

#[test]
fn the_nearest_folder_has_the_project_and_wrangler_s_other_choice_is_named() {
    let outer = Checkout::new("");
    let (root, other) = (random_secret(), random_secret());
    outer.file("wrangler.jsonc", "{ \"name\": \"other\" }");
    outer.secret(&other);
    let inner = Checkout(outer.0.join("inner/folder"));
    fs::create_dir_all(inner.0.join("below")).unwrap();
    inner.file("wrangler.toml", ONE);
    inner.secret(&root);
    for folder in [inner.0.clone(), inner.0.join("below")] {
        let (found, reported) = shown(&Checkout(folder), "pk_live");
        assert_eq!(found, sk(&root, "pk_live", 1));
        assert!(reported.contains("wrangler.jsonc") && reported.contains("--config"), "{reported}");
    }
    // In one folder, JSON comes first.
    let json = r#"{"vars": {"KEYS": [{"id": "pk_json", "version": 2}]}}"#;
    inner.file("wrangler.jsonc", json);
    assert_eq!(shown(&inner, "pk_json"), (sk(&root, "pk_json", 2), String::new()));
    let json = "{ // a comment\n \"vars\": { \"KEYS\": [{ \"id\": \"pk_first\" },], }, }";
    inner.file("wrangler.json", &format!("\u{feff}{json}"));
    assert_eq!(shown(&inner, "pk_first").0, sk(&root, "pk_first", 1));
}

/// Returns every command that reads a project, with what it needs; `records` is a file to import.
fn commands(records: &str) -> Vec<String> {
    let others = ["completions", "key new"];
    let commands = COMMANDS.iter().filter(|(command, _)| !others.contains(command));
    let line = |(command, rest): &(&str, &str)| {
        format!("{command} {}", rest.replace("/dev/null", records).replace("--print", ""))
    };
    commands.map(line).chain([format!("key new {GATE}"), "key new --write".to_owned()]).collect()
}

#[test]
fn wrangler_s_redirection_is_refused() {
    let checkout = Checkout::keyed(ONE);
    fs::create_dir_all(checkout.0.join(".wrangler/deploy")).unwrap();
    checkout.file(".wrangler/deploy/config.json", "{ \"configPath\": \"../../other.json\" }");
    // In the folder, and in any above it, as wrangler looks for it.
    fs::create_dir_all(checkout.0.join("gate/below")).unwrap();
    let gate = Checkout(checkout.0.join("gate"));
    gate.file("wrangler.toml", ONE);
    gate.secret(&random_secret());
    let records = gate.file("records.json", "{\"id\": \"pk_new\"}");
    for folder in [checkout.0.clone(), gate.0.clone(), gate.0.join("below")] {
        let folder = Checkout(folder);
        let more = [
            "init --secrets-only",
            "init my-gate --local --preset cloudflare-api --path /client/v4/x",
        ];
        for line in commands(&records).iter().map(String::as_str).chain(more) {
            folder.refuses(2, &format!("{line} → .wrangler/deploy/config.json"));
        }
        assert!(!folder.0.join("my-gate").exists());
    }
    // A caller's own project is of no interest, whatever is in it.
    let sk = sk(&random_secret(), "pk_live", 1);
    for (name, text) in
        [(".gitignore", ""), ("wrangler.jsonc", "{ \"name\": \"site\" }"), ("wrangler.json", "{")]
    {
        checkout.file(name, text);
        if name == "wrangler.jsonc" {
            fs::remove_dir_all(checkout.0.join(".wrangler")).unwrap();
        }
        let mut command = checkout.command("session mint --key pk_live --ttl 2h");
        let done = Done::of(command.env("WRITEGATE_SK", &sk)).succeeded();
        assert!(done.starts_with("eyJ"), "{done}");
    }
}

/// `npm run deploy` in the new folder would deploy what is above it.
#[test]
fn a_new_gate_below_another_project_says_whose_configuration_wrangler_takes() {
    let outer = Checkout::new("");
    fs::remove_file(outer.0.join("Cargo.toml")).unwrap();
    let init = "init my-gate --local --preset cloudflare-api --path /client/v4/zones";
    for (name, is_told) in [("wrangler.toml", false), ("wrangler.jsonc", true)] {
        outer.file(name, "{}");
        // npm is not there.
        let done = outer.run_with_own_programs(init);
        assert_eq!(done.err.contains("wrangler by itself takes"), is_told, "{}", done.err);
        done.ended(
            1,
            &["npm: it is not on PATH: install Node.js", "my-gate is not finished: run this again"],
        );
        let _gone = fs::remove_dir_all(outer.0.join("my-gate"));
    }
}

#[test]
fn without_a_project_it_is_said_where_one_is() {
    let empty = Empty::new();
    for (line, words) in rows(
        "
        key show pk_live → wrangler.toml … WRITEGATE_SK
        check            → wrangler.jsonc … the gate's folder
        build            → checkout … git clone
        demo             → checkout … git clone
        ",
    ) {
        Done::of(writegate(line).current_dir(&empty.0)).failed(2, &words);
    }
}

#[test]
fn a_secret_is_read_as_wrangler_reads_it() {
    let checkout = Checkout::new(ONE);
    let root = random_secret();
    let right = sk(&root, "pk_live", 1);
    // The forms of these files are compared with wrangler's own reading in `project/`.
    checkout.file(".env", "SIGNING_SECRET=short\n");
    checkout.file(".dev.vars", &format!("A=1\nexport SIGNING_SECRET=\"{root} \\n\" # ours\r\n"));
    assert_eq!(shown(&checkout, "pk_live").0, right);
    fs::remove_file(checkout.0.join(".dev.vars")).unwrap();
    checkout.refuses(1, "key show pk_live → SIGNING_SECRET is 5 bytes long");
    checkout.file(".env", "SIGNING_SECRET=$OUTER\nCLOUDFLARE_INCLUDE_PROCESS_ENV=true\n");
    let mut command = checkout.command("key show pk_live");
    assert!(Done::of(command.env("OUTER", &root)).succeeded().contains(&right));
    // That of the process wins, without what `wrangler secret put` cuts off.
    for end in ["\n", " \t", "\u{a0}\u{feff}\r\n"] {
        let mut command = checkout.command("key show pk_live");
        let done = Done::of(command.env("SIGNING_SECRET", format!("{root}{end}"))).succeeded();
        assert!(done.contains(&right), "{end:?}: {done}");
    }
    // As PowerShell's `>` writes it, and wrangler reads none of it.
    let units = "SIGNING_SECRET=x\r\n".encode_utf16();
    let bytes: Vec<u8> = [0xfeff].into_iter().chain(units).flat_map(u16::to_le_bytes).collect();
    fs::write(checkout.0.join(".dev.vars"), bytes).unwrap();
    checkout.refuses(2, "key show pk_live → .dev.vars is in UTF-16 … UTF-8");
    fs::remove_file(checkout.0.join(".dev.vars")).unwrap();
    let leading = format!(" {root}");
    let mut command = checkout.command("key show pk_live");
    let done = Done::of(command.env("SIGNING_SECRET", &leading)).succeeded();
    assert!(done.contains(&sk(&leading, "pk_live", 1)), "{done}");
}

#[test]
fn an_environment_has_its_own_keys_and_secrets() {
    let checkout = Checkout::new(STAGED);
    let (root, own) = (random_secret(), random_secret());
    checkout.secret(&root);
    let (found, reported) = shown(&checkout, "pk_live");
    assert_eq!(found, sk(&root, "pk_live", 1));
    assert!(reported.contains("[env.production] in version 3"), "{reported}");
    let (found, reported) = shown(&checkout, "pk_live --env production");
    assert_eq!((found, reported.as_str()), (sk(&root, "pk_live", 3), ""));
    assert_eq!(shown(&checkout, "pk_live --env ''").0, sk(&root, "pk_live", 1));
    checkout.file(".dev.vars.production", &format!("SIGNING_SECRET={own}\n"));
    assert_eq!(shown(&checkout, "pk_live --env production").0, sk(&own, "pk_live", 3));
    // Variables are not inherited.
    checkout.refuses(2, "key show pk_live --env staging → [env.staging] … --env production");
    checkout.refuses(2, "key show pk_live --env test → it has production");
    // What says otherwise does not count.
    let reported = |more: &str, variable: &str| {
        let mut command = checkout.command(&format!("key show pk_live {more}"));
        let done = Done::of(command.env("CLOUDFLARE_ENV", variable));
        let is_told = done.err.contains("wrangler by itself takes the environment");
        assert!(done.succeeded().contains(&sk(&root, "pk_live", 1)));
        is_told
    };
    assert!(reported("", "production") && !reported("--env ''", "production"));
    assert!(!reported("", ""));
    checkout.file(".env", "CLOUDFLARE_ENV=production\n");
    assert!(reported("", ""));
    checkout.file(".env.local", "CLOUDFLARE_ENV=\n");
    assert!(!reported("", ""));
    std::fs::remove_file(checkout.0.join(".env.local")).unwrap();
    let done = checkout.run("key show pk_live");
    assert!(done.err.contains("wrangler by itself takes the environment"), "{}", done.err);
    assert!(done.succeeded().contains(&sk(&root, "pk_live", 1)));
}

#[test]
fn every_command_that_reads_a_project_takes_the_environment() {
    let checkout = Checkout::keyed(STAGED);
    let records = checkout.file("records.json", "{\"id\": \"pk_new\"}");
    // `init` makes the environment.
    for line in commands(&records).iter().filter(|line| !line.starts_with("init")) {
        let (command, rest) = line.split_once(" -- ").unwrap_or((line, ""));
        let rest = if rest.is_empty() { "" } else { &format!("-- {rest}") };
        checkout.refuses(2, &format!("{command} --env nowhere {rest} → it has production"));
    }
}

#[test]
fn variables_that_are_json_as_text_count_as_json() {
    let checkout = Checkout::new(
        "[vars]\nSESSION_MAX_TTL = \"600\"\nKEYS = '[{\"id\":\"pk_a\",\"version\":4},{\"id\":\"pk_admin\",\"admin\":true}]'\n",
    );
    let root = random_secret();
    checkout.secret(&root);
    assert_eq!(shown(&checkout, "pk_a").0, sk(&root, "pk_a", 4));
    checkout.refuses(2, "session mint --key pk_a --ttl 601 → 600 s … SESSION_MAX_TTL");
    let float = Checkout::new("[vars]\nKEYS = [{ id = \"pk_a\", version = 4.0 }]\n");
    float.secret(&root);
    assert_eq!(shown(&float, "pk_a").0, sk(&root, "pk_a", 4));
    let date = Checkout::keyed("[[vars.KEYS]]\nid = \"pk_a\"\nexpires = 2099-01-01\n");
    assert!(shown(&date, "pk_a").0.starts_with("sk_"));
    let wrong = Checkout::keyed("[vars]\nKEYS = \"[{\"\n");
    wrong.refuses(1, "key show pk_a → wrangler.toml … KEYS is not a list");
}

/// Files that read others, and what those are. None of them is a project's.
const READERS: [&str; 8] = [
    "build.rs: the Worker's source",
    "check/leaks/allowlist.rs: the allowlist of leaks",
    "check/leaks/tree.rs: whatever git has, to look for secrets",
    "checkout.rs: Cargo.toml",
    "init/package.rs: .gitignore, package.json",
    "input.rs: --har, --problem, --base, the body of a request, records to import",
    "setup/node.rs: package-lock.json",
    "tls.rs: certificates",
];

#[test]
fn one_module_opens_a_project_s_files() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    let mut folders = vec![source.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&source).unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod").next().unwrap();
            let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            let code = code.collect::<Vec<_>>().join("\n");
            let opens = ["fs::read(", "fs::read_to_string(", "File::open("];
            let parses = ["toml::from_str", "jsonc_parser::"];
            let reads = opens.iter().any(|call| code.contains(call));
            let own = parses.iter().any(|parser| code.contains(parser));
            found.insert(name, (reads, own));
        }
    }
    assert!(found["project/mod.rs"].0 && found["project/document.rs"].1);
    let readers: Vec<&str> = READERS.iter().map(|line| line.split(':').next().unwrap()).collect();
    for (name, (reads, parses)) in found {
        let is_reader = readers.contains(&name.as_str());
        let is_project = name.starts_with("project/");
        assert!(!parses || is_project, "{name} parses configurations");
        assert!(!reads || is_project || is_reader, "{name} opens files");
        assert!(reads || !is_reader, "{name} opens no files");
    }
}

/// Keys in `.dev.vars` win under `wrangler dev`, and the deployed gate does not have them.
#[test]
fn what_only_wrangler_dev_has_is_said_by_every_command() {
    let checkout = Checkout::new(STAGED);
    // Without a repository, `check` says of these files only that git could not be asked.
    let git = Command::new("git").args(["init", "--quiet"]).current_dir(&checkout.0).status();
    assert!(git.unwrap().success());
    let root = random_secret();
    let keys = "KEYS=[{\"id\":\"pk_dev\"}]";
    for (files, is_said) in [
        (vec![(".dev.vars", keys)], true),
        (vec![(".dev.vars", "ROUTES=[]")], true),
        (vec![(".env", keys)], true),
        // Hides the other.
        (vec![(".env", keys), (".dev.vars", "A=1")], false),
        (vec![(".dev.vars.production", keys)], false),
        (vec![(".dev.vars", "WRITE_TOKEN=x")], false),
    ] {
        for (name, text) in &files {
            checkout.file(name, text);
        }
        for line in [
            "key show pk_live",
            "key list",
            "session mint --key pk_live",
            "check --only turnstile",
            "explain http://gate.example/x",
            "url sign --key pk_live http://gate.example/x",
        ] {
            let mut command = checkout.command(line);
            let done = Done::of(command.env("SIGNING_SECRET", &root));
            let said = done.err.contains("counts in `wrangler dev` only");
            assert_eq!(said, is_said, "{line} {files:?}: {}", done.err);
        }
        let rows = checkout.run("check --only dev-vars --json");
        let said = rows.out.contains("so `wrangler dev` may use another");
        assert_eq!(said, is_said, "{files:?}: {}", rows.out);
        for (name, _) in &files {
            fs::remove_file(checkout.0.join(name)).unwrap();
        }
    }
    checkout.file(".dev.vars.production", keys);
    let done = checkout.run("key list --env production");
    assert!(done.err.contains("KEYS"), "{}", done.err);

    // With a list of secrets, `wrangler dev` takes no others.
    for (required, is_said) in [("WRITE_TOKEN", false), ("KEYS", true)] {
        let checkout = Checkout::new(&format!("{STAGED}[secrets]\nrequired = [\"{required}\"]\n"));
        checkout.file(".dev.vars", keys);
        let done = checkout.run("key list");
        assert_eq!(done.err.contains("counts in `wrangler dev` only"), is_said, "{}", done.err);
    }
}
