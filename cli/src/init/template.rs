//! `wrangler.toml` for a gate: the shipped one, with what was answered in the place of its examples.

use serde_json::json;
use writegate::policy::path::Pattern;

use super::plan::Plan;

/// `wrangler.toml` as it is shipped. A copy: the file itself becomes the operator's.
pub(super) const SHIPPED: &str = include_str!("template.toml");

/// The ids of the keys of a new gate.
pub(super) struct Ids {
    pub(super) first: String,
    pub(super) admin: String,
    pub(super) probe: String,
}

/// The whole file. Its parts are what stands between empty lines of the shipped one.
pub(super) fn render(plan: &Plan, ids: &Ids) -> String {
    let parts = SHIPPED.trim_end().split("\n\n").filter_map(|part| match part {
        part if part.contains("\nmain = ") => Some(head(part, plan)),
        part if part.starts_with("[vars]") => Some(vars(plan, ids)),
        part if part.contains("[[vars.KEYS]]") => None,
        part if part.contains("[[kv_namespaces]]") && plan.preset.registry => Some(registry()),
        part if part.contains("[[ratelimits]]") && plan.preset.limiter => Some(limiter(part)),
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
    if let Some(path) = plan.probe.as_deref().and_then(|probe| at_the_gate(plan, probe)) {
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
    let lines = ["[vars]", "# All settings: docs/configuration.md."].iter().chain(plan.preset.vars);
    lines.copied().collect::<Vec<_>>().join("\n")
}

fn route(plan: &Plan) -> String {
    let mut lines = vec![
        "# The API behind the gate, and the token for it.".to_owned(),
        "[[vars.ROUTES]]".to_owned(),
        format!("path = {}", json!(plan.preset.path)),
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
        "# The API keys. `cargo run -- key new` prints another.".to_owned(),
        "[[vars.KEYS]]".to_owned(),
        format!("id = {}", json!(id)),
        format!("name = {}", json!(plan.key_name)),
    ];
    lines.extend(plan.preset.key.iter().map(ToString::to_string));
    let lists = [
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

/// The admin key: no wider than the commands need that ask this gate something.
fn operator(plan: &Plan, id: &str) -> String {
    // Without a registry and a cache there is nothing to change through the gate.
    let (opens, limits) = match plan.preset.registry {
        true => ("# Opens all of /_gate/ (registry, usage, purge, status) and no route.", ""),
        false => (
            "# For the commands `check` and `token`: opens status and usage, and no route. To manage a registry or purge a cache,\n\
             # remove methods and paths, which opens all of /_gate/.",
            "\nmethods = [\"GET\"]\npaths = [\"/_gate/status\", \"/_gate/usage\"]",
        ),
    };
    let id = json!(id);
    format!("{opens}\n[[vars.KEYS]]\nid = {id}\nname = \"The operator\"\nadmin = true{limits}")
}

/// Where a path below the API is at the gate.
fn at_the_gate(plan: &Plan, path: &str) -> Option<String> {
    let route = Pattern::parse(plan.preset.path)?;
    Some(format!("{}{}", route.stem(), path.strip_prefix('/')?))
}

/// Without an id: wrangler makes the namespace when it deploys, and finds it again.
fn registry() -> String {
    "# A registry for any number of further keys. The first deployment creates the namespace.\n\
     [[kv_namespaces]]\nbinding = \"KEY_REGISTRY\""
        .to_owned()
}

/// Returns the lines that stand there as comments.
fn limiter(part: &str) -> String {
    let lines = part.lines().skip_while(|line| *line != "# [[ratelimits]]");
    let lines = lines.map(|line| line.strip_prefix("# ").unwrap_or(line));
    let mut text = "# The rate limit of keys with rate = \"standard\", in each data centre, here per visitor's address.".to_owned();
    for line in lines {
        text.push('\n');
        text.push_str(line);
    }
    text
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
        for part in
            ["\nmain = ", "\n\n[vars]", "[[vars.KEYS]]", "# [[kv_namespaces]]", "# [[ratelimits]]"]
        {
            assert_eq!(SHIPPED.matches(part).count(), 1, "{part:?}");
        }
    }
}
