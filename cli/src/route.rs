//! `writegate route add`: one more API behind the gate, with a token of its own.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use writegate::route::Route;

use crate::error::{Error, Result};
use crate::init::validate;
use crate::project::ProjectOptions;
use crate::{edit, invocation};

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Add a route to wrangler.toml: an API, and the secret with its token
    Add(Add),
}

#[derive(Args)]
pub(crate) struct Add {
    /// The paths at the gate that go to the API, such as /cms/*
    #[arg(long, value_name = "PATH", value_parser = validate::route)]
    path: String,
    /// The API's address
    #[arg(long, value_name = "URL", value_parser = validate::upstream)]
    upstream: String,
    /// The scheme of the API's token: bearer, basic, header:NAME or cloudflare-global-key
    #[arg(long, value_name = "SCHEME", default_value = "bearer")]
    auth: String,
    /// The secret that holds its token, such as CMS_TOKEN
    #[arg(long, value_name = "NAME", value_parser = secret_name)]
    secret: String,
    /// A path below the API whose GET shows if the token works
    #[arg(long, value_name = "PATH", value_parser = validate::probe)]
    probe: Option<String>,
    /// Only print the lines for wrangler.toml
    #[arg(long)]
    print: bool,
    /// Only print the route as JSON, for wrangler.json
    #[arg(long, conflicts_with = "print")]
    json: bool,
    #[command(flatten)]
    project: ProjectOptions,
}

pub(crate) fn run(action: &Action) -> Result<()> {
    let Action::Add(add) = action;
    add.run()
}

impl Add {
    fn run(&self) -> Result<()> {
        let auth = validate::auth(&self.auth, &self.secret)
            .map_err(|hint| Error::usage(format!("--auth: {hint}")))?;
        let mut route: Vec<(&str, Value)> = vec![
            ("path", json!(self.path)),
            ("upstream", json!(self.upstream)),
            ("upstream_auth", auth),
        ];
        route.extend(self.probe.as_ref().map(|probe| ("probe", json!(probe))));
        let whole = edit::whole(&route);
        Route::parse("the route", whole.clone())
            .map_err(|error| Error::usage(error.to_string()))?;
        if self.json {
            println!("{whole}");
            return Ok(());
        }
        if self.print {
            print!("{}", edit::block("ROUTES", &route));
            return Ok(());
        }
        let project = self.project.find()?;
        let document = project.document()?;
        let (place, vars) = (document.place(), document.own("vars"));
        if !vars["UPSTREAM"].is_null() {
            return Err(Error::usage(format!(
                "{place} has UPSTREAM, which is its only route: write it as [[vars.ROUTES]] with path = \"/*\" first"
            )));
        }
        let mut routes = vars["ROUTES"].as_array().into_iter().flatten();
        if routes.any(|route| route["path"] == self.path.as_str()) {
            return Err(Error::usage(format!("--path: {place} has such a route already")));
        }
        let environment = project.environment.as_deref();
        project.rewrite(|text| edit::push(text, environment, "ROUTES", &route))?;
        eprintln!(
            "writegate: the route is in {}. Next: {} (for `npx wrangler dev`, a line in {}), a key with paths = [\"{}\"], and {}",
            project.name(),
            invocation::hint(&format!(
                "token put --secret {}{}",
                self.secret,
                project.env_option()
            )),
            project.dev_vars(),
            self.path,
            invocation::hint(&format!("check{}", project.env_option()))
        );
        Ok(())
    }
}

/// Returns the name of a Workers Secret.
fn secret_name(name: &str) -> std::result::Result<String, String> {
    let fits = name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    fits.then(|| name.to_owned()).ok_or_else(|| "expected a name such as CMS_TOKEN".to_owned())
}
