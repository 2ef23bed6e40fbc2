//! One answer: a flag's value, else a person's answer, else the default.

use crate::error::{Error, Result};
use crate::input;

use super::validate::{self, Checked};

/// A question.
pub(super) struct Question<'q> {
    pub(super) flag: &'static str,
    pub(super) prompt: &'q str,
    pub(super) default: Option<&'q str>,
    /// The question is not asked; the default counts unless a flag is given.
    pub(super) quiet: bool,
}

impl<'q> Question<'q> {
    pub(super) const fn new(flag: &'static str, prompt: &'q str, default: Option<&'q str>) -> Self {
        Self { flag, prompt, default, quiet: false }
    }

    /// Skips the question if this is true.
    pub(super) const fn unless(self, quiet: bool) -> Self {
        Self { quiet, ..self }
    }

    /// Returns one text: the flag's value, which was checked when it was parsed, or an answer.
    pub(super) fn one(
        &self,
        given: Option<&String>,
        check: impl Fn(&str) -> Checked,
    ) -> Result<String> {
        given.map_or_else(|| self.asked(check), |given| Ok(given.clone()))
    }

    /// Returns one text, or nothing.
    pub(super) fn maybe(
        &self,
        given: Option<&String>,
        check: fn(&str) -> Checked,
    ) -> Result<Option<String>> {
        let question = Self { default: self.default.or(Some("")), ..*self };
        let answer = question.one(given, validate::maybe(check))?;
        Ok(Some(answer).filter(|answer| !answer.is_empty()))
    }

    /// Returns some texts: each in a flag of its own, or in one answer.
    pub(super) fn many(
        &self,
        given: &[String],
        check: impl Fn(&str) -> Checked,
    ) -> Result<Vec<String>> {
        if !given.is_empty() {
            return Ok(given.to_vec());
        }
        let split = |text: &str| -> Vec<String> {
            let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect()
        };
        let all = |text: &str| {
            let parts = split(text);
            if parts.is_empty() && self.default != Some("") {
                return Err("expected at least one".to_owned());
            }
            let checked: std::result::Result<Vec<_>, _> =
                parts.iter().map(|part| check(part)).collect();
            checked.map(|parts| parts.join(" "))
        };
        Ok(split(&self.asked(all)?))
    }

    /// Yes or no.
    pub(super) fn yes(&self) -> Result<bool> {
        let check = |text: &str| match text {
            "y" | "Y" | "yes" => Ok("y".to_owned()),
            "n" | "N" | "no" => Ok("n".to_owned()),
            _ => Err("expected y or n".to_owned()),
        };
        Ok(self.asked(check)? == "y")
    }

    fn asked(&self, check: impl Fn(&str) -> Checked) -> Result<String> {
        if self.quiet || !input::is_terminal() {
            let Some(default) = self.default else {
                return Err(Error::usage(format!("{} is missing: {}", self.flag, self.prompt)));
            };
            return check(default).map_err(|hint| Error::usage(format!("{}: {hint}", self.flag)));
        }
        loop {
            let default = self.default.filter(|default| !default.is_empty());
            let typed = input::line(self.prompt, default)?;
            match check(&typed) {
                Ok(answer) => return Ok(answer),
                Err(hint) => eprintln!("  {hint}"),
            }
        }
    }
}
