//! The commands that the pages name within their sentences: each subcommand and each of its options is there.

use std::collections::BTreeMap;
use std::fs;

use testkit::docs::pages;
use testkit::process::root;

use crate::checkout::{Done, writegate};

/// Returns the commands of a page that are in its sentences and tables, without the program's name.
fn commands(page: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let prose: String = text.split("```").step_by(2).collect();
    let quoted = prose.split('`').skip(1).step_by(2);
    let begins = ["npx writegate ", "cargo run -- "];
    let command =
        |code: &str| begins.iter().find_map(|begin| code.strip_prefix(begin)).map(str::to_owned);
    quoted.filter_map(|code| command(&code.replace('\n', " "))).collect()
}

#[test]
fn every_command_in_a_sentence_is_one() {
    let mut helps: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut help = |words: &[&str]| {
        let subcommand = words.join(" ");
        let shown = helps.entry(subcommand.clone()).or_insert_with(|| {
            let done = Done::of(&mut writegate(&format!("{subcommand} --help")));
            (done.code == Some(0)).then_some(done.out)
        });
        shown.clone()
    };
    let (mut wrong, mut found) = (Vec::new(), 0);
    for page in pages() {
        for command in commands(&page) {
            found += 1;
            // What is behind `--` is curl's.
            let own = command.split(" -- ").next().unwrap_or_default();
            let is_word = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
            let words: Vec<&str> = own.split(' ').take_while(is_word).take(2).collect();
            // The second word may be an argument, unless the first has subcommands.
            let by_itself = help(&words[..1]).filter(|shown| !shown.contains("Commands:"));
            let shown = help(&words).or(by_itself);
            let options = own
                .split([' ', '[', ']', '='])
                .filter(|word| word.len() > 2 && word.starts_with("--"));
            let is_there =
                |option: &str| shown.as_ref().is_some_and(|shown| shown.contains(option));
            let mut lacking = options.filter(|option| *option != "--help" && !is_there(option));
            if shown.is_none() || lacking.next().is_some() {
                wrong.push(format!("{page}: {command}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(found > 50, "{found} commands");
}

/// The list is a block, in which a command may have several lines and a line several commands.
#[test]
fn the_contract_lists_every_command_and_only_options_that_are_there() {
    let page = fs::read_to_string(root().join("docs/wire-contract.md")).unwrap();
    let list = page.split_once("\n## 10. Commands\n").unwrap().1.split("```").nth(1).unwrap();
    let list = list.replace("cargo run -- ", "writegate ").replace("; writegate ", "\nwritegate ");
    let lines: Vec<&str> =
        list.lines().filter_map(|line| line.strip_prefix("writegate ")).collect();
    let help = |words: &str| Done::of(&mut writegate(&format!("{words} --help"))).out;
    let subcommands = |help: &str| -> Vec<String> {
        let listed = help.split_once("Commands:\n").map_or("", |(_, rest)| rest);
        let names = listed.lines().take_while(|line| !line.is_empty());
        let names = names.filter_map(|line| line.split_whitespace().next().map(str::to_owned));
        names.filter(|name| name != "help").collect()
    };
    let mut wrong = Vec::new();
    let mut is_listed = |command: &str, name: &str, shown: &str| {
        let has_name = |line: &&&str| {
            let mut words = line.split([' ', ';']);
            let begins = command.is_empty() || words.next() == Some(command);
            begins && words.next().is_some_and(|word| word.split('|').any(|one| one == name))
        };
        let found: Vec<_> = lines.iter().filter(has_name).collect();
        if found.is_empty() {
            wrong.push(format!("{command} {name}: not there"));
        }
        for option in found.iter().flat_map(|line| line.split([' ', '[', ']', '(', ')', ';'])) {
            if option.len() > 2 && option.starts_with("--") && !shown.contains(option) {
                wrong.push(format!("{command} {name}: {option}"));
            }
        }
    };
    for command in subcommands(&help("")) {
        let shown = help(&command);
        let below = subcommands(&shown);
        if below.is_empty() {
            is_listed("", &command, &shown);
        }
        for name in below {
            is_listed(&command, &name, &help(&format!("{command} {name}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
