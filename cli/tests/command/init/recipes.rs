//! The configuration of each recipe is what the command above it makes, in a folder with the npm packages. After a change of either:
//! `UPDATE_RECIPES=1 cargo test --test command recipes`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::checkout::{Checkout, random_secret, root};

/// The ids in the recipes: of the first key, the operator's, the probe's.
const IDS: [&str; 3] = ["pk_first", "pk_operator", "pk_probe"];

/// Returns a folder with the packages of npm, as far as `init` looks at them.
pub(super) fn from_npm() -> Checkout {
    let folder = Checkout::new("");
    for name in ["Cargo.toml", "wrangler.toml"] {
        fs::remove_file(folder.0.join(name)).unwrap();
    }
    for name in ["writegate", "wrangler"] {
        fs::create_dir_all(folder.0.join("node_modules").join(name)).unwrap();
        folder.file(&format!("node_modules/{name}/package.json"), "{}");
    }
    folder.file("package.json", r#"{"scripts":{"dev":"","deploy":"","check":""}}"#);
    folder
}

fn page(name: &str) -> PathBuf {
    root().join(format!("docs/recipes/{name}.md"))
}

/// Returns the text before the only fence of this language, the text in it, and the text after it.
fn fence<'p>(page: &'p str, language: &str) -> (&'p str, &'p str, &'p str) {
    let opening = format!("\n```{language}\n");
    let (before, rest) = page.split_once(&opening).expect("a fence");
    assert!(!rest.contains(&opening), "two fences of {language}");
    match rest.strip_prefix("```\n") {
        Some(after) => (before, "", after),
        None => {
            let (code, after) = rest.split_once("\n```\n").expect("its end");
            (before, code, after)
        }
    }
}

/// Returns the arguments of the recipe's command, as a shell reads them.
fn arguments(page: &str) -> Vec<String> {
    let (_, command, _) = fence(page, "sh");
    let script = format!("npx() {{ shift; printf '%s\\n' \"$@\"; }}\n{command}");
    let printed = Command::new("sh").args(["-euc", &script]).output().unwrap();
    assert!(printed.status.success(), "{command}");
    let printed = String::from_utf8(printed.stdout).unwrap();
    printed.lines().map(str::to_owned).collect()
}

/// Asserts that the command of this recipe, with this on standard input, makes the configuration that the recipe shows.
fn assert_current(name: &str, input: &str) {
    let path = page(name);
    let text = fs::read_to_string(&path).unwrap();
    let arguments = arguments(&text);
    assert_eq!(arguments[0], "init", "{arguments:?}");
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    arguments.push("--local");
    let checkout = from_npm();
    checkout.fed(&arguments, input).succeeded();

    let mut made = checkout.text("wrangler.toml");
    let whole: Value = toml::from_str(&made).unwrap();
    let keys = whole["vars"]["KEYS"].as_array().unwrap();
    for (key, id) in keys.iter().zip(IDS) {
        made = made.replace(key["id"].as_str().unwrap(), id);
    }
    assert_or_update(&path, &text, &made);
}

/// Asserts that the page shows what was made, or updates it.
fn assert_or_update(path: &Path, text: &str, made: &str) {
    let (before, written, after) = fence(text, "toml");
    if std::env::var_os("UPDATE_RECIPES").is_some() {
        fs::write(path, format!("{before}\n```toml\n{made}```\n{after}")).unwrap();
    } else {
        let hint = "UPDATE_RECIPES=1 cargo test --test command recipes";
        assert_eq!(format!("{written}\n"), made, "{}: {hint}", path.display());
    }
}

#[test]
fn the_recipe_for_a_cms_is_what_init_makes() {
    assert_current("cms", &random_secret());
}

#[test]
fn the_recipe_for_workers_ai_is_what_init_makes() {
    assert_current("workers-ai", &random_secret());
}

#[test]
fn the_recipe_for_the_cloudflare_api_is_what_init_makes() {
    assert_current("cloudflare-api", &random_secret());
}

#[test]
fn the_recipe_for_images_is_what_init_makes() {
    assert_current("images", &random_secret());
}

#[test]
fn the_recipe_for_flotiq_is_what_init_makes() {
    assert_current("flotiq", &random_secret());
}

/// The commands of this recipe, one after the other, make the routes and keys that it shows.
#[test]
fn the_recipe_for_two_zones_is_what_its_commands_make() {
    let path = page("two-zones");
    let text = fs::read_to_string(&path).unwrap();
    let checkout = from_npm();
    let mut init = arguments(&text);
    init.push("--local".to_owned());
    let init: Vec<&str> = init.iter().map(String::as_str).collect();
    checkout.fed(&init, &random_secret()).succeeded();
    let (_, more, _) = fence(&text, "bash");
    let mark = "npx() { shift; printf '%s\\n' \"$@\" --; }";
    let printed = Command::new("sh").args(["-euc", &format!("{mark}\n{more}")]).output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    for command in printed.split("\n--\n").filter(|command| !command.is_empty()) {
        checkout.run(&command.lines().collect::<Vec<_>>()).succeeded();
    }

    let made = checkout.text("wrangler.toml");
    let whole: Value = toml::from_str(&made).unwrap();
    let (routes, keys) = (&whole["vars"]["ROUTES"], whole["vars"]["KEYS"].as_array().unwrap());
    let own = [&keys[0], keys.last().unwrap()];
    let first = own[0]["id"].as_str().unwrap();
    let tables = made.split("\n\n").filter(|table| {
        let is_own = own.iter().any(|key| table.contains(&format!("id = {}\n", key["id"])));
        table.contains("[[vars.ROUTES]]") || is_own
    });
    let made = tables.collect::<Vec<_>>().join("\n\n").replace(first, IDS[0]);
    assert_eq!((routes.as_array().unwrap().len(), own[1]["id"].as_str()), (2, Some("pk_second")));
    assert_or_update(&path, &text, &format!("{}\n", made.trim_end()));
}

#[test]
fn the_recipe_for_a_form_is_what_init_makes() {
    assert_current("form", &format!("{}\n{}\n", random_secret(), random_secret()));
}

/// The page of the recipe is filled with what the command was given.
#[test]
fn the_page_for_a_form_names_the_recipe_s_key_and_widget() {
    let text = fs::read_to_string(page("form")).unwrap();
    let arguments = arguments(&text);
    let given = |flag: &str| &arguments[arguments.iter().position(|a| a == flag).unwrap() + 1];
    let (_, page, _) = fence(&text, "html");
    for part in [IDS[0], given("--site-key"), given("--path")] {
        assert!(page.contains(&format!("\"{part}\"")), "{part} in {page}");
    }
    assert_eq!(page.matches("<script").count(), 1, "{page}");
}
