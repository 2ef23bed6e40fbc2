//! `writegate check --only logpush`: Cloudflare's API is asked for the account's Logpush jobs, with a token
//! that may; where it cannot be asked, the row says that it was skipped, and why.

use serde_json::{Value, json};

use crate::check_api::{Api, no, yes};
use crate::check_setup::{Gate, WELL};
use crate::checkout::{Done, random_secret};

const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";

fn gate(top: &str) -> Gate {
    Gate::of(&format!("{top}\n{WELL}"))
}

/// Returns the row, with these variables and nothing else for Cloudflare.
fn row(gate: &Gate, variables: &[(&str, &str)]) -> Value {
    let mut command = gate.command(&["--json", "--only", "logpush"]);
    command
        .env_remove("CLOUDFLARE_ACCOUNT_ID")
        // It must not be asked for what is on this machine.
        .env("http_proxy", "http://127.0.0.1:1")
        .envs(variables.iter().copied());
    let done = Done::of(&mut command);
    serde_json::from_str(&done.out).unwrap_or_else(|_| panic!("{}{}", done.out, done.err))
}

#[track_caller]
fn says(row: &Value, status: &str, words: &[&str]) {
    assert_eq!(row["status"], status, "{row}");
    for word in words {
        assert!(row.to_string().contains(word), "{word} in {row}");
    }
}

#[test]
fn the_account_s_jobs_are_asked_for_with_the_token_that_may() {
    let (may, may_not) = (random_secret(), random_secret());
    let known = may.clone();
    let api = Api::start(move |path, token| {
        match (path == format!("/client/v4/accounts/{ACCOUNT}/logpush/jobs"), token == known) {
            (false, _) => no(404, 7003, "no route"),
            (true, false) => no(403, 10000, "Authentication error"),
            (true, true) => {
                yes(json!([{"id": 7, "dataset": "workers_trace_events", "enabled": true}]))
            }
        }
    });
    let base = format!("http://127.0.0.1:{}/client/v4", api.port);
    let base = ("CLOUDFLARE_API_BASE_URL", base.as_str());
    let on = gate(&format!("logpush = true\naccount_id = \"{ACCOUNT}\""));
    let reader = ("CHECK_API_TOKEN", may.as_str());
    says(&row(&on, &[base, reader]), "ok", &["job 7"]);
    says(&row(&on, &[base, ("CLOUDFLARE_API_TOKEN", &may)]), "ok", &["job 7"]);
    says(&row(&on, &[base, reader, ("CLOUDFLARE_API_TOKEN", &may_not)]), "ok", &["job 7"]);
    let refused = row(&on, &[base, ("CLOUDFLARE_API_TOKEN", &may_not)]);
    says(&refused, "warn", &["skipped", "CLOUDFLARE_API_TOKEN may not", "10000", "Logs Edit"]);
    assert!(!refused.to_string().contains(&may_not), "{refused}");
    says(&row(&on, &[base]), "warn", &["skipped", "no token", "CHECK_API_TOKEN"]);
    let unnamed = gate("logpush = true");
    says(&row(&unnamed, &[base, reader]), "warn", &["skipped", "CLOUDFLARE_ACCOUNT_ID"]);
    let account = ("CLOUDFLARE_ACCOUNT_ID", ACCOUNT);
    says(&row(&unnamed, &[base, reader, account]), "ok", &["job 7"]);
    let silent = ("CLOUDFLARE_API_BASE_URL", "http://127.0.0.1:1/client/v4");
    says(&row(&on, &[silent, reader]), "warn", &["skipped", "did not answer"]);
}

#[test]
fn a_job_that_is_not_there_fails_and_none_is_needed_without_logpush() {
    let api = Api::start(|_, _| yes(json!([])));
    let base = format!("http://127.0.0.1:{}/client/v4", api.port);
    let token = random_secret();
    let variables = [("CLOUDFLARE_API_BASE_URL", base.as_str()), ("CHECK_API_TOKEN", &token)];
    let on = gate(&format!("logpush = true\naccount_id = \"{ACCOUNT}\""));
    says(&row(&on, &variables), "fail", &["no Logpush job", "developers.cloudflare.com"]);
    says(&row(&Gate::well(), &variables), "ok", &["not on"]);
}
