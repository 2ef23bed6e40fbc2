//! Rows about the secrets: if they are set, and if the root secret is random.

use std::time::Duration;

use serde_json::Value;
use writegate::Scheme;
use writegate::config::{Config, MIN_SECRET_BYTES};

use crate::progress::Progress;
use crate::project::Project;
use crate::wrangler::Wrangler;

use super::local::{Local, OWN, PREVIOUS_ROOT, ROOT, TURNSTILE, WAF, routes};
use super::row::{Findings, Verdict, listed};
use crate::project::Document;

/// Longest wait for wrangler, which starts slowly, and for Cloudflare's answer.
const LIMIT: Duration = Duration::from_secs(60);
/// The fewest different characters of a random root secret, in any encoding.
const LEAST_VARIETY: usize = 10;

/// The secrets that are set at Cloudflare, as far as wrangler says.
pub(super) enum Remote {
    Names(Vec<String>),
    /// The Worker does not exist yet.
    NoWorker(String),
    Unknown {
        why: String,
        hint: &'static str,
    },
}

impl Remote {
    pub(super) fn ask(project: &Project) -> Self {
        // npx would install wrangler, which takes minutes.
        if !Wrangler::is_installed(project) {
            return Self::Unknown {
                why: "wrangler is not installed here".to_owned(),
                hint: "npm ci",
            };
        }
        let asked = Wrangler::find(project, &Progress::new()).and_then(|wrangler| {
            wrangler.within(Some(LIMIT)).json(&["secret", "list", "--format", "json"])
        });
        match asked {
            Ok(list) => Self::of(&list),
            Err(error) => Self::refused(error.message),
        }
    }

    /// Explains why wrangler has no list.
    fn refused(why: String) -> Self {
        let missing = why.contains("Worker ") && why.contains("not found");
        // An account's id may hold those digits too.
        if missing || why.contains("code: 10007") {
            return Self::NoWorker(why);
        }
        Self::Unknown {
            why,
            hint: "npx wrangler login, or set CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID",
        }
    }

    fn of(list: &Value) -> Self {
        match list.as_array() {
            Some(list) => {
                let names = list.iter().filter_map(|secret| secret["name"].as_str());
                Self::Names(names.map(str::to_owned).collect())
            }
            None => Self::Unknown {
                why: "wrangler secret list did not print a list".to_owned(),
                hint: "npm ci",
            },
        }
    }
}

/// Checks that every secret that the configuration needs is set, and that no secret is a variable.
pub(super) fn row(document: &Document, config: Option<&Config>, remote: &Remote) -> Verdict {
    let mut findings = Findings::default();
    for (place, name) in open(document) {
        findings.fail(
            format!("{name} is a variable of {place}, which is not secret"),
            format!(
                "remove it, replace the secret where it was issued, and run npx wrangler secret \
                put {name}"
            ),
        );
    }
    let store = document.names("secrets_store_secrets");
    for name in OWN.iter().filter(|own| store.contains(own)) {
        findings.fail(
            format!("{name} is bound to a Secrets Store, from which the gate takes only tokens"),
            format!(
                "remove that binding, and run npx wrangler secret put {name}{}",
                document.option()
            ),
        );
    }
    let needed = needed(document, config);
    let (stored, needed): (Vec<&str>, Vec<&str>) = needed
        .iter()
        .map(String::as_str)
        .partition(|name| store.contains(name) && !OWN.contains(name));
    let put = |names: &[&str]| {
        let puts =
            names.iter().map(|name| format!("npx wrangler secret put {name}{}", document.option()));
        puts.collect::<Vec<_>>().join("; ")
    };
    match remote {
        Remote::Unknown { why, hint } => {
            findings.warn(format!("cannot see which secrets are set: {why}"), *hint)
        }
        Remote::NoWorker(why) => {
            findings.fail(format!("no secret is set: {why}"), put(&needed));
        }
        Remote::Names(set) => {
            let missing: Vec<&str> =
                needed.iter().copied().filter(|name| !set.iter().any(|one| one == name)).collect();
            if !missing.is_empty() {
                findings.fail(
                    format!(
                        "not set: {} (wrangler secret list has: {})",
                        listed(&missing, 8),
                        shown(set)
                    ),
                    put(&missing),
                );
            }
        }
    }
    let stored = match stored.as_slice() {
        [] => String::new(),
        stored => format!(
            "; bound to a Secrets Store, which this check does not ask: {}",
            listed(stored, 8)
        ),
    };
    findings.verdict(format!("set: {}{stored}", listed(&needed, 8)))
}

/// Returns the secrets that are among the variables of any environment, and where.
fn open(document: &Document) -> Vec<(String, String)> {
    let (top, environments) = document.all();
    let environments = environments.map(|(name, table)| (format!("[env.{name}]"), table));
    let tables = std::iter::once((document.name().to_owned(), top)).chain(environments);
    let mut open = Vec::new();
    for (place, table) in tables {
        let vars = &table["vars"];
        let mut names: Vec<String> = OWN.iter().map(ToString::to_string).collect();
        names.extend(routes(vars));
        names.sort();
        names.dedup();
        let set = |name: &String| vars.get(name).is_some_and(|value| value != "");
        open.extend(names.into_iter().filter(set).map(|name| (place.clone(), name)));
    }
    open
}

fn shown(set: &[String]) -> String {
    match set {
        [] => "none".to_owned(),
        set => listed(set, 8),
    }
}

/// Returns the secrets without which some requests are 503.
fn needed(document: &Document, config: Option<&Config>) -> Vec<String> {
    let mut needed = vec![ROOT.to_owned()];
    match config {
        Some(config) => needed.extend(config.tokens.keys().cloned()),
        None => needed.extend(routes(document.own("vars"))),
    }
    let waf = config.is_some_and(|config| {
        let keys = config.keys.values();
        config.routes.iter().any(|route| route.waf_key.is_some())
            || keys.into_iter().any(|known| known.key().schemes.contains(&Scheme::WafUrl))
    });
    if waf {
        needed.push(WAF.to_owned());
    }
    let keys = config.into_iter().flat_map(|config| config.keys.values());
    if keys.into_iter().any(|known| known.key().mint.is_some()) {
        needed.push(TURNSTILE.to_owned());
    }
    needed.sort();
    needed.dedup();
    needed
}

/// Checks that the gate accepts no former root secret.
pub(super) fn previous(document: &Document, remote: &Remote) -> Verdict {
    match remote {
        Remote::Names(set) if set.iter().any(|name| name == PREVIOUS_ROOT) => Verdict::warn(
            format!(
                "{PREVIOUS_ROOT} is set, so the gate still accepts what was signed under the \
                former root secret"
            ),
            format!(
                "when every caller has its new sk: npx wrangler secret delete {PREVIOUS_ROOT}{}",
                document.option()
            ),
        ),
        Remote::Names(_) | Remote::NoWorker(_) => {
            Verdict::ok(format!("{PREVIOUS_ROOT} is not set"))
        }
        Remote::Unknown { hint, .. } => {
            Verdict::warn("cannot see which secrets are set, as the check `secrets` says", *hint)
        }
    }
}

/// Checks that the secrets that key MACs are long enough, as far as this machine can read them.
pub(super) fn root(local: &Local) -> Verdict {
    let mut findings = Findings::default();
    let make_root = "make one with openssl rand -base64 48, keep it in your password store (every sk changes with it), and run npx wrangler secret put SIGNING_SECRET";
    let end_previous = "npx wrangler secret delete SIGNING_SECRET_PREVIOUS, and delete it here";
    let make_waf = "openssl rand -base64 48, into npx wrangler secret put WAF_SECRET and into the WAF rule: every WAF-token URL ends";
    for (name, make) in [(ROOT, make_root), (PREVIOUS_ROOT, end_previous), (WAF, make_waf)] {
        let Some(secret) = local.get(name) else {
            continue;
        };
        let mut bytes = secret.expose().to_vec();
        bytes.sort_unstable();
        bytes.dedup();
        if secret.len() < MIN_SECRET_BYTES {
            findings.fail(
                format!(
                    "{name} is {} bytes long, and the gate needs {MIN_SECRET_BYTES}",
                    secret.len()
                ),
                make,
            );
        } else if bytes.len() < LEAST_VARIETY {
            findings.fail(
                format!(
                    "{name} has only {} different characters, so it is not random",
                    bytes.len()
                ),
                make,
            );
        }
    }
    let Some(root) = local.get(ROOT) else {
        findings.warn(
            format!(
                "{ROOT} is neither in the environment nor in .dev.vars, so its length is not known"
            ),
            "run this where the secret is stored, with SIGNING_SECRET in the environment",
        );
        return findings.verdict("");
    };
    findings.verdict(format!("{ROOT} is {} bytes long", root.len()))
}

#[cfg(test)]
mod tests;
