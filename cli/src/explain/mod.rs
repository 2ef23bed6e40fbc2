//! `writegate explain`: the rule that refused a request, and the reason, by the gate's own code. If a
//! signature does not match, it shows the signed base beside the gate's.

mod bases;
mod credential;
mod curl;
mod gate;
mod guess;
mod har;
mod jwt;
mod limits;
mod link;
mod platform;
mod request_input;
mod resigned;
mod secrets;
mod signed;
mod why;

use clap::Args;
use serde_json::{Value, json};
use writegate::{KeyId, Timestamp};
use writegate::{Problem, Refusal};

use crate::admin::GateOptions;
use crate::clock;
use crate::error::{Error, Result};
use crate::input;
use crate::project::ProjectOptions;
use crate::redact::redacted;
use crate::settings;

use gate::{Local, Record, Verdict};
use har::Entry;
use request_input::RequestInput;

const EXAMPLES: &str = "Examples:\n  \
    writegate explain -- curl -X POST https://gate.example.com/posts -H 'Authorization: Bearer …' -d '{}'\n  \
    writegate explain --problem answer.json -- -X POST https://gate.example.com/posts -H 'Signature: …' -H 'Signature-Input: …'\n  \
    writegate explain --har export.har --entry 3\n\n\
    Keys, routes and limits are those of the configuration, with --gate also those of the registry; secrets are those of the\n\
    environment or .dev.vars. A caller puts the key's secret into WRITEGATE_SK.\n\n\
    Exit code: 0 if the request is accepted, 1 if it is refused or cannot be judged, 2 if it cannot be read.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
// Without a gate, the registry is not asked.
#[command(mut_arg("gate", |gate| gate.required(false)))]
#[command(mut_arg("admin", |admin| admin.requires("gate")))]
pub(crate) struct Options {
    #[command(flatten)]
    which: Option<GateOptions>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// The problem document that the gate answered, as a file, or - for standard input
    #[arg(long, value_name = "FILE")]
    problem: Option<String>,
    /// The signature base that the client signed, as a file
    #[arg(long, value_name = "FILE")]
    base: Option<String>,
    /// When it was sent, as an RFC 3339 time [default: what the HAR says, else now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Timestamp>,
    /// Read the request from this HAR file, or from a file with one entry of it
    #[arg(long, value_name = "FILE", conflicts_with = "request")]
    har: Option<String>,
    /// Which entry, from 1 [default: the only one, or the only one that a gate refused]
    #[arg(long, value_name = "N", requires = "har", value_parser = clap::value_parser!(u32).range(1..))]
    entry: Option<u32>,
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
    limit: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let entry = match &options.har {
        Some(file) => har::read(&input::text("--har", file)?, options.entry)?,
        None if options.request.is_empty() => {
            return Err(Error::usage(
                "which request? Give it as arguments of curl after --, or as --har FILE",
            ));
        }
        None => Entry { request: curl::read(&options.request)?, ..Entry::default() },
    };
    let request = &entry.request;
    let now = match options.at.or(request.at) {
        Some(at) => at,
        None => clock::now()?,
    };
    let answered = match (&options.problem, &entry.answer) {
        (Some(file), _) => Some(answered(&input::text("--problem", file)?)?),
        (None, answer) => answer.as_ref().and_then(|answer| answered(answer).ok()),
    };
    let signed = options.base.as_ref().map(|file| input::text("--base", file)).transpose()?;
    let project = options.project.look()?;
    if settings::key_secret(&project)?.is_none() {
        project.refuse_redirect()?;
    }
    let id = why::named(request).and_then(|id| KeyId::parse(&id));
    let record = match (&options.which, &id) {
        (Some(which), Some(id)) if settings::key(&project, id)?.is_none() => {
            Record::ask(&which.open(&project)?, id)?
        }
        _ => None,
    };
    let local = Local::new(&project, id.as_ref(), record)?;
    let verdict = local.decide(request, now);
    let explanation = Explanation {
        request,
        now,
        answered: answered.as_ref(),
        entry: &entry,
        signed: signed.as_deref(),
        local: &local,
        verdict: &verdict,
    };
    let text = match options.json {
        true => format!("{}\n", explanation.json()),
        false => explanation.text(),
    };
    print!("{}", redacted(&text));
    match (&verdict, &answered) {
        (Verdict::Forwarded | Verdict::Answered, None) => Ok(()),
        _ => Err(Error::found()),
    }
}

/// A request, and everything that is known about it.
struct Explanation<'e> {
    request: &'e RequestInput,
    now: Timestamp,
    answered: Option<&'e Answered>,
    /// The entry of the HAR, if there is one.
    entry: &'e Entry,
    signed: Option<&'e str>,
    local: &'e Local,
    verdict: &'e Verdict,
}

impl Explanation<'_> {
    /// Returns the refusal to explain and the owner of the limit: from the gate's answer, else from the decision here.
    fn problem(&self) -> Option<(Problem, Option<&str>)> {
        let here = match self.verdict {
            Verdict::Refused { problem, limit, .. } => Some((*problem, limit.as_deref())),
            Verdict::Forwarded | Verdict::Answered | Verdict::Closed(_) => None,
        };
        match self.answered {
            Some(Answered { problem: Some(problem), limit, .. }) => {
                Some((*problem, limit.as_deref()))
            }
            _ => here,
        }
    }

    /// Returns the reasons, one a line.
    fn why(&self) -> Vec<String> {
        let Some((problem, limit)) = self.problem() else {
            return Vec::new();
        };
        let mut lines = why::lines(problem, limit, self.request, self.now, self.local);
        if let Verdict::Refused { problem: here, details, .. } = self.verdict
            && here.code() == problem.code()
        {
            lines.extend(details.iter().cloned());
        }
        let is_without = matches!(self.verdict, Verdict::Refused { problem, .. } if problem.code() == "credential-missing");
        if is_without
            && self.answered.is_none_or(|answered| answered.code != "credential-missing")
            && (self.entry.status.is_some() || self.entry.unanswered.is_some())
        {
            lines.push("the HAR has no Authorization: browsers leave it out, unless they export sensitive data, too".to_owned());
        }
        if self.entry.lost_body {
            lines.push(
                "the HAR does not have the body that was sent, so its digest and its length \
                are not known"
                    .to_owned(),
            );
        }
        lines
    }

    /// Returns it for a program.
    fn json(&self) -> Value {
        let (judged, code, limit) = match self.verdict {
            Verdict::Forwarded | Verdict::Answered => ("accepted", None, None),
            Verdict::Refused { problem, limit, .. } => {
                ("refused", Some(problem.code()), limit.as_deref())
            }
            Verdict::Closed(_) => ("unknown", None, None),
        };
        let mut why = self.why();
        if let Verdict::Closed(reason) = self.verdict {
            why.push(reason.clone());
        }
        json!({
            "judged": judged,
            "code": code,
            "limit": limit,
            "answered": self.answered.map(|answered| answered.code.as_str()),
            "why": why,
            "guess": self.guess(),
        })
    }

    /// Returns it for a person.
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(answered) = self.answered {
            text.push_str(&format!(
                "The gate answered {}.\n",
                described(answered.problem, &answered.code)
            ));
        } else if let Some(status) = self.entry.status {
            let what = match self.entry.answer {
                Some(_) => "and not a refusal of a gate",
                None => "and the HAR has nothing else of it",
            };
            text.push_str(&format!("The answer was {status}, {what}.\n"));
        } else if let Some(why) = &self.entry.unanswered {
            let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
            text.push_str(&format!(
                "The HAR has no answer to it{why}: it was blocked or broken off, or the browser withheld the answer from the page.\n"
            ));
        }
        let place = match (self.answered, &self.local.place) {
            (_, None) => {
                "Without the gate's configuration, and so without its routes and the key's limits, it"
            }
            (Some(_), Some(_)) => "Here it",
            (None, Some(_)) => "With this configuration it",
        };
        match self.verdict {
            Verdict::Refused { problem, limit, .. } => {
                let described = described(Some(*problem), problem.code());
                let whose = match limit.as_deref() {
                    Some(limit) => format!(" The limit is the {limit}'s."),
                    None => String::new(),
                };
                text.push_str(&format!("{place} is refused: {described}.{whose}\n"));
            }
            Verdict::Forwarded => {
                text.push_str(&format!(
                    "{place} is accepted and sent on (a nonce counts as new).\n"
                ));
            }
            Verdict::Answered => {
                text.push_str(&format!("{place} is accepted, and the gate answers it itself.\n"));
            }
            Verdict::Closed(why) => text.push_str(&format!("It cannot be judged here: {why}.\n")),
        }
        let differs = self.answered.is_some_and(|answered| match self.verdict {
            Verdict::Refused { problem, .. } => problem.code() != answered.code,
            Verdict::Forwarded | Verdict::Answered => true,
            Verdict::Closed(_) => false,
        });
        if differs {
            text.push_str(
                "The two differ: the gate has another configuration, secret or clock than this machine \
                 (see --at), or the request was changed on its way.\n",
            );
        }
        for line in self.why() {
            text.push_str(&format!("  - {line}\n"));
        }
        if self.request.is_signed() && (self.is_mismatch() || self.signed.is_some()) {
            let gate_s = self.answered.and_then(|answered| answered.base.as_deref());
            text.push_str(&bases::compare(self.request, self.signed, gate_s));
        }
        if let Some(guess) = self.guess() {
            text.push_str(&format!("\n{guess}\n"));
        }
        text
    }

    fn is_mismatch(&self) -> bool {
        let problem = self.problem().map(|(problem, _)| problem);
        problem == Some(Problem::Refused(Refusal::SignatureInvalid))
    }

    /// Guesses how a MAC that does not match was made.
    fn guess(&self) -> Option<String> {
        let is_mismatch = self.is_mismatch();
        match self.request.is_signed() {
            true if is_mismatch || self.signed.is_some() => {
                guess::of_signature(self.request, self.signed, self.local)
            }
            false if is_mismatch => guess::of_session(self.request, self.local)
                .or_else(|| guess::of_url(self.request, self.local)),
            _ => None,
        }
    }
}

/// Returns a code with its explanation on the page of codes.
fn described(problem: Option<Problem>, code: &str) -> String {
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
        limit: member(&document, "limit"),
        code,
    })
}

fn time(text: &str) -> std::result::Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text)
        .ok_or_else(|| "expected an RFC 3339 time such as 2026-11-22T20:00:00Z".to_owned())
}
