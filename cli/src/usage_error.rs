//! Usage errors in one line. The message never repeats an argument: it may be a secret in
//! the wrong place, and what is printed may end in the log of a pipeline.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Longest name of an option, with some room.
const MAX_OPTION: usize = 24;

/// From here on two words are alike.
const LEAST_LIKENESS: f64 = 0.7;

/// Returns what was expected.
pub(crate) fn line(error: &clap::Error, command: &clap::Command) -> String {
    let argument = text(error, ContextKind::InvalidArg);
    let expected = match error.kind() {
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let valid = list(error, ContextKind::ValidValue);
            let why = error.source().map(|why| unquoted(&why.to_string()));
            let why = why.unwrap_or_else(|| match valid.is_empty() {
                true => "a value is wanted".to_owned(),
                false => format!("expected one of {}", valid.join(", ")),
            });
            format!("{argument}: {why}")
        }
        ErrorKind::UnknownArgument if is_option(&argument) => {
            let close = text(error, ContextKind::SuggestedArg);
            match close.is_empty() {
                true => format!("{argument} is no option here"),
                false => format!("{argument} is no option here; {close} is"),
            }
        }
        // Only an option's value can be a number below 0, and none is.
        ErrorKind::UnknownArgument if argument.parse::<f64>().is_ok_and(f64::is_sign_negative) => {
            "a number below 0 is not a value of any option".to_owned()
        }
        ErrorKind::UnknownArgument => {
            "an argument too many; a secret goes through standard input".to_owned()
        }
        ErrorKind::InvalidSubcommand => {
            let given = text(error, ContextKind::InvalidSubcommand);
            match nearest(&given, command).join(", or ") {
                near if near.is_empty() => "no such command".to_owned(),
                near => format!("no such command; did you mean {near}?"),
            }
        }
        ErrorKind::MissingRequiredArgument => {
            format!("wanted: {}", list(error, ContextKind::InvalidArg).join(", "))
        }
        ErrorKind::TooManyValues => {
            format!("{argument}: one value too many; a secret goes through standard input")
        }
        ErrorKind::ArgumentConflict if !argument.is_empty() => conflict(error, &argument),
        // clap's own sentence for the kind, without anything of this command line.
        kind => kind.as_str().unwrap_or("the command line cannot be read").to_owned(),
    };
    format!("{expected} (see --help)")
}

/// Returns the commands whose names are most like a word, with the groups that they are in: `session mint` for `mint`.
fn nearest(word: &str, command: &clap::Command) -> Vec<String> {
    let mut names = Vec::new();
    for group in command.get_subcommands() {
        names.push((group.get_name(), group.get_name().to_owned()));
        for one in group.get_subcommands() {
            names.push((one.get_name(), format!("{} {}", group.get_name(), one.get_name())));
        }
    }
    let likeness = |name: &str| strsim::jaro_winkler(name, word);
    let best = names.iter().map(|(name, _)| likeness(name)).fold(LEAST_LIKENESS, f64::max);
    let near = names.into_iter().filter(|(name, _)| likeness(name) >= best);
    near.map(|(_, path)| path).collect()
}

/// Names two arguments that exclude each other, or one that was given twice.
fn conflict(error: &clap::Error, argument: &str) -> String {
    let mut others = list(error, ContextKind::PriorArg);
    others.push(text(error, ContextKind::PriorArg));
    others.retain(|other| !other.is_empty());
    match others.as_slice() {
        [other] if other == argument => format!("{argument} may be given once"),
        [] => format!("{argument} does not go with the others"),
        others => format!("{argument} does not go with {}", others.join(", ")),
    }
}

/// Returns the reason without the value that clap begins it with if a number is too small or too large. The standard
/// library's words about a text that is no number name a digit only.
fn unquoted(why: &str) -> String {
    match why.split_once(" is not in ") {
        Some((_value, range)) => format!("the value is not in {range}"),
        None if ["digit", "target type", "empty string"].iter().any(|end| why.contains(end)) => {
            "expected a whole number".to_owned()
        }
        None => why.to_owned(),
    }
}

/// Returns true if it has the form of an option's name, and not of anybody's secret.
fn is_option(argument: &str) -> bool {
    let letters = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    argument.starts_with('-') && argument.len() <= MAX_OPTION && letters(argument)
}

fn text(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    }
}

fn list(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::Strings(list)) => list.clone(),
        _ => Vec::new(),
    }
}
