//! `writegate migrate`: the parts of the shipped `wrangler.toml` that a project's own lacks after an upgrade, which are
//! bindings of Durable Objects, their migrations, and the paths of static files.

use clap::Args;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::init::SHIPPED;
use crate::project::{Document, ProjectOptions, USUAL};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    project: ProjectOptions,
    /// Add what is missing to the end of wrangler.toml
    #[arg(long)]
    write: bool,
    /// Print what is missing as one JSON object: blocks of TOML, and paths of run_worker_first
    #[arg(long, conflicts_with = "write")]
    json: bool,
}

/// Where npm puts the package.
const PACKED: &str = "node_modules/writegate/";

pub(crate) fn run(options: &Options) -> Result<()> {
    let project = options.project.find()?;
    let document = project.document()?;
    let (missing, paths) = (missing(&document)?, missing_paths(&document)?);
    if options.json {
        println!("{}", json!({"blocks": missing, "run_worker_first": paths}));
        return match missing.is_empty() && paths.is_empty() {
            true => Ok(()),
            false => Err(Error::new(format!("{} lacks the above", document.place()))),
        };
    }
    if !paths.is_empty() {
        eprintln!("writegate: {}", without_paths(&document, &paths));
    }
    if missing.is_empty() {
        return match paths.is_empty() {
            true => {
                eprintln!("writegate: {} has all that this release needs", document.place());
                Ok(())
            }
            false => Err(Error::new("change that by hand")),
        };
    }
    let addition = addition(&missing, &document)?;
    let is_written = project.name() == USUAL && document.environment().is_none();
    if !options.write || !is_written {
        println!("{addition}");
        let place = document.place();
        return Err(match (options.write, is_written) {
            (true, _) => Error::usage(format!(
                "--write adds only to the top level of a {USUAL}: add the above to {place} by hand"
            )),
            (false, true) => {
                Error::new(format!("{place} lacks the above; --write adds it to {USUAL}"))
            }
            (false, false) => Error::new(format!("{place} lacks the above; add it by hand")),
        });
    }
    project.rewrite(|old| Ok(format!("{}\n\n{addition}\n", old.trim_end())))?;
    eprintln!("writegate: added to {USUAL}:\n{addition}");
    Ok(())
}

/// Returns these blocks as they are written into the document, in its language and under its environment.
fn addition(missing: &[&str], document: &Document) -> Result<String> {
    let text = missing.join("\n\n");
    if document.name().ends_with(".toml") {
        // Migrations are inherited, bindings are not.
        let environment =
            document.environment().map(|name| format!("[[env.{name}.durable_objects"));
        return Ok(match environment {
            Some(table) => text.replace("[[durable_objects", &table),
            None => text,
        });
    }
    let parts = missing.iter().map(|part| parse(part)).collect::<Result<Vec<_>>>()?;
    let all = |place: &str| -> Vec<&Value> {
        let lists = parts.iter().filter_map(|part| part.pointer(place)?.as_array());
        lists.flatten().collect()
    };
    let bindings = all("/durable_objects/bindings");
    Ok(format!(
        "{:#}",
        json!({"durable_objects": {"bindings": bindings}, "migrations": all("/migrations")})
    ))
}

/// Returns the blocks of the shipped file whose class the document does not have, unchanged.
fn missing(document: &Document) -> Result<Vec<&'static str>> {
    let mut missing = Vec::new();
    let migrations = document.inherited("migrations").as_array().map_or(&[][..], Vec::as_slice);
    let migrated = |class: &str| {
        let lists = ["new_sqlite_classes", "new_classes"];
        let mut all = migrations.iter().flat_map(|one| lists.map(|list| &one[list]));
        all.any(|list| list.as_array().is_some_and(|list| list.iter().any(|one| one == class)))
    };
    for part in SHIPPED.trim_end().split("\n\n") {
        let parsed = parse(part)?;
        let bound = &parsed["durable_objects"]["bindings"][0]["name"];
        if bound.as_str().is_some_and(|name| !document.names("durable_objects").contains(&name)) {
            missing.push(part);
        }
        let migration = &parsed["migrations"][0];
        if migration["new_sqlite_classes"][0].as_str().is_some_and(|class| !migrated(class)) {
            if migrations.iter().any(|one| one["tag"] == migration["tag"]) {
                return Err(Error::usage(format!(
                    "the migration with tag {} in {} is another one than this release's: add its new_sqlite_classes {} by hand, under a tag of your own",
                    migration["tag"],
                    document.place(),
                    migration["new_sqlite_classes"]
                )));
            }
            missing.push(part);
        }
    }
    Ok(missing)
}

/// Parses the shipped configuration, or a part of it.
fn parse(text: &str) -> Result<Value> {
    Document::parse(USUAL, text, None)
        .map(Document::into_whole)
        .map_err(|error| Error::new(format!("the shipped configuration: {error}")))
}

/// Returns the entries of the shipped `run_worker_first` that the document's lacks.
fn missing_paths(document: &Document) -> Result<Vec<String>> {
    let list = |value: &Value| -> Vec<String> {
        let entries = value["run_worker_first"].as_array().into_iter().flatten();
        entries.filter_map(|entry| entry.as_str().map(str::to_owned)).collect()
    };
    let shipped = parse(SHIPPED)?;
    let own = list(document.inherited("assets"));
    Ok(list(&shipped["assets"]).into_iter().filter(|path| !own.contains(path)).collect())
}

/// Returns a sentence about these paths, with the value to write.
fn without_paths(document: &Document, paths: &[String]) -> String {
    let (place, paths) = (document.place(), json!(paths));
    if document.inherited("assets").is_object() {
        return format!(
            "run_worker_first below assets in {place} lacks {paths}: add that, or these files are not served"
        );
    }
    let is_packed = document.inherited("main").as_str().is_some_and(|main| main.contains(PACKED));
    let folder = if is_packed { PACKED } else { "" };
    format!(
        "{place} has no assets, so nothing serves the gate's pages and client.js: add [assets] with \
         directory = \"{folder}public\" and run_worker_first = {paths}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacking(text: &str) -> (Vec<&'static str>, Vec<String>) {
        let document = Document::parse(USUAL, text, None).unwrap();
        (missing(&document).unwrap(), missing_paths(&document).unwrap())
    }

    #[test]
    fn the_shipped_file_lacks_nothing() {
        assert_eq!(lacking(SHIPPED), (Vec::new(), Vec::new()));
    }

    #[test]
    fn what_an_older_file_lacks_makes_it_whole() {
        let blocks = ["[[durable_objects.bindings]]\nname = \"KEY_WRITER\"", "tag = \"v3\""];
        let parts =
            SHIPPED.split("\n\n").filter(|part| !blocks.iter().any(|block| part.contains(block)));
        let old = parts.collect::<Vec<_>>().join("\n\n");
        let (missing, paths) = lacking(&old);
        assert_eq!((missing.len(), paths.len()), (2, 0), "{missing:?}");
        let whole = format!("{old}\n\n{}", missing.join("\n\n"));
        assert_eq!(lacking(&whole), (Vec::new(), Vec::new()));
    }

    #[test]
    fn what_is_missing_makes_a_file_of_any_language_and_environment_whole() {
        for (name, environment) in [(USUAL, None), (USUAL, Some("live")), ("wrangler.jsonc", None)]
        {
            let old = if name == USUAL { "[env.live]\n" } else { "{}" };
            let document = Document::parse(name, old, environment).unwrap();
            let blocks = missing(&document).unwrap();
            assert!(blocks.len() > 4, "{blocks:?}");
            let addition = addition(&blocks, &document).unwrap();
            let whole = if name == USUAL { format!("{old}{addition}") } else { addition };
            let document = Document::parse(name, &whole, environment).unwrap();
            assert!(missing(&document).unwrap().is_empty(), "{whole}");
        }
    }

    #[test]
    fn a_tag_that_is_somebodys_own_is_not_used_again() {
        let text = "[[migrations]]\ntag = \"v2\"\nnew_sqlite_classes = [\"Mine\"]\n";
        let document = Document::parse(USUAL, text, None).unwrap();
        let error = missing(&document).unwrap_err();
        assert!(error.message.contains("\"v2\"") && error.message.contains("Ledger"), "{error:?}");
    }

    #[test]
    fn a_path_of_static_files_that_is_missing_is_named() {
        let sentence = |text: &str| {
            let document = Document::parse(USUAL, text, None).unwrap();
            without_paths(&document, &["/*".to_owned()])
        };
        let packed = sentence("main = \"node_modules/writegate/worker/index.js\"");
        let wanted =
            "directory = \"node_modules/writegate/public\" and run_worker_first = [\"/*\"]";
        assert!(packed.ends_with(wanted), "{packed}");
        assert!(sentence("main = \"build/index.js\"").contains("directory = \"public\""));
        assert!(sentence("[assets]").contains("below assets in wrangler.toml lacks [\"/*\"]"));
        let (_blocks, paths) = lacking("[assets]\nrun_worker_first = [\"/*\"]\n");
        assert!(paths.iter().any(|path| path == "!/_gate/problems"), "{paths:?}");
    }
}
