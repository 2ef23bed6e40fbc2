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
