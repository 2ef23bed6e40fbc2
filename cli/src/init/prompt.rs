//! One answer: what a flag said, else what a person says when asked, else the default.

use crate::error::{Error, Result};
use crate::input;

use super::validate::Checked;

/// A question.
pub(super) struct Question<'q> {
    pub(super) flag: &'static str,
    pub(super) prompt: &'q str,
    pub(super) default: Option<&'q str>,
    /// Nobody is asked: the default does, unless a flag says otherwise.
    pub(super) quiet: bool,
}

impl Question<'_> {
    /// Returns one text.
    pub(super) fn one(
        &self,
        given: Option<&str>,
        check: impl Fn(&str) -> Checked,
    ) -> Result<String> {
        if let Some(given) = given {
            return check(given).map_err(|hint| self.wrong(&hint));
        }
        self.asked(check)
    }

    /// Returns one text, or nothing.
    pub(super) fn maybe(
        &self,
        given: Option<&str>,
        check: impl Fn(&str) -> Checked,
    ) -> Result<Option<String>> {
        let check = |text: &str| match text {
            "" => Ok(String::new()),
            text => check(text),
        };
        let answer = Self { default: self.default.or(Some("")), ..*self }.one(given, check)?;
        Ok(Some(answer).filter(|answer| !answer.is_empty()))
    }

    /// Returns some texts: each in a flag of its own, or in one answer.
    pub(super) fn many(
        &self,
        given: &[String],
        check: impl Fn(&str) -> Checked,
    ) -> Result<Vec<String>> {
        if !given.is_empty() {
            let each = given.iter().map(|text| check(text));
            return each.collect::<std::result::Result<_, _>>().map_err(|hint| self.wrong(&hint));
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
            return check(default).map_err(|hint| self.wrong(&hint));
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

    fn wrong(&self, hint: &str) -> Error {
        Error::usage(format!("{}: {hint}", self.flag))
    }
}
