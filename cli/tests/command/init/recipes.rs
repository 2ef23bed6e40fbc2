//! The configuration of each recipe is what the command above it makes, in a folder with the npm packages. After a change of either:
//! `UPDATE_RECIPES=1 cargo test --test command recipes`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::checkout::{Checkout, random_secret, root, words};

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

/// Returns the commands in the only fence of this language, each as the line behind `npx writegate`.
fn commands(page: &str, language: &str) -> Vec<String> {
    let code = fence(page, language).1.replace("\\\n", " ");
    let commands = code.split("npx writegate ").skip(1);
    commands.map(|command| command.trim().to_owned()).collect()
}

/// Makes what the first command of a recipe makes, with this on standard input.
fn made(text: &str, input: &str) -> Checkout {
    let [init] = commands(text, "sh").try_into().unwrap();
    assert!(init.starts_with("init "), "{init}");
    let checkout = from_npm();
    checkout.fed(&format!("{init} --local"), input).succeeded();
    checkout
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

/// The command of each recipe makes the configuration that the recipe shows.
#[test]
fn the_recipes_are_what_init_makes() {
    for name in ["cms", "workers-ai", "cloudflare-api", "images", "flotiq", "form"] {
        let path = page(name);
        let text = fs::read_to_string(&path).unwrap();
        // For a form, there is Turnstile's secret in the second line.
        let more = if name == "form" { random_secret() } else { String::new() };
        let checkout = made(&text, &format!("{}\n{more}", random_secret()));
        let (mut made, whole) = (checkout.text("wrangler.toml"), checkout.configuration());
        for (key, id) in whole["vars"]["KEYS"].as_array().unwrap().iter().zip(IDS) {
            made = made.replace(key["id"].as_str().unwrap(), id);
        }
        if let Some(limiter) = whole["ratelimits"][0]["namespace_id"].as_str() {
            made = made.replace(limiter, "1001");
        }
        assert_or_update(&path, &text, &made);
    }
}

/// The commands of this recipe, one after the other, make the routes and keys that it shows.
#[test]
fn the_recipe_for_two_zones_is_what_its_commands_make() {
    let path = page("two-zones");
    let text = fs::read_to_string(&path).unwrap();
    let checkout = made(&text, &random_secret());
    for command in commands(&text, "bash") {
        checkout.run(&command).succeeded();
    }
    let (made, whole) = (checkout.text("wrangler.toml"), checkout.configuration());
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

/// The page of the recipe is filled with what the command was given.
#[test]
fn the_page_for_a_form_names_the_recipe_s_key_and_widget() {
    let text = fs::read_to_string(page("form")).unwrap();
    let words = words(&commands(&text, "sh")[0]);
    let given = |flag: &str| words[words.iter().position(|a| a == flag).unwrap() + 1].as_str();
    let (_, page, _) = fence(&text, "html");
    for part in [IDS[0], given("--site-key"), given("--path")] {
        assert!(page.contains(&format!("\"{part}\"")), "{part} in {page}");
    }
    assert_eq!(page.matches("<script").count(), 1, "{page}");
}
