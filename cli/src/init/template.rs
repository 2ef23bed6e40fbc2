//! `wrangler.toml` for a gate: the shipped one, with the answers in the place of its examples.

use serde_json::json;
use writegate::rate;

use super::plan::Plan;
use super::preset::{self, Limiter};

/// `wrangler.toml` as it is shipped. A copy: the file itself becomes the operator's.
pub(crate) const SHIPPED: &str = include_str!("template.toml");

/// The end of the sentence on wrangler, where there is something to build.
const BUILT_FIRST: &str = ";\n# both build it first.";

/// The beginning of the command in a checkout.
const IN_CHECKOUT: &str = "cargo run -- ";

/// Returns true if this is the shipped file as nobody has changed it: that of a clone, or that of a release's zip
/// (`.ci/package-worker`), which builds nothing and has no cargo.
pub(super) fn is_shipped(text: &str) -> bool {
    let parts = SHIPPED.split("\n\n").filter(|part| !part.starts_with("[build]"));
    let released = parts.collect::<Vec<_>>().join("\n\n");
    let released = released.replace(BUILT_FIRST, ".").replace(IN_CHECKOUT, "writegate ");
    text == SHIPPED || text == released
}

/// The ids of the keys of a new gate.
pub(super) struct Ids {
    pub(super) first: String,
    pub(super) admin: String,
    pub(super) probe: String,
    /// Of the first rate limiter.
    pub(super) limiter: u32,
}

/// The source of the Worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// It is built, in a checkout of this repository.
    Checkout,
    /// It was built for a release, whose zip is the folder.
    Release,
    /// The package `writegate`.
    Npm,
}

/// Changes of the shipped file for a Worker from npm.
const FROM_NPM: [(&str, &str); 5] = [
    ("main = \"build/", "main = \"node_modules/writegate/worker/"),
    ("directory = \"public\"", "directory = \"node_modules/writegate/public\""),
    ("see .dev.vars.example", "they are in .dev.vars"),
    ("docs/configuration.md", "node_modules/writegate/docs/configuration.md"),
    (IN_CHECKOUT, "npx writegate "),
];

/// A configuration, and the name of the environment that it gets.
pub(super) struct Base<'b> {
    pub(super) text: &'b str,
    pub(super) environment: &'b str,
}

/// The tables that an environment must have itself.
const NOT_INHERITED: [&str; 4] = ["vars", "durable_objects", "kv_namespaces", "ratelimits"];

impl Base<'_> {
    /// Returns this configuration with the gate of another as its environment.
    fn with_environment(&self, gate: &str) -> String {
        let prefix = format!("env.{}", self.environment);
        let own = ["name = ", "account_id = ", "routes = ", "workers_dev = "];
        let mut parts = vec![self.text.trim_end().to_owned()];
        for part in gate.trim_end().split("\n\n") {
            if part.contains("\nmain = ") {
                let mut lines: Vec<_> = part
                    .lines()
                    .filter(|line| own.iter().any(|one| line.starts_with(one)))
                    .collect();
                if !part.contains("\nroutes = ") {
                    // Not the host names of the top level.
                    lines.extend(["routes = []", "workers_dev = true"]);
                }
                parts.push(format!("[{prefix}]\n{}", lines.join("\n")));
            }
            let is_own = |line: &str| {
                let table = line.trim_start_matches('[');
                table.len() < line.len()
                    && table
                        .split(['.', ']'])
                        .next()
                        .is_some_and(|name| NOT_INHERITED.contains(&name))
            };
            if part.lines().any(is_own) {
                let lines = part.lines().map(|line| match is_own(line) {
                    true => {
                        let table = line.trim_start_matches('[');
                        let brackets = &line[..line.len().saturating_sub(table.len())];
                        format!("{brackets}{prefix}.{table}")
                    }
                    false => line.to_owned(),
                });
                parts.push(lines.collect::<Vec<_>>().join("\n"));
            }
        }
        format!("{}\n", parts.join("\n\n"))
    }
}

/// Returns the whole file. Its parts are separated by empty lines in the shipped one.
///
/// `base` is the configuration that the gate is added to as an environment, if it is one.
pub(super) fn render(plan: &Plan, ids: &Ids, source: Source, base: Option<&Base<'_>>) -> String {
    let mut text = filled(plan, ids, source, base.map_or("", |base| base.text));
    if let Some(base) = base {
        text = base.with_environment(&text);
    }
    match source {
        Source::Npm => FROM_NPM.iter().fold(text, |text, (from, to)| text.replace(from, to)),
        Source::Release => text.replace(IN_CHECKOUT, "writegate "),
        Source::Checkout => text,
    }
}

fn filled(plan: &Plan, ids: &Ids, source: Source, base: &str) -> String {
    let parts = SHIPPED.trim_end().split("\n\n").filter_map(|part| match part {
        part if part.contains("\nmain = ") => {
            let part = head(part, plan);
            Some(match source {
                Source::Checkout => part,
                Source::Release | Source::Npm => part.replace(BUILT_FIRST, "."),
            })
        }
        part if part.starts_with("[build]") && source != Source::Checkout => None,
        part if part.starts_with("[vars]") => Some(vars(plan, ids)),
        part if part.contains("[[vars.KEYS]]") => None,
        part if part.contains("[[kv_namespaces]]") && plan.preset.registry => Some(registry()),
        part if part.contains("[[ratelimits]]") && !plan.limiters.is_empty() => {
            // Two limits of an account with one id would share their counts.
            let free = (ids.limiter..).filter(|id| !base.contains(&format!("\"{id}\"")));
            let limiters = plan.limiters.iter().zip(free).map(|(one, id)| limiter(one, id));
            Some(limiters.collect::<Vec<_>>().join("\n\n"))
        }
        part => Some(part.to_owned()),
    });
    let mut text = parts.collect::<Vec<_>>().join("\n\n");
    text.push('\n');
    text
}

fn head(part: &str, plan: &Plan) -> String {
    let lines = part.lines().flat_map(|line| match line.starts_with("name = ") {
        true => {
            let account = plan.account.as_ref().map(|id| format!("account_id = {}", json!(id)));
            let domain = plan.domain.as_ref().map(|host| {
                format!(
                    "routes = [{{ pattern = {}, custom_domain = true }}]\nworkers_dev = false",
                    json!(host)
                )
            });
            let name = format!("name = {}", json!(plan.name));
            [Some(name), account, domain].into_iter().flatten().collect()
        }
        false => vec![line.to_owned()],
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn vars(plan: &Plan, ids: &Ids) -> String {
    let mut blocks = vec![settings(plan), route(plan), first_key(plan, &ids.first)];
    blocks.push(operator(plan, &ids.admin));
    if let Some(path) = plan.probe.as_deref().and_then(|probe| plan.at_the_gate(probe)) {
        blocks.push(format!(
            "# Lets `token rotate` ask the probe through this gate, before it revokes the old token.\n\
             [[vars.KEYS]]\nid = {}\nname = \"The probe\"\nmethods = [\"GET\"]\npaths = {}",
            json!(ids.probe),
            json!([path])
        ));
    }
    blocks.join("\n\n")
}

fn settings(plan: &Plan) -> String {
    let mut text = "[vars]\n# All settings: docs/configuration.md.".to_owned();
    let rates: Vec<_> = plan
        .limiters
        .iter()
        .map(|Limiter { name, limit, period, .. }| {
            format!("{name} = {{ limit = {limit}, period = {period} }}")
        })
        .collect();
    if !rates.is_empty() {
        text.push_str("\n# The limit of [[ratelimits]] below, to tell callers.");
        text.push_str(&format!("\nRATES = {{ {} }}", rates.join(", ")));
    }
    text
}

fn route(plan: &Plan) -> String {
    let mut lines = vec![
        "# The API behind the gate, and the token for it.".to_owned(),
        "[[vars.ROUTES]]".to_owned(),
        format!("path = {}", json!(plan.route)),
        format!("upstream = {}", json!(plan.upstream)),
        format!("upstream_auth = {}", plan.auth),
    ];
    if let Some(probe) = &plan.probe {
        lines.push("# A GET there tests the token: daily, and while it is replaced.".to_owned());
        lines.push(format!("probe = {}", json!(probe)));
    }
    lines.extend(plan.preset.route.iter().map(ToString::to_string));
    lines.join("\n")
}

fn first_key(plan: &Plan, id: &str) -> String {
    let mut lines = vec![
        // In the words of the shipped file.
        "# The API keys. `cargo run -- key new` prints another.".to_owned(),
        "[[vars.KEYS]]".to_owned(),
        format!("id = {}", json!(id)),
        format!("name = {}", json!(plan.key_name)),
    ];
    let of_preset = plan.preset.key.iter();
    let of_preset =
        of_preset.filter(|line| plan.schemes.is_empty() || !line.starts_with("schemes"));
    lines.extend(of_preset.map(ToString::to_string));
    if plan.limiters.iter().any(|limiter| limiter.name == preset::STANDARD.name) {
        lines.push(format!("rate = {}", json!(preset::STANDARD.name)));
    }
    if let Some(site_key) = &plan.site_key {
        lines.insert(1, format!("# The page names this id, and Turnstile's site key: {site_key}"));
    }
    let lists = [
        ("schemes", &plan.schemes),
        ("methods", &plan.methods),
        ("paths", &plan.paths),
        ("allowed_origins", &plan.origins),
        ("allowed_ips", &plan.ips),
    ];
    let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
    // Strings and lists of them are written alike in JSON and in TOML.
    lines.extend(lists.map(|(name, list)| {
        let texts: Vec<_> = list.iter().map(|text| json!(text).to_string()).collect();
        format!("{name} = [{}]", texts.join(", "))
    }));
    lines.join("\n")
}

/// Returns the admin key, with no more rights than the commands need that call this gate.
fn operator(plan: &Plan, id: &str) -> String {
    // Without a registry and a cache there is nothing to change through the gate.
    let (opens, limits) = match plan.preset.registry {
        true => ("# Opens all of /_gate/ (registry, usage, purge, status) and no route.", ""),
        false => (
            "# For the commands `check`, `token` and `usage`: opens status and usage, and no route. To manage a registry or purge a\n\
             # cache, remove methods and paths, which opens all of /_gate/.",
            "\nmethods = [\"GET\"]\npaths = [\"/_gate/status\", \"/_gate/usage\", \"/_gate/usage/keys\"]",
        ),
    };
    let id = json!(id);
    format!("{opens}\n[[vars.KEYS]]\nid = {id}\nname = \"The operator\"\nadmin = true{limits}")
}

/// Returns the binding without an id: wrangler makes the namespace when it deploys, and finds it again.
fn registry() -> String {
    "# A registry for any number of further keys. The first deployment creates the namespace.\n\
     [[kv_namespaces]]\nbinding = \"KEY_REGISTRY\""
        .to_owned()
}

fn limiter(limiter: &Limiter, id: u32) -> String {
    let Limiter { comment, limit, period, name } = limiter;
    let binding = rate::binding(name);
    format!(
        "# {comment}\n[[ratelimits]]\nname = \"{binding}\"\nnamespace_id = \"{id}\"\n\
         simple = {{ limit = {limit}, period = {period} }}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_the_shipped_file() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../wrangler.toml");
        let shipped = std::fs::read_to_string(path).unwrap();
        // A gate of one's own has another file, which is nobody else's business.
        if shipped.contains("id = \"pk_example\"") {
            let hint = "cp wrangler.toml cli/src/init/template.toml";
            assert_eq!(shipped, SHIPPED, "{hint}");
        }
    }

    #[test]
    fn every_part_that_is_replaced_is_there_once() {
        for part in [
            BUILT_FIRST, FROM_NPM[0].0, FROM_NPM[1].0, FROM_NPM[2].0, "\n\n[build]", "\nmain = ",
            "\n\n[vars]", "[[vars.KEYS]]", "# [[kv_namespaces]]", "# [[ratelimits]]",
        ] {
            assert_eq!(SHIPPED.matches(part).count(), 1, "{part:?}");
        }
    }
}
