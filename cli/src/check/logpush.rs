//! `logpush = true` pushes lines only if the account has a Logpush job for the trace events of
//! Workers, which only Cloudflare's API knows.

use std::env;

use serde_json::Value;
use writegate::Timestamp;

use crate::cloudflare::Api;
use crate::project::Document;

use super::local::Local;
use super::row::{Findings, Verdict};

const DATASET: &str = "workers_trace_events";
/// Tokens that may be able to list jobs, the best first.
const READERS: [&str; 2] = ["CHECK_API_TOKEN", "CLOUDFLARE_API_TOKEN"];
const TOKEN_HINT: &str =
    "give CHECK_API_TOKEN, a token of this account with Logs Edit (the API calls it Logs Write)";

pub(super) fn row(document: &Document, local: &Local) -> Verdict {
    if document.inherited("logpush") != true {
        return Verdict::ok("logpush is not on, so no job is needed");
    }
    let account = document.inherited("account_id").as_str().map(str::to_owned);
    let account = account.or_else(|| env::var("CLOUDFLARE_ACCOUNT_ID").ok());
    let Some(account) = account.filter(|id| !id.is_empty()) else {
        return skipped("wrangler.toml has no account_id", "set CLOUDFLARE_ACCOUNT_ID");
    };
    let Some((name, token)) = READERS.iter().find_map(|name| Some((name, local.get(name)?))) else {
        return skipped("no token for Cloudflare's API is on this machine", TOKEN_HINT);
    };
    let api = match Api::open(token.clone()) {
        Ok(api) => api,
        Err(error) => return skipped(&error.message, "fix that variable"),
    };
    match api.get(&format!("/accounts/{account}/logpush/jobs")) {
        Ok(jobs) => judge(&jobs),
        Err(error) if (400..500).contains(&error.status) => {
            skipped(&format!("{name} may not list Logpush jobs: {error}"), TOKEN_HINT)
        }
        Err(error) => skipped(&error.to_string(), "run this again where the API can be reached"),
    }
}

fn skipped(why: &str, hint: &str) -> Verdict {
    Verdict::warn(format!("skipped, so it is not known if there is a Logpush job: {why}"), hint)
}

/// Checks the account's jobs. Never repeats a job's destination, because it may hold credentials.
fn judge(jobs: &Value) -> Verdict {
    let jobs = jobs.as_array().into_iter().flatten();
    let jobs: Vec<&Value> = jobs.filter(|job| job["dataset"] == DATASET).collect();
    let enabled: Vec<&&Value> = jobs.iter().filter(|job| job["enabled"] == true).collect();
    if enabled.is_empty() {
        let (which, hint) = match jobs.is_empty() {
            true => ("no Logpush job", "make one"),
            false => ("only disabled Logpush jobs", "enable one"),
        };
        return Verdict::fail(
            format!(
                "logpush is on, and the account has {which} for {DATASET}, so no line is pushed"
            ),
            format!(
                "{hint}: https://developers.cloudflare.com/workers/observability/logs/logpush/"
            ),
        );
    }
    let mut findings = Findings::default();
    for job in &enabled {
        let id = &job["id"];
        let fields = job["output_options"]["field_names"].as_array();
        if fields.is_some_and(|fields| !fields.iter().any(|field| field == "Logs")) {
            findings.warn(
                format!("job {id} does not push the field Logs, which holds the gate's lines"),
                "add Logs to the fields of the job",
            );
        }
        let time = |name: &str| job[name].as_str().and_then(Timestamp::parse_rfc3339);
        if let Some(failed) = time("last_error").filter(|at| Some(*at) > time("last_complete")) {
            findings.warn(
                format!("the last push of job {id} failed, at {}", failed.to_rfc3339()),
                "see the job in Cloudflare's dashboard",
            );
        }
    }
    let ids: Vec<String> = enabled.iter().map(|job| job["id"].to_string()).collect();
    findings.verdict(format!("pushed by job {}", ids.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::super::row::Status::{self, Fail, Ok as Well, Warn};
    use super::*;
    use serde_json::json;

    #[test]
    fn jobs_are_judged_by_dataset_state_fields_and_last_push() {
        let job = |changes: Value| {
            let mut job = json!({"id": 7, "dataset": DATASET, "enabled": true,
                "destination_conf": "r2://logs?secret-access-key=hidden",
                "output_options": {"field_names": ["Event", "Logs"]},
                "last_complete": "2026-11-20T00:00:00Z", "last_error": null, "error_message": "hidden"});
            let members = job.as_object_mut().unwrap();
            members.extend(changes.as_object().unwrap().clone());
            job
        };
        let table: [(Value, Status, &str); 9] = [
            (json!([]), Fail, "no Logpush job"),
            (json!(null), Fail, "no Logpush job"),
            (json!([null, job(json!({"dataset": "http_requests"}))]), Fail, "no Logpush job"),
            (json!([job(json!({"enabled": false}))]), Fail, "only disabled"),
            (json!([job(json!({"enabled": false})), job(json!({}))]), Well, "job 7"),
            (json!([job(json!({"output_options": null}))]), Well, "job 7"),
            (json!([job(json!({"output_options": {"field_names": ["Event"]}}))]), Warn, "Logs"),
            (json!([job(json!({"last_error": "2026-11-19T00:00:00Z"}))]), Well, "job 7"),
            (json!([job(json!({"last_error": "2026-11-21T00:00:00Z"}))]), Warn, "2026-11-21"),
        ];
        for (jobs, status, words) in table {
            let verdict = judge(&jobs);
            assert_eq!(verdict.status, status, "{jobs}: {verdict:?}");
            assert!(verdict.evidence.contains(words), "{verdict:?}");
            assert!(!format!("{verdict:?}").contains("hidden"), "{verdict:?}");
        }
    }
}
