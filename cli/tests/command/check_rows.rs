//! `writegate check` as a script meets it: which rows there are, exit codes, and rows for which another
//! program is asked.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::check_setup::{Gate, WELL};
use crate::checkout::{Done, random_secret};

/// The rows, whose names scripts rely on.
const ROWS: [&str; 22] = [
    "configuration", "upstream", "environments", "compatibility-date", "preview-urls",
    "workers-dev", "schedule", "audit-log", "logpush", "bindings", "open-keys", "admin-keys",
    "example-key", "secrets", "previous-root", "root-length", "turnstile", "dev-vars",
    "leaks-in-tree", "leaks-in-history", "rotation", "token-privilege",
];

#[test]
fn a_gate_with_which_all_is_well_passes() {
    let gate = Gate::well();
    let done = gate.check("--json");
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{}", done.out);
    let rows: Vec<Value> =
        done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = rows.iter().map(|row| row["check"].as_str().unwrap()).collect();
    assert_eq!(names, ROWS);
    for row in &rows {
        // Nobody said which gate to ask.
        let expected = if row["check"] == "rotation" { "warn" } else { "ok" };
        assert_eq!(row["status"], expected, "{row}");
        assert!(!row["evidence"].as_str().unwrap().is_empty());
    }

    let people = gate.check("");
    assert_eq!(people.code, Some(0));
    for name in ROWS {
        assert!(people.out.contains(&format!("  {name} ")), "{name} in {}", people.out);
    }
    assert!(people.out.contains("→ pass --gate https://gate.example.com"), "{}", people.out);
    let strict = gate.check("--strict");
    assert_eq!(strict.code, Some(1));
    assert_eq!(strict.err, "writegate: 1 of the checks did not pass: rotation\n");
    let one = gate.check("--strict --only upstream --only secrets");
    assert_eq!((one.code, one.out.lines().count()), (Some(0), 2), "{}", one.out);
}

/// The table of docs/check.md has them in the same order.
#[test]
fn the_rows_are_described() {
    let text = include_str!("../../../docs/check.md");
    let table = text.split("| row | looks at |").nth(1).unwrap();
    let rows = table.lines().skip(2).map_while(|line| {
        let (name, _) = line.strip_prefix("| `")?.split_once('`')?;
        Some(name)
    });
    assert_eq!(rows.collect::<Vec<_>>(), ROWS);
}

#[test]
fn a_row_that_fails_is_the_exit_code() {
    let gate = Gate::of(&WELL.replace("cms.example.org", "api.example.com"));
    let done = gate.check("--json");
    assert_eq!(done.code, Some(1));
    assert_eq!(done.err, "writegate: 1 of the checks did not pass: upstream\n");
    gate.says("upstream", "fail", "api.example.com");
}

#[test]
fn what_is_asked_wrongly_has_code_2() {
    let gate = Gate::well();
    gate.checkout.refuses(
        2,
        "
        check --only no-such-check
        check --as pk_admin
        check --gate gate.example.com
        check --env
        check --env staging → --env … has no [env.…]
        ",
    );
}

#[test]
fn a_file_that_is_no_toml_is_one_row_and_the_others_point_to_it() {
    let gate = Gate::of("name = \"a\"\nsecret = hunter2hunter2\n");
    let row = gate.says("configuration", "fail", "line 2");
    assert!(!row.to_string().contains("hunter2"), "{row}");
    gate.says("upstream", "warn", "not checked");
    gate.says("preview-urls", "warn", "not checked");
    gate.says("leaks-in-tree", "ok", "nothing");
}

#[test]
fn an_environment_is_looked_at_by_its_name() {
    let staging = "[env.staging]\npreview_urls = true\n[env.staging.vars]\nUPSTREAM = \"https://api.example.com\"\n";
    let gate = Gate::of(&format!("{WELL}{staging}"));
    // The real wrangler takes the name too.
    gate.wrangler(
        "if (process.argv.slice(-2).join(' ') !== '--env staging') process.exit(1);
         console.log('[{\"name\":\"WRITE_TOKEN\"}]')",
    );
    let rows = gate.check("--json --env staging");
    let row = |name: &str| {
        let rows = rows.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.into_iter().find(|row| row["check"] == name).unwrap()
    };
    assert_eq!(row("upstream")["status"], "fail");
    assert_eq!(row("preview-urls")["status"], "fail");
    assert_eq!(row("compatibility-date")["status"], "ok");
    let secrets = row("secrets");
    assert_eq!(secrets["status"], "fail");
    assert_eq!(secrets["hint"], "npx wrangler secret put SIGNING_SECRET --env staging");
    gate.says("upstream", "ok", "cms.example.org");
    gate.says("environments", "fail", "[env.staging] lacks vars.KEYS");

    let misplaced = random_secret();
    let done = gate.check(&format!("--env {misplaced}"));
    done.failed(2, &["--env", "it has staging"]);
    assert!(!done.err.contains(&misplaced), "{}", done.err);
}

#[test]
fn secrets_are_what_wrangler_says() {
    let gate = Gate::well();
    gate.wrangler("console.log('[{\"name\":\"SIGNING_SECRET\",\"type\":\"secret_text\"}]')");
    gate.says("secrets", "fail", "not set: WRITE_TOKEN");
    gate.wrangler("console.error('✘ [ERROR] Worker \"writegate\" not found.\\n\\nIf this is…'); process.exit(1)");
    gate.says("secrets", "fail", "no secret is set … not found");
    gate.wrangler(
        "console.error('✘ [ERROR] it is necessary to set a CLOUDFLARE_API_TOKEN'); process.exit(1)",
    );
    let row = gate.says("secrets", "warn", "cannot see … CLOUDFLARE_API_TOKEN");
    assert!(row["hint"].as_str().unwrap().contains("wrangler login"));
    gate.wrangler("console.log('a banner')");
    gate.says("secrets", "warn", "cannot see");
    // Nothing is installed for it.
    fs::remove_dir_all(gate.checkout.0.join("node_modules")).unwrap();
    let row = gate.says("secrets", "warn", "not installed");
    assert_eq!(row["hint"], "npm ci");
}

#[test]
fn wrangler_sees_no_secret() {
    let gate = Gate::well();
    gate.wrangler(
        "const { SIGNING_SECRET, WRITE_TOKEN } = process.env;
         console.log(JSON.stringify([{ name: SIGNING_SECRET ?? 'SIGNING_SECRET' }, { name: WRITE_TOKEN ?? 'WRITE_TOKEN' }]))",
    );
    let variables = [("SIGNING_SECRET", gate.root.as_str()), ("WRITE_TOKEN", &gate.token)];
    gate.says_with("secrets", &variables, "ok", "");
}

#[test]
fn git_must_not_have_the_file_with_the_secrets() {
    let gate = Gate::well();
    gate.says("dev-vars", "ok", ".dev.vars");
    let file = gate.checkout.0.join(".dev.vars");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    gate.says("dev-vars", "warn", "others");
    gate.checkout.file(".gitignore", "/node_modules\n/cache\n");
    gate.says("dev-vars", "fail", "does not ignore .dev.vars");
    gate.commit("Take it");
    gate.says("dev-vars", "fail", "git tracks .dev.vars");
    // Ignoring it afterwards does not take it out.
    gate.checkout.file(".gitignore", ".dev.vars*\n/node_modules\n/cache\n");
    gate.says("dev-vars", "fail", "git tracks .dev.vars");
    gate.git(&["rm", "--quiet", "--cached", ".dev.vars"]);
    fs::remove_file(&file).unwrap();
    gate.says("dev-vars", "ok", "would ignore");
    gate.checkout.file(".gitignore", "");
    gate.says("dev-vars", "fail", "does not ignore");
    gate.checkout.file(".dev.vars.example", "WRITE_TOKEN=\n");
    gate.checkout.file(".gitignore", ".dev.vars\n");
    gate.says("dev-vars", "ok", "no .dev.vars here");
}

#[test]
fn white_space_at_the_end_of_a_secret_is_found_where_it_is_kept() {
    let gate = Gate::well();
    let (root, token) = (&gate.root, &gate.token);
    for (text, names) in [
        (format!("SIGNING_SECRET=\"{root} \"\nWRITE_TOKEN={token}\n"), "SIGNING_SECRET:"),
        (format!("SIGNING_SECRET='{root}\n'\nWRITE_TOKEN={token}\n"), "SIGNING_SECRET:"),
        (format!("SIGNING_SECRET={root}\nWRITE_TOKEN=`{token}\t`\n"), "WRITE_TOKEN:"),
        (
            format!("SIGNING_SECRET=\"{root}\\n\"\nWAF_SECRET=\"{token}\u{feff}\""),
            "SIGNING_SECRET, WAF_SECRET:",
        ),
    ] {
        gate.checkout.file(".dev.vars", &text);
        let words = format!("{names} … white space at the end … secret bulk");
        gate.says("dev-vars", "warn", &words);
    }
    // dotenv cuts these off itself; another variable is no secret; and white space at the front is part of both.
    for text in [
        format!("SIGNING_SECRET={root}  \t\nWRITE_TOKEN={token} # a comment\n"),
        format!("SIGNING_SECRET={root}\nGREETING=\"hello \"\n"),
        format!("SIGNING_SECRET=\" {root}\"\r\n"),
    ] {
        gate.checkout.file(".dev.vars", &text);
        gate.says("dev-vars", "ok", ".dev.vars");
    }
}

#[test]
fn where_there_is_no_git_nothing_is_well() {
    let gate = Gate::well();
    fs::remove_dir_all(gate.checkout.0.join(".git")).unwrap();
    for check in ["dev-vars", "leaks-in-tree", "leaks-in-history"] {
        gate.says(check, "warn", "not a git repository");
    }
    gate.says_with("leaks-in-tree", &[("PATH", "/no-such-folder")], "warn", "");
    // A folder that another repository ignores is not under its care.
    let inner = gate.checkout.0.parent().unwrap().join("check-around");
    let _gone = fs::remove_dir_all(&inner);
    fs::create_dir_all(&inner).unwrap();
    fs::rename(&gate.checkout.0, inner.join("gate")).unwrap();
    fs::write(inner.join(".gitignore"), "/gate\n").unwrap();
    let init =
        std::process::Command::new("git").args(["init", "--quiet"]).current_dir(&inner).status();
    assert!(init.unwrap().success());
    let mut command = gate.command("--json --only leaks-in-tree");
    let done = Done::of(command.current_dir(inner.join("gate")));
    let row: Value = serde_json::from_str(&done.out).unwrap();
    assert!(row["evidence"].as_str().unwrap().contains("ignored by the git repository"), "{row}");
}
