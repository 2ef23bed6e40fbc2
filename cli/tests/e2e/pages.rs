//! Every example of every page is run unchanged, or read by what reads it in earnest. The two lists of `lists.rs` are the
//! exceptions: what another test runs, and what nothing on this machine can run.

mod lists;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use testkit::client::Request;
use testkit::docs::{Example, examples, pages};
use testkit::process::root;
use testkit::program::{found, npm, python, run};

use crate::reader::Reader;

use lists::{ELSEWHERE, NOT_HERE, entries};

/// Commands that may end with 1, because they have found something.
const FINDERS: [&str; 3] =
    ["npx writegate explain", "npx writegate check", "npx writegate token age"];

/// Returns true if a list's entry is about this example.
fn is(example: &Example, [page, language, start]: [&str; 3]) -> bool {
    example.page == page
        && example.language.as_deref().unwrap_or_default() == language
        && example.code.starts_with(start)
}

fn all() -> Vec<Example> {
    pages().into_iter().flat_map(|page| examples(&page)).collect()
}

/// Returns the examples of all pages that no list names.
fn here() -> Vec<Example> {
    let elsewhere =
        entries(ELSEWHERE).map(|[page, language, start, ..]: [_; 6]| [page, language, start]);
    let not_here = entries(NOT_HERE).map(|[page, language, start, _]| [page, language, start]);
    let listed: Vec<_> = elsewhere.chain(not_here).collect();
    let mut all = all();
    assert!(all.len() > 80, "{} examples", all.len());
    for entry in &listed {
        assert!(all.iter().any(|example| is(example, *entry)), "no such example: {entry:?}");
    }
    all.retain(|example| !listed.iter().any(|entry| is(example, *entry)));
    all
}

#[test]
fn the_lists_name_what_is_there() {
    assert!(!here().is_empty());
    for [page, language, start, test, count, takes] in entries(ELSEWHERE) {
        let text = fs::read_to_string(root().join(test)).unwrap();
        let name = page.rsplit('/').next().unwrap();
        let stem = format!("\"{}\"", name.strip_suffix(".md").unwrap());
        assert!(text.contains(name) || text.contains(&stem), "{test} does not name {page}");
        assert!(text.contains(takes), "{test} does not take {page} {start} from its page");
        let there = all().iter().filter(|example| is(example, [page, language, start])).count();
        assert_eq!(there.to_string(), count, "{page} {start}: {test} runs {count}");
    }
}

#[test]
fn every_example_does_what_it_says() {
    if !found(&["bash", "curl", "openssl", "jq"], "the examples of the pages") {
        return;
    }
    let mut wrong = Vec::new();
    let mut pages: Vec<(String, Vec<Example>)> = Vec::new();
    for example in here() {
        match pages.last_mut() {
            Some((page, list)) if *page == example.page => list.push(example),
            _ => pages.push((example.page.clone(), vec![example])),
        }
    }
    for (_, list) in &pages {
        let reader = Reader::new();
        for example in list {
            if let Err(problem) = run_one(&reader, example) {
                wrong.push(format!("{}: {problem}\n{}", example.place(), example.code));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn run_one(reader: &Reader, example: &Example) -> Result<(), String> {
    let code = &example.code;
    match example.language.as_deref() {
        None | Some("sh" | "bash") => commands(reader, code),
        Some("toml") => reader.reads(code),
        Some("json") => json_of(reader, code),
        Some("js") => script(reader, "node", code),
        Some("python") => script(reader, "python", code),
        Some("html") => page(code),
        Some("jq") => filter(code),
        Some("diff") => change(code),
        Some("text") => command_table(reader, code),
        Some(other) => Err(format!("nobody here reads {other:?}")),
    }
}

/// Runs the commands: each ends well, or has found what it was asked for; none is wrong, or not there.
fn commands(reader: &Reader, code: &str) -> Result<(), String> {
    let typed = reader.types(code);
    let may_fail = |line: &&String| {
        !FINDERS.iter().any(|finder| line.starts_with("1 ") && line.contains(finder))
    };
    let failed: Vec<&String> = typed.failed.iter().filter(may_fail).collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(format!("{failed:?}: {}{}", typed.out, typed.err)),
    }
}

/// Reads JSON; a record of a key is also read by the gate's own code.
fn json_of(reader: &Reader, code: &str) -> Result<(), String> {
    let value: Value = serde_json::from_str(code).map_err(|error| error.to_string())?;
    match value.get("id") {
        None => Ok(()),
        Some(_) => reader.reads(&format!("[vars]\nKEYS = '''{}'''\n", json!([value]))),
    }
}

/// Runs a client's script, at whose end there is an answer of the gate or a session that the gate takes.
fn script(reader: &Reader, language: &str, code: &str) -> Result<(), String> {
    let gate = format!("http://127.0.0.1:{}", reader.stage.front.port);
    let (mut command, code) = match language {
        "node" => {
            // The page's own address, and what the page has made before.
            let before = format!(
                "const real = globalThis.fetch; globalThis.token = 'solved'; globalThis.session = process.env.SESSION;
                 globalThis.fetch = (url, init) => real(url.replace('https://gate.example.com', '{gate}'), init);\n"
            );
            let after = "\nconsole.log('RESULT', typeof response === 'undefined' ? '' : response.status, session);";
            let mut node = reader.command("node");
            node.args(["--input-type=module", "-e"]).current_dir(npm());
            (node, format!("{before}{code}{after}"))
        }
        _ => {
            let Some(programs) = python("the examples of the pages") else {
                return Ok(());
            };
            let mut python = reader.command(programs.join("python").to_str().unwrap());
            python.arg("-c");
            (python, format!("{code}\nprint('RESULT', session)"))
        }
    };
    let said = run(command.arg(code).env("WRITEGATE_SK", reader.secret()), "");
    let result = said.lines().rfind(|line| line.starts_with("RESULT")).unwrap_or_default();
    let words: Vec<&str> = result.split_whitespace().skip(1).collect();
    let session = words.last().ok_or_else(|| format!("no result: {said}"))?;
    if words.len() == 2 && !words[0].starts_with('2') {
        return Err(said);
    }
    let answer = Request::post("/posts/1").bearer(session).send_to(reader.stage.front.port);
    match answer.status {
        201 => Ok(()),
        _ => Err(answer.to_string()),
    }
}

/// Checks that the script of a page is one, and that what it imports is there.
fn page(code: &str) -> Result<(), String> {
    let (_, rest) = code.split_once("<script type=\"module\">").ok_or("no script")?;
    let script = rest.split_once("</script>").ok_or("no end")?.0;
    let types = fs::read_to_string(root().join("public/_gate/client.d.ts")).unwrap();
    let imported = script.split_once("import {").and_then(|(_, rest)| rest.split_once('}'));
    for name in imported.ok_or("no import")?.0.split(',').map(str::trim) {
        let is_there = ["function", "class"].map(|kind| format!("export {kind} {name}"));
        if !is_there.iter().any(|one| types.contains(one.as_str())) {
            return Err(format!("client.js has no {name}"));
        }
    }
    let file = testkit::process::scratch("pages").join("script.mjs");
    fs::write(&file, script).unwrap();
    run(Command::new("node").arg("--check").arg(file), "");
    Ok(())
}

/// Checks that the filter of a hook makes a token with its end of a secret of Vault's.
fn filter(code: &str) -> Result<(), String> {
    let secret = json!({"lease_duration": 3600, "data": {"token": "made by Vault"}}).to_string();
    let made = run(Command::new("jq").arg("-ce").arg(code), &secret);
    let made: Value = serde_json::from_str(&made).map_err(|error| error.to_string())?;
    let is_time = made["expires_at"].as_str().is_some_and(|time| time.ends_with('Z'));
    match is_time && made["token"] == "made by Vault" {
        true => Ok(()),
        false => Err(made.to_string()),
    }
}

/// Tries a change of a file of this repository.
fn change(code: &str) -> Result<(), String> {
    run(Command::new("git").args(["apply", "--check", "-"]).current_dir(root()), code);
    Ok(())
}

/// Checks that the command has every subcommand and every option of this table.
fn command_table(reader: &Reader, code: &str) -> Result<(), String> {
    let mut known = BTreeSet::new();
    for line in code.lines().filter_map(|line| line.strip_prefix("writegate ")) {
        let usage = line.split("   ").next().unwrap();
        let words: Vec<&str> = usage
            .split([' ', ';'])
            .take_while(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
            .collect();
        for subcommand in words.last().unwrap().split('|') {
            let mut help = reader.command("writegate");
            help.args(&words[..words.len() - 1]).args([subcommand, "--help"]);
            let help = help.output().unwrap();
            let text = String::from_utf8(help.stdout).unwrap();
            if !help.status.success() {
                return Err(format!("no {line}"));
            }
            for option in usage
                .split([' ', ',', '[', ']', '(', ')'])
                .filter(|word| word.starts_with("--") && word.len() > 2)
            {
                let is_there = text.contains(option);
                known.insert((option.to_owned(), usage.to_owned(), is_there));
            }
        }
    }
    // Where a line has several subcommands, one of them has the option.
    let lacks = known.iter().find(|(option, usage, there)| {
        !there && !known.contains(&(option.clone(), usage.clone(), true))
    });
    match (known.is_empty(), lacks) {
        (false, None) => Ok(()),
        (_, lacks) => Err(format!("not so: {lacks:?}")),
    }
}
