//! `writegate explain`: which rule refused a request, and why, by the gate's own code; and where a
//! signature does not match, what was signed beside what the gate sees.

mod bases;
mod gate;
mod guess;
mod request_input;
mod why;

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;
use writegate::Timestamp;
use writegate::{Problem, Refusal};

use crate::clock;
use crate::error::{Context as _, Error, Result};
use crate::project::ProjectOptions;

use gate::{Local, Verdict};
use request_input::RequestInput;

const EXAMPLES: &str = "Examples:\n  \
    writegate explain -- curl -X POST https://gate.example.com/posts -H 'Authorization: Bearer …' -d '{}'\n  \
    writegate explain --problem answer.json -- -X POST https://gate.example.com/posts -H 'Signature: …' -H 'Signature-Input: …'\n  \
    writegate explain --har export.har --entry 3\n\n\
    Keys, routes and limits are those of wrangler.toml, secrets those of the environment or .dev.vars; whoever\n\
    has no more than a key's secret puts it into WRITEGATE_SK.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The problem document that the gate answered, as a file, or - for standard input
    #[arg(long, value_name = "FILE")]
    problem: Option<PathBuf>,
    /// The signature base that the client signed, as a file
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// When it was sent, as an RFC 3339 time [default: what the HAR says, else now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Timestamp>,
    /// The request is an entry of this HAR file, or this file is one entry
    #[arg(long, value_name = "FILE", conflicts_with = "request")]
    har: Option<PathBuf>,
    /// Which entry, from 1
    #[arg(long, value_name = "N", requires = "har", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    entry: u32,
    #[command(flatten)]
    project: ProjectOptions,
    /// The request, as arguments of curl: a URL, -X, -H, -d and so on
    #[arg(value_name = "REQUEST", trailing_var_arg = true, allow_hyphen_values = true)]
    request: Vec<String>,
}

/// The gate's answer.
struct Answered {
    problem: Option<Problem>,
    code: String,
    base: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let request = match &options.har {
        Some(file) => request_input::har(&read(file)?, options.entry)?,
        None if options.request.is_empty() => {
            return Err(Error::usage(
                "which request? Give it as arguments of curl after --, or as --har FILE",
            ));
        }
        None => request_input::curl(&options.request)?,
    };
    let now = match options.at.or(request.at) {
        Some(at) => at,
        None => clock::now()?,
    };
    let answered = match &options.problem {
        Some(file) => Some(answered(&read(file)?)?),
        None => None,
    };
    let signed = options.base.as_ref().map(read).transpose()?;
    let local = Local::new(&options.project.find()?)?;
    print!("{}", report(&request, now, answered.as_ref(), signed.as_deref(), &local));
    Ok(())
}

fn report(
    request: &RequestInput,
    now: Timestamp,
    answered: Option<&Answered>,
    signed: Option<&str>,
    local: &Local,
) -> String {
    let mut text = String::new();
    let here = local.decide(request, now);
    if let Some(answered) = answered {
        text.push_str(&format!("The gate answered {}.\n", told(answered.problem, &answered.code)));
    }
    match &here {
        Verdict::Refused(problem) => {
            let place = if answered.is_some() { "Here" } else { "With this configuration" };
            let told = told(Some(*problem), problem.code());
            text.push_str(&format!("{place} it is refused: {told}.\n"));
        }
        Verdict::Forwarded => text.push_str(
            "With this configuration it is accepted and sent on (a nonce counts as new).\n",
        ),
        Verdict::Closed(why) => text.push_str(&format!("It cannot be judged here: {why}.\n")),
    }
    let differs = answered.is_some_and(|answered| {
        matches!(&here, Verdict::Refused(problem) if problem.code() != answered.code)
            || matches!(here, Verdict::Forwarded)
    });
    if differs {
        text.push_str(
            "The two differ: the gate has another configuration, secret or clock than this machine \
             (see --at), or the request was changed on its way.\n",
        );
    }
    let problem = match (answered, &here) {
        (Some(Answered { problem: Some(problem), .. }), _) => Some(*problem),
        (_, Verdict::Refused(problem)) => Some(*problem),
        _ => None,
    };
    for line in problem.iter().flat_map(|problem| why::lines(*problem, request, now, local)) {
        text.push_str(&format!("  - {line}\n"));
    }
    let mismatch = problem == Some(Problem::Refused(Refusal::SignatureInvalid));
    if request.is_signed() && (mismatch || signed.is_some()) {
        let gate_s = answered.and_then(|answered| answered.base.as_deref());
        text.push_str(&bases::compare(request, signed, gate_s));
    }
    let guess = match request.is_signed() {
        true if mismatch || signed.is_some() => guess::of_signature(request, signed, local),
        false if mismatch => guess::of_session(request, local),
        _ => None,
    };
    if let Some(guess) = guess {
        text.push_str(&format!("\n{guess}\n"));
    }
    text
}

/// A code with what the page of codes says of it.
fn told(problem: Option<Problem>, code: &str) -> String {
    match problem {
        Some(problem) => {
            let description = problem.description();
            format!(
                "{} {code}\n  {}. {}",
                description.status,
                description.title,
                description.detail.trim_end_matches('.')
            )
        }
        None => format!("{code}, which this version does not know"),
    }
}

fn answered(text: &str) -> Result<Answered> {
    let member = |document: &Value, name: &str| document[name].as_str().map(str::to_owned);
    let document: Value = serde_json::from_str(text)
        .map_err(|error| Error::usage(format!("--problem: not JSON: {error}")))?;
    let code = member(&document, "code")
        .ok_or_else(|| Error::usage("--problem: this document has no \"code\""))?;
    Ok(Answered {
        problem: Problem::of_code(&code),
        base: member(&document, "signature_base"),
        code,
    })
}

fn read(file: &PathBuf) -> Result<String> {
    if file.as_os_str() == "-" {
        return io::read_to_string(io::stdin()).context("reading standard input");
    }
    fs::read_to_string(file).context(format!("reading {}", file.display()))
}

fn time(text: &str) -> std::result::Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text)
        .ok_or_else(|| "expected an RFC 3339 time such as 2026-11-22T20:00:00Z".to_owned())
}
