//! `writegate url sign`: a link that works by itself for a while.

use clap::{Args, Subcommand};
use serde_json::json;
use writegate::credential::url;
use writegate::{Head, KeyId, MacKey, Scheme};

use crate::error::{Error, Result};
use crate::project::Project;
use crate::settings::{self, KeyOptions, NamedKey};
use crate::{clock, target};

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Print a signed URL, for GET and HEAD
    Sign(Sign),
}

#[derive(Args)]
pub(crate) struct Sign {
    /// The key's id
    #[arg(long, value_name = "ID", value_parser = settings::id)]
    key: KeyId,
    /// Its lifetime, in seconds or as 5m, 1h, 7d [default: 3600, or the key's url_ttl if that is less]
    #[arg(long, value_name = "SECONDS", value_parser = clock::duration::<i64>(1..=u32::MAX.into()))]
    ttl: Option<i64>,
    /// Use the WAF-token format, signed with WAF_SECRET; valid for the key's url_ttl
    #[arg(long, conflicts_with_all = ["ttl", "version"])]
    waf: bool,
    /// With --waf: leave the key id out, because the route names it as waf_key
    #[arg(long, requires = "waf")]
    unnamed: bool,
    /// The address at the gate
    #[arg(value_name = "URL", value_parser = target::strict_url)]
    url: String,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: KeyOptions,
}

/// The default lifetime of a signed URL.
const DEFAULT_TTL: i64 = 3_600;

pub(crate) fn run(action: &Action) -> Result<()> {
    let Action::Sign(sign) = action;
    let key = sign.which.open_any(&sign.key)?;
    let head = target::head("GET", &sign.url, Vec::new(), false)?;
    if head.parameters().any(|(name, _)| ["key", "sig", "verify"].contains(&name)) {
        return Err(Error::usage(
            "the URL has a parameter key, sig or verify already: those are the gate's",
        ));
    }
    let (link, scheme) = match sign.waf {
        true => (sign.waf_token(&key.project, &head)?, Scheme::WafUrl),
        false => (sign.signed(&key, &head)?, Scheme::Url),
    };
    key.warn_of_refusal(scheme)?;
    let link = format!("{}://{}{link}", head.scheme(), head.authority());
    match sign.json {
        true => println!("{}", json!({"url": link})),
        false => println!("{link}"),
    }
    Ok(())
}

impl Sign {
    fn signed(&self, key: &NamedKey, head: &Head<'_>) -> Result<String> {
        let longest = key.key().map_or(settings::DEFAULT_URL_TTL, |key| key.url_ttl);
        let ttl = self.ttl.unwrap_or(DEFAULT_TTL.min(longest));
        if ttl > longest {
            return Err(Error::usage(format!(
                "--ttl {ttl}: the key allows links of at most {longest} s (url_ttl)"
            )));
        }
        let sk = key.sk()?;
        let expires = clock::now()?.plus_seconds(ttl);
        Ok(url::sign(head, &self.key, expires, &MacKey::new(&sk)))
    }

    fn waf_token(&self, project: &Project, head: &Head<'_>) -> Result<String> {
        let secret = settings::waf_secret(project)?;
        let key = (!self.unnamed).then_some(&self.key);
        Ok(url::sign_waf(head, key, clock::now()?, &MacKey::new(&secret)))
    }
}
