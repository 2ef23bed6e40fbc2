//! The options of `token rotate`.

use clap::Args;
use writegate::KeyId;

use crate::admin::GateOptions;
use crate::clock;
use crate::project::ProjectOptions;
use crate::settings;
use crate::token::status::Watch;

use super::cloudflare_tokens::is_id;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(super) which: GateOptions,
    /// The secret's name [default: the only one that a route of wrangler.toml names]
    #[arg(long, value_name = "NAME")]
    pub(super) secret: Option<String>,
    #[command(flatten)]
    pub(super) project: ProjectOptions,
    /// The id of the Cloudflare token in the gate, if this command did not make it; the new token gets the same
    /// rights
    #[arg(long, value_name = "ID", value_parser = id, conflicts_with = "hook")]
    pub(super) old: Option<String>,
    /// Trust --old if nothing proves that it is the token in the gate; the run revokes it at the end
    #[arg(long, requires = "old")]
    pub(super) old_unchecked: bool,
    /// The tokens are those of this Cloudflare account, not of a user
    #[arg(long, value_name = "ID", value_parser = id, conflicts_with = "hook")]
    pub(super) account: Option<String>,
    /// A command that makes a token at another API and prints it, raw or as {"token":…,"expires_at":…}
    #[arg(long, value_name = "COMMAND")]
    pub(super) hook: Option<String>,
    /// A command that reads the token that stays from standard input, and revokes all others
    #[arg(long, value_name = "COMMAND", requires = "hook")]
    pub(super) revoke_hook: Option<String>,
    /// The key whose session tries the token through the gate [default: a key of wrangler.toml that may]
    #[arg(long, value_name = "KEY", value_parser = settings::id)]
    pub(super) through: Option<KeyId>,
    /// Continue if a token cannot be tried, because no route has a `probe` or no key may GET it
    #[arg(long)]
    pub(super) unprobed: bool,
    /// Rotate the token even if it is ok
    #[arg(long)]
    pub(super) now: bool,
    /// Refuse if the newest version is not deployed, because its code would go out with the token
    #[arg(long)]
    pub(super) deployed_only: bool,
    /// Seconds for which the old token stays valid once the gate shows the new one, for data centres that this
    /// command does not see
    /// [default: twice the longest timeout_ms of its routes, at least 30, in a Secrets Store 60]
    #[arg(long, value_name = "SECONDS", value_parser = clock::duration::<u64>(0..=86_400))]
    pub(super) grace: Option<u64>,
    /// Seconds to wait for another run that may be about to put its token; 0 if there can be no other run
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = lease)]
    pub(super) lease: u64,
    /// Print what was done and what is left as one JSON object, without a token
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) watch: Watch,
}

fn id(text: &str) -> std::result::Result<String, String> {
    let expected = "expected an id of Cloudflare's: 32 hexadecimal digits";
    is_id(text).then(|| text.to_ascii_lowercase()).ok_or_else(|| expected.to_owned())
}

/// Parses the seconds: 0, or longer than another run may take until its token is put.
fn lease(text: &str) -> std::result::Result<u64, String> {
    const { assert!(super::PUT_WITHIN.as_secs() < 150) };
    let expected = "expected 0, or 150 to 3600 seconds";
    let seconds = clock::duration(0..=3_600)(text).map_err(|_other| expected.to_owned())?;
    match seconds {
        0 | 150..=3_600 => Ok(seconds),
        _ => Err(expected.to_owned()),
    }
}
