//! Usage errors in one line. The message never repeats an argument: it may be a secret in
//! the wrong place, and what is printed may end in the log of a pipeline.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};
use writegate::{KeyId, METHODS};

/// Longest name of an option, with some room.
const MAX_OPTION: usize = 24;

/// The similarity from which two words count as alike.
const LEAST_LIKENESS: f64 = 0.8;

/// Commands of wrangler that people type here.
const WRANGLER_S: [&str; 6] = ["deploy", "dev", "login", "secret", "tail", "whoami"];

/// Commands that read a secret from standard input.
const TAKES_SECRET: [&str; 2] = ["init", "put"];

/// Returns what was expected after these words.
pub(crate) fn line(error: &clap::Error, command: &Command, words: &[String]) -> String {
    let named = named(command, words);
    let taking = |is_fit: &dyn Fn(&Arg) -> bool| taking(named, words, is_fit);
    let too_many = match TAKES_SECRET.contains(&named.get_name()) {
        true => "too many; a secret goes through standard input",
        false => "too many",
    };
    let argument = text(error, ContextKind::InvalidArg);
    let expected = match error.kind() {
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let valid = list(error, ContextKind::ValidValue);
            let why = error.source().map(|why| unquoted(&why.to_string()));
            let why = why.unwrap_or_else(|| match valid.is_empty() {
                true => "a value is missing".to_owned(),
                false => format!("expected one of {}", valid.join(", ")),
            });
            format!("{argument}: {why}")
        }
        // Commands with `--env` but without this option, except for a session.
        ErrorKind::UnknownArgument
            if argument == "--json" && takes(named, "env") && named.get_name() != "console" =>
        {
            "--json is not an option here, because the output is JSON anyway".to_owned()
        }
        ErrorKind::UnknownArgument if is_option(&argument) => {
            let close = match taking(&|one| kinds(command, &argument).contains(&kind(one))) {
                close if close.is_empty() => text(error, ContextKind::SuggestedArg),
                close => close,
            };
            // Every message names `--help` at its end.
            let close = if close == "--help" { String::new() } else { close };
            match close.is_empty() {
                true => format!("{argument} is not an option here"),
                false => format!("{argument} is not an option here; {close} is"),
            }
        }
        // Only an option's value can be a number below 0, and none is.
        ErrorKind::UnknownArgument if argument.parse::<f64>().is_ok_and(f64::is_sign_negative) => {
            "a number below 0 is not a value of any option".to_owned()
        }
        // A position would have taken it, if it were not taken.
        ErrorKind::UnknownArgument => {
            match taking(&|one| !one.is_positional() && is_like(&argument, one)) {
                meant if meant.is_empty() => format!("an argument {too_many}"),
                meant => format!("an argument too many; did you mean {meant}?"),
            }
        }
        ErrorKind::InvalidSubcommand => {
            let given = text(error, ContextKind::InvalidSubcommand);
            if WRANGLER_S.contains(&given.as_str()) {
                return format!("no such command; wrangler has it: npx wrangler {given}");
            }
            match nearest(&given, command, named).join(", or ") {
                near if near.is_empty() => {
                    let all = named.get_subcommands().map(Command::get_name);
                    let all: Vec<&str> = all.filter(|name| *name != "help").collect();
                    format!("no such command; expected one of {}", all.join(", "))
                }
                near => format!("no such command; did you mean {near}?"),
            }
        }
        ErrorKind::MissingRequiredArgument => {
            format!("missing: {}", list(error, ContextKind::InvalidArg).join(", "))
        }
        ErrorKind::TooManyValues => {
            format!("{argument}: one value {too_many}")
        }
        ErrorKind::ArgumentConflict if !argument.is_empty() => conflict(error, &argument),
        // clap's own sentence for the kind, without anything of this command line.
        kind => kind.as_str().unwrap_or("the command line cannot be read").to_owned(),
    };
    format!("{expected} (see --help)")
}

/// Returns the command that these words name.
fn named<'c>(command: &'c Command, words: &[String]) -> &'c Command {
    let mut named = command;
    for word in words.iter().filter(|word| !word.starts_with('-')) {
        match named.find_subcommand(word) {
            Some(below) => named = below,
            None => break,
        }
    }
    named
}

/// Returns true if a command takes this option.
fn takes(command: &Command, option: &str) -> bool {
    command.get_arguments().any(|one| one.get_long() == Some(option))
}

/// Returns the kind of an argument's value. Arguments of one kind accept the same values.
fn kind(argument: &Arg) -> String {
    // Other things have ids, too.
    if argument.get_value_parser().type_id() == std::any::TypeId::of::<KeyId>() {
        return "KEY ID".to_owned();
    }
    argument.get_value_names().into_iter().flatten().map(ToString::to_string).collect()
}

/// Returns the kinds of the values of every option of this name, in any command.
fn kinds(command: &Command, option: &str) -> Vec<String> {
    let is_named = |argument: &&Arg| {
        let name = option.strip_prefix("--").unwrap_or_default();
        let aliases = argument.get_all_aliases().unwrap_or_default();
        argument.get_long() == Some(name) || aliases.contains(&name)
    };
    let own = command.get_arguments().filter(is_named).map(kind);
    let below = command.get_subcommands().flat_map(|below| kinds(below, option));
    own.chain(below).filter(|kind| !kind.is_empty()).collect()
}

/// Returns the arguments of a command that take such a value and are not among these words, or only the required ones
/// of them.
fn taking(command: &Command, words: &[String], is_fit: &dyn Fn(&Arg) -> bool) -> String {
    let is_given = |argument: &Arg| {
        let option = format!("--{}", argument.get_long().unwrap_or_default());
        words.iter().any(|word| word.split('=').next() == Some(option.as_str()))
    };
    // Without a gate, nobody acts as an admin.
    let is_local =
        command.get_arguments().any(|one| one.get_id() == "gate" && !one.is_required_set());
    let fits = |argument: &&Arg| {
        is_fit(argument) && !is_given(argument) && !(is_local && argument.get_id() == "admin")
    };
    let each = |argument: &Arg| match argument.is_positional() {
        true => format!("{argument} without an option"),
        false => argument.to_string(),
    };
    let mut fitting: Vec<&Arg> = command.get_arguments().filter(fits).collect();
    if fitting.iter().any(|argument| argument.is_required_set()) {
        fitting.retain(|argument| argument.is_required_set());
    }
    fitting.into_iter().map(each).collect::<Vec<_>>().join(" or ")
}

/// Returns true if a text may be a value of this argument.
fn is_like(text: &str, argument: &Arg) -> bool {
    match kind(argument).as_str() {
        "URL" | "ORIGIN" => text.contains("://"),
        "PATH" => text.starts_with('/'),
        "METHOD" => METHODS.contains(&text),
        "KEY ID" => KeyId::parse(text).is_some() && !METHODS.contains(&text),
        _ => argument.get_possible_values().iter().any(|value| value.matches(text, false)),
    }
}

/// Returns the commands of this one whose names are most like a word, with the groups that they are in: `session mint` for
/// `mint`. Of other groups only one with that very name.
fn nearest(word: &str, command: &Command, named: &Command) -> Vec<String> {
    let is_top = named.get_name() == command.get_name();
    let mut names = Vec::new();
    for group in command.get_subcommands().filter(|group| group.get_name() != "help") {
        let is_own = group.get_name() == named.get_name();
        if is_top {
            names.push((group.get_name(), group.get_name().to_owned(), true));
        }
        for one in group.get_subcommands().filter(|one| one.get_name() != "help") {
            let path = format!("{} {}", group.get_name(), one.get_name());
            names.push((one.get_name(), path, is_top || is_own));
        }
    }
    let likeness = |name: &str| strsim::jaro_winkler(name, word);
    names.retain(|(name, _, is_near)| *is_near || *name == word);
    let best = names.iter().map(|(name, ..)| likeness(name)).fold(LEAST_LIKENESS, f64::max);
    let near = names.into_iter().filter(|(name, ..)| likeness(name) >= best);
    near.map(|(_, path, _)| path).collect()
}

/// Names two arguments that exclude each other, or one that was given twice.
fn conflict(error: &clap::Error, argument: &str) -> String {
    let mut others = list(error, ContextKind::PriorArg);
    others.push(text(error, ContextKind::PriorArg));
    others.retain(|other| !other.is_empty());
    match others.as_slice() {
        [other] if other == argument => format!("{argument} may be given only once"),
        [] => format!("{argument} does not go with the others"),
        others => format!("{argument} does not go with {}", others.join(", ")),
    }
}

/// The standard library's messages about a text that is not a number.
const NO_NUMBER: [&str; 4] = [
    "invalid digit found in string",
    "number too large to fit in target type",
    "number too small to fit in target type",
    "cannot parse integer from empty string",
];

/// Returns the reason without the value that clap begins it with if a number is too small or too large.
fn unquoted(why: &str) -> String {
    match why.split_once(" is not in ") {
        Some((_value, range)) => format!("expected a number from {}", range.replace("..=", " to ")),
        None if NO_NUMBER.contains(&why) => "expected a whole number".to_owned(),
        None => why.to_owned(),
    }
}

/// Returns true if the text has the form of an option's name, not of a secret.
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
