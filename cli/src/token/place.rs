//! Puts a token into the running Worker, with wrangler.
//!
//! `wrangler secret put` makes a version of the newest one and deploys it; Cloudflare refuses that where the newest version
//! is not the one deployed. Then the way is `wrangler versions secret put` and `wrangler versions deploy`. A secret in a
//! Secrets Store is changed there, and nothing is deployed.

use std::time::Duration;

use serde_json::Value;
use writegate::Secret;

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::wrangler::Wrangler;

use super::local::Stored;

/// The way to put a secret.
pub(super) enum Way {
    /// The newest version serves everything.
    Plain,
    /// The newest version does not; its id and description.
    Versions { newest: String, description: String },
    /// In a Secrets Store, under this id.
    Store { store: String, id: String },
}

/// The versions that serve the Worker's requests now, and the way to put a secret.
pub(super) struct Place {
    pub(super) way: Way,
    /// The versions that serve, as `wrangler versions deploy` takes them; empty for a Worker that is not deployed.
    pub(super) serving: Vec<String>,
}

/// Cloudflare's words for a newest version that is not the one deployed.
const NOT_DEPLOYED: &str = "isn't currently deployed";

impl Place {
    pub(super) fn find(wrangler: &Wrangler, stored: Option<&Stored>) -> Result<Self> {
        if let Some(stored) = stored {
            return Self::in_store(wrangler, stored);
        }
        let deployment = wrangler.json(&["deployments", "status", "--json"])?;
        let versions = wrangler.json(&["versions", "list", "--json"])?;
        let serving: Vec<(&str, f64)> = deployment["versions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| Some((one["version_id"].as_str()?, one["percentage"].as_f64()?)))
            .collect();
        let created = |version: &&Value| version["metadata"]["created_on"].to_string();
        let newest = versions.as_array().and_then(|all| all.iter().max_by_key(created));
        let plain = match (newest, serving.as_slice()) {
            (Some(newest), [(only, share)]) => newest["id"] == *only && *share >= 100.0,
            // Without a list, Cloudflare decides.
            (None, _) => true,
            _ => false,
        };
        let way = match newest {
            Some(newest) if !plain => Way::Versions {
                newest: newest["id"].as_str().unwrap_or_default().to_owned(),
                description: describe(newest),
            },
            _ => Way::Plain,
        };
        let serving = serving.iter().map(|(id, share)| format!("{id}@{share}%")).collect();
        Ok(Self { way, serving })
    }

    fn in_store(wrangler: &Wrangler, stored: &Stored) -> Result<Self> {
        let Stored { store, name } = stored;
        // A store holds a hundred at most.
        let all = ["--per-page", "100", "--remote"];
        let arguments = [&["secrets-store", "secret", "list", store][..], &all].concat();
        let listed = wrangler.run(&arguments)?;
        let id = listed_id(&listed, name).ok_or_else(|| {
            Error::new(format!(
                "the Secrets Store {store} has no secret {name}: make it with \
                 `npx wrangler secrets-store secret create {store} --name {name} --scopes workers --remote`"
            ))
        })?;
        Ok(Self {
            way: Way::Store { store: store.clone(), id: id.to_owned() },
            serving: Vec::new(),
        })
    }

    /// Finds the place. A Worker that was never deployed needs no versions.
    pub(super) fn find_or_new(wrangler: &Wrangler, stored: Option<&Stored>) -> Result<Self> {
        match Self::find(wrangler, stored) {
            Err(error) if error.message.contains("has no deployments") => {
                Ok(Self { way: Way::Plain, serving: Vec::new() })
            }
            found => found,
        }
    }

    /// Refuses to deploy a version that nobody has deployed.
    pub(super) fn refuse_undeployed(&self) -> Result<()> {
        match &self.way {
            Way::Plain | Way::Store { .. } => Ok(()),
            Way::Versions { description, .. } => Err(Error::new(format!(
                "the newest version, {description}, is not the one deployed, and its code would go out with the token: \
                 deploy it or upload the deployed code again, or leave out --deployed-only"
            ))),
        }
    }

    /// Returns a warning about the version that is deployed with the secret.
    pub(super) fn warning(&self) -> Option<String> {
        match &self.way {
            Way::Plain | Way::Store { .. } => None,
            Way::Versions { description, .. } => Some(format!(
                "the newest version is not the one deployed: the token goes through versions, and the code of {description} goes out with it"
            )),
        }
    }

    /// Puts the secret, makes sure that it is deployed, and returns the version if it is known. `time_left` limits each
    /// step.
    pub(super) fn put(
        &self,
        wrangler: &Wrangler,
        progress: &Progress,
        name: &str,
        text: &Secret,
        time_left: &dyn Fn() -> Result<Option<Duration>>,
    ) -> Result<Option<String>> {
        let wrangler = &wrangler.within(time_left()?);
        match &self.way {
            Way::Store { store, id } => {
                let which = ["secrets-store", "secret", "update", store];
                let what = ["--secret-id", id, "--remote"];
                wrangler.feed(&[&which[..], &what].concat(), text).map(|_printed| None)
            }
            Way::Plain => match wrangler.feed(&["secret", "put", name], text) {
                // Somebody has uploaded a version in the meantime.
                Err(error) if error.message.contains(NOT_DEPLOYED) => Err(Error::new(
                    "a version was uploaded meanwhile that is not deployed, so Cloudflare did not take the secret: run this again",
                )),
                done => done.map(|_printed| None),
            },
            Way::Versions { newest, .. } => {
                if let Some(warning) = self.warning() {
                    progress.note(&warning);
                }
                let message = format!("writegate: put {name}");
                let printed = wrangler
                    .feed(&["versions", "secret", "put", name, "--message", &message], text)?;
                let version = created(&printed).ok_or_else(|| {
                    Error::new(format!(
                        "wrangler did not say which version it made of {newest}: look with `npx wrangler versions list`"
                    ))
                })?;
                let wrangler = wrangler.within(time_left()?);
                progress.note(&format!("version {version} goes out"));
                let whole = format!("{version}@100%");
                wrangler.run(&["versions", "deploy", &whole, "--yes", "--message", &message])?;
                Ok(Some(version.to_owned()))
            }
        }
    }
}

/// Returns a version, for a person.
fn describe(version: &Value) -> String {
    let clean = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        text.chars().filter(|c| !c.is_control()).take(60).collect::<String>()
    };
    let id = clean(&version["id"]);
    let date = clean(&version["metadata"]["created_on"]);
    let annotations = &version["annotations"];
    let message = [&annotations["workers/message"], &annotations["workers/tag"]]
        .into_iter()
        .map(clean)
        .find(|text| !text.is_empty());
    match message {
        Some(message) => format!("{id} of {date} ({message:?})"),
        None => format!("{id} of {date}"),
    }
}

/// Returns the version in `Created version <id> with secret …`.
fn created(printed: &str) -> Option<&str> {
    let (_, rest) = printed.split_once("Created version ")?;
    let id = rest.split_whitespace().next()?;
    let form = id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    form.then_some(id)
}

/// Returns the id beside this name in the table that wrangler prints.
fn listed_id<'t>(table: &'t str, name: &str) -> Option<&'t str> {
    let rows = table.lines().map(|line| line.split('│').map(str::trim).collect::<Vec<_>>());
    let id = rows.into_iter().find_map(|cells| match cells.as_slice() {
        ["", first, id, ..] if *first == name => Some(*id),
        _ => None,
    })?;
    let form = !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    form.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_found_in_the_table_that_wrangler_prints() {
        let table = "🔐 Listing secrets... (store-id: 01, page: 1, per-page: 100)\n\
            ┌───────┬──────┬─────────┐\n│ Name  │ ID   │ Comment │\n├───────┼──────┼─────────┤\n\
            │ other │ 12ab │ token   │\n├───────┼──────┼─────────┤\n│ token │ 34cd │         │\n";
        assert_eq!(listed_id(table, "token"), Some("34cd"));
        assert_eq!(listed_id(table, "Comment"), None);
        assert_eq!(listed_id(table, "Name"), None);
    }

    #[test]
    fn the_version_is_found_in_what_wrangler_prints() {
        let id = "18f97339-c287-4872-9bdd-e2135c07ec12";
        let printed =
            format!("🌀 Creating\n✨ Success! Created version {id} with secret A.\n➡️  To deploy");
        assert_eq!(created(&printed), Some(id));
        assert_eq!(created("Created version --all with"), None);
    }

    /// One that goes on could put a token that was revoked meanwhile.
    #[test]
    #[cfg(unix)]
    fn a_wrangler_that_hangs_is_ended_with_its_children() {
        use std::fs;

        use crate::project::Project;

        let folder = testkit::process::scratch(&format!("hangs-{}", testkit::token::fresh()));
        let program = folder.join("node_modules/wrangler/bin");
        fs::create_dir_all(&program).unwrap();
        let hang =
            "const child = require('child_process').spawn('sleep', ['600'], { stdio: 'inherit' });
            require('fs').writeFileSync('pid', String(child.pid)); setInterval(() => {}, 1e6);";
        fs::write(program.join("wrangler.js"), hang).unwrap();
        fs::write(folder.join("wrangler.toml"), "").unwrap();
        let project = Project::at(&folder, None).unwrap();
        let progress = Progress::new();
        let wrangler = Wrangler::find(&project, &progress).unwrap();
        let place = Place { way: Way::Plain, serving: Vec::new() };
        // Long enough for Node to start its child.
        let time_left = || {
            Ok(Some(Duration::from_millis(match folder.join("pid").exists() {
                true => 1,
                false => 2_000,
            })))
        };
        let error = loop {
            let put = place.put(&wrangler, &progress, "T", &Secret::new("x"), &time_left);
            if folder.join("pid").exists() {
                break put.unwrap_err();
            }
        };
        assert!(
            error.message.starts_with("npx wrangler secret put T: node took longer"),
            "{error:?}"
        );
        let pid = fs::read_to_string(folder.join("pid")).unwrap();
        let is_there = || {
            let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            !state.is_empty() && !state.contains(") Z ")
        };
        testkit::poll::poll(Duration::from_secs(60), || match is_there() {
            true => Err("it goes on".to_owned()),
            false => Ok(()),
        });
        fs::remove_dir_all(folder).unwrap();
    }
}
