//! The user's project: wrangler's configuration, and the files with secrets beside it, read as wrangler reads them.
//!
//! No other module opens these files: `cli/tests/command/project.rs` looks for that.

mod document;
mod dotenv;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::Args;
use writegate::Secret;

use crate::error::{Context as _, Error, Result};

pub(crate) use document::{BINDINGS, Document, names};
pub(crate) use dotenv::Variables;

/// wrangler's configurations, the one that it prefers first.
const CONFIGURATIONS: [&str; 3] = ["wrangler.json", "wrangler.jsonc", USUAL];
/// The configuration that `init` writes.
pub(crate) const USUAL: &str = "wrangler.toml";
/// A build tool sends wrangler to another configuration with this file.
const REDIRECT: &str = ".wrangler/deploy/config.json";
/// Holds the secrets of `wrangler dev`.
pub(crate) const DEV_VARS: &str = ".dev.vars";
/// If it is "false", wrangler takes no secrets from `.env`.
const FROM_DOT_ENV: &str = "CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV";

/// Which of wrangler's environments is meant.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProjectOptions {
    /// wrangler's environment: [env.NAME] of its configuration [default: none, whatever CLOUDFLARE_ENV says]
    #[arg(long = "env", value_name = "NAME")]
    environment: Option<String>,
}

impl ProjectOptions {
    /// The project around the current folder.
    pub(crate) fn find(&self) -> Result<Project> {
        let project = self.look()?;
        project.file()?;
        Ok(project)
    }

    /// The project around the current folder, or the current folder without any configuration.
    pub(crate) fn look(&self) -> Result<Project> {
        // As for wrangler, an empty name is none.
        let environment = self.environment.clone().filter(|name| !name.is_empty());
        let here = env::current_dir().context("finding the current directory")?;
        Project::around(&here, environment)
    }
}

/// A folder with wrangler's configuration.
pub(crate) struct Project {
    pub(crate) root: PathBuf,
    /// wrangler's configuration, if there is one.
    file: Option<PathBuf>,
    /// wrangler's environment that the command is about. It inherits no variables.
    pub(crate) environment: Option<String>,
}

impl Project {
    fn around(here: &Path, environment: Option<String>) -> Result<Self> {
        let nearest = |name: &str| {
            let mut folders = here.ancestors().map(|folder| folder.join(name));
            folders.find(|path| path.is_file())
        };
        if let Some(redirect) = nearest(REDIRECT) {
            return Err(Error::usage(format!(
                "{} sends wrangler to another configuration, which writegate does not read: delete it",
                redirect.display()
            )));
        }
        let found: Vec<PathBuf> = CONFIGURATIONS.into_iter().filter_map(nearest).collect();
        // wrangler by itself goes up for one name after the other, so a file further up may win there.
        let depth = |path: &&PathBuf| path.components().count();
        let deepest = found.iter().map(|path| depth(&path)).max();
        let file = found.iter().find(|path| Some(depth(path)) == deepest).cloned();
        if let (Some(file), Some(other)) = (&file, found.first())
            && file != other
        {
            eprintln!(
                "writegate: this is about {}; wrangler by itself takes {} here, unless told --config",
                file.display(),
                other.display()
            );
        }
        let root = file.as_deref().and_then(Path::parent).unwrap_or(here).to_owned();
        Ok(Self { root, file, environment })
    }

    /// The project in this very folder, whatever is above it, without an environment.
    pub(crate) fn at(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).context("finding the folder")?;
        let mut found = CONFIGURATIONS.into_iter().map(|name| root.join(name));
        let file = found.find(|path| path.is_file());
        Ok(Self { root, file, environment: None })
    }

    /// wrangler's configuration.
    pub(crate) fn file(&self) -> Result<&Path> {
        self.file.as_deref().ok_or_else(|| {
            Error::usage(format!(
                "no {} here or in a folder above: run this in the gate's folder",
                CONFIGURATIONS.join(", ")
            ))
        })
    }

    /// Returns true if there is a configuration to be read.
    pub(crate) const fn has_configuration(&self) -> bool {
        self.file.is_some()
    }

    /// Other configurations beside it.
    pub(crate) fn others(&self) -> Vec<&'static str> {
        let file = self.file.as_deref();
        let is_other = |name: &&str| {
            let path = self.root.join(name);
            Some(path.as_path()) != file && path.is_file()
        };
        CONFIGURATIONS.into_iter().filter(is_other).collect()
    }

    /// The configuration for the environment.
    pub(crate) fn document(&self) -> Result<Document> {
        let document = self.unchecked_document()?;
        document.check_environment()?;
        Ok(document)
    }

    /// The configuration, which may not have the environment.
    pub(crate) fn unchecked_document(&self) -> Result<Document> {
        let (file, name) = (self.file()?, self.name());
        Document::parse(&name, &read(file)?.unwrap_or_default(), self.environment.as_deref())
            .map_err(|error| Error::usage(format!("{name}: {error}")))
    }

    /// The configuration's name, or that of the usual one.
    pub(crate) fn name(&self) -> String {
        let name = self.file.as_deref().and_then(Path::file_name);
        name.map_or_else(|| USUAL.to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// Replaces the configuration by what `change` makes of it. The old one stays until the new one is complete.
    pub(crate) fn rewrite(&self, change: impl FnOnce(&str) -> Result<String>) -> Result<()> {
        let (file, name) = (self.file()?, self.name());
        if file.extension().is_none_or(|kind| kind != "toml") {
            return Err(Error::usage(format!(
                "{name}: only a wrangler.toml can be changed by this; change it by hand"
            )));
        }
        let new = change(&read(file)?.unwrap_or_default())?;
        let replace = || {
            // Where it leads to, if it is a link.
            let file = fs::canonicalize(file)?;
            let beside = file.with_extension("toml.new");
            fs::write(&beside, new)?;
            fs::set_permissions(&beside, fs::metadata(&file)?.permissions())?;
            fs::rename(beside, file)
        };
        replace().context(format!("writing {name}"))
    }

    /// The text of a file of its folder; `None` where there is none.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>> {
        read(&self.root.join(name))
    }

    /// A secret of this name, from the environment or the files of `wrangler dev`.
    pub(crate) fn secret(&self, name: &str) -> Result<Option<Secret>> {
        match exported(name) {
            Some(secret) => Ok(Some(secret)),
            None => self.secret_in_file(name),
        }
    }

    /// That of the files of `wrangler dev`.
    pub(crate) fn secret_in_file(&self, name: &str) -> Result<Option<Secret>> {
        Ok(self.dev_variables()?.get(name).and_then(secret))
    }

    /// The variables that `wrangler dev` takes from files: `.dev.vars`, or the environment's own, or else the `.env` files.
    pub(crate) fn dev_variables(&self) -> Result<Variables> {
        let own = self.environment.as_ref().map(|name| format!("{DEV_VARS}.{name}"));
        for name in own.iter().map(String::as_str).chain([DEV_VARS]) {
            if let Some(text) = self.text(name)? {
                return Ok(Variables::parse(&text));
            }
        }
        let mut names = vec![".env".to_owned(), ".env.local".to_owned()];
        if let Some(own) = &self.environment {
            names.extend([format!(".env.{own}"), format!(".env.{own}.local")]);
        }
        let mut variables = Variables::default();
        for name in names {
            // Others call a folder so.
            if self.root.join(&name).is_file() {
                variables.extend(Variables::parse(&self.text(&name)?.unwrap_or_default()));
            }
        }
        let switch = env::var(FROM_DOT_ENV).ok();
        let switch = switch.as_deref().or_else(|| variables.get(FROM_DOT_ENV));
        match switch.is_some_and(|value| value.eq_ignore_ascii_case("false")) {
            true => Ok(Variables::default()),
            false => variables.expand().ok_or_else(|| {
                Error::usage(".env: a $ in it refers to itself without an end, which wrangler would follow forever")
            }),
        }
    }

    /// The text of `.dev.vars` with these secrets in it; all else in it stays.
    pub(crate) fn dev_vars_with(&self, head: &str, secrets: &[(&str, &Secret)]) -> Result<Secret> {
        let old = self.text(DEV_VARS)?.filter(|text| !text.is_empty());
        let old = old.unwrap_or_else(|| head.to_owned());
        let texts: Vec<_> = secrets
            .iter()
            .map(|(name, secret)| (*name, secret.expose_str().unwrap_or_default()))
            .collect();
        dotenv::rewritten(&old, &texts).map(Secret::new).ok_or_else(|| {
            Error::usage(format!(
                "{DEV_VARS} cannot hold these secrets with what is in it: look for an open quote in it"
            ))
        })
    }
}

/// A secret of the process's environment.
pub(crate) fn exported(name: &str) -> Option<Secret> {
    secret(&env::var(name).ok()?)
}

/// A secret as `wrangler secret put` sets it: without white space at its end, and never empty.
pub(crate) fn secret(text: &str) -> Option<Secret> {
    let text = text.trim_end_matches(dotenv::is_space);
    (!text.is_empty()).then(|| Secret::new(text))
}

fn read(path: &Path) -> Result<Option<String>> {
    match fs::read(path) {
        // As Node does.
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(format!("reading {}", path.display())),
    }
}
