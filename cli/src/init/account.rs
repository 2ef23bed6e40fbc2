//! The Cloudflare account, found out once, when it is first needed.

use std::cell::OnceCell;
use std::env;

use crate::error::{Error, Result};

use super::cloud::{Account, Cloud};
use super::prompt::Question;
use super::{Options, validate};

const VARIABLE: &str = "CLOUDFLARE_ACCOUNT_ID";
const FLAG: &str = "--account";

pub(super) struct Accounts<'c> {
    flag: Option<&'c String>,
    /// The account of the configuration's top level, which a new environment inherits. It wins over the variable.
    inherited: Option<&'c str>,
    /// `None`: nothing is done at Cloudflare.
    cloud: Option<&'c Cloud<'c>>,
    chosen: OnceCell<Chosen>,
}

#[derive(Clone, Default)]
struct Chosen {
    id: Option<String>,
    /// Neither the configuration above nor the environment names it.
    written: bool,
}

impl<'c> Accounts<'c> {
    pub(super) fn new(
        options: &'c Options,
        inherited: Option<&'c str>,
        cloud: Option<&'c Cloud<'c>>,
    ) -> Self {
        Self { flag: options.account.as_ref(), inherited, cloud, chosen: OnceCell::new() }
    }

    /// Returns the account's id for a configuration that inherits none.
    pub(super) fn named(&self) -> Result<Option<String>> {
        Ok(self.written()?.or_else(|| self.inherited.map(str::to_owned)))
    }

    /// Returns the account's id for a configuration that needs one.
    pub(super) fn id(&self) -> Result<String> {
        if let Some(id) = self.chosen()?.id {
            return Ok(id);
        }
        let prompt = "The Cloudflare account's id, as `npx wrangler whoami` prints it";
        Question::new(FLAG, prompt, None).one(None, validate::account)
    }

    /// Returns the account's id for `wrangler.toml`. Fails if nobody is logged in.
    pub(super) fn written(&self) -> Result<Option<String>> {
        let chosen = self.chosen()?;
        Ok(chosen.id.filter(|_| chosen.written))
    }

    fn chosen(&self) -> Result<Chosen> {
        if let Some(chosen) = self.chosen.get() {
            return Ok(chosen.clone());
        }
        let chosen = self.choose()?;
        Ok(self.chosen.get_or_init(|| chosen).clone())
    }

    fn choose(&self) -> Result<Chosen> {
        let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let variable = set(VARIABLE).map(|id| {
            let wrong = |hint| Error::usage(format!("{VARIABLE}: {hint}"));
            validate::account(&id).map_err(wrong)
        });
        let variable = variable.transpose()?;
        // The two are enough for wrangler, and a narrow token may not ask who it is.
        let known = variable.is_some() && set("CLOUDFLARE_API_TOKEN").is_some();
        let accounts = match self.cloud {
            Some(cloud) if !known => cloud.accounts()?,
            _ => Vec::new(),
        };
        let there = self.inherited.map(str::to_owned).or(variable);
        let (id, written) = match (self.flag, there, accounts.as_slice()) {
            (Some(flag), ..) => (Some(flag.clone()), true),
            (None, Some(there), _) => (Some(there), false),
            (None, None, []) => (None, false),
            // wrangler would prefer the account of its last call in this folder.
            (None, None, [only]) => (Some(only.id.clone()), true),
            (None, None, several) => (Some(one_of(several)?), true),
        };
        Ok(Chosen { id, written })
    }
}

fn one_of(accounts: &[Account]) -> Result<String> {
    let list: Vec<_> =
        accounts.iter().map(|account| format!("{} ({})", account.id, account.name)).collect();
    let prompt = format!("which of the login's accounts: {}", list.join(", "));
    let id = Question::new(FLAG, &prompt, None).one(None, validate::account)?;
    match accounts.iter().any(|account| account.id == id) {
        true => Ok(id),
        false => Err(Error::usage("--account: not one of the login's accounts")),
    }
}
