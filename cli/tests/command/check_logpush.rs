//! `writegate check --only logpush`: Cloudflare's API is asked for the account's Logpush jobs, with a token
//! that may; where it cannot be asked, the row says that it was skipped, and why.

use serde_json::json;

use crate::check_api::{Api, no, yes};
use crate::check_setup::{ACCOUNT, Gate, WELL};
use crate::checkout::random_secret;

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
    let none = Api::start(|_, _| yes(json!([])));
    let named = Gate::of(&format!("logpush = true\naccount_id = \"{ACCOUNT}\"\n{WELL}"));
    let unnamed = Gate::of(&format!("logpush = true\n{WELL}"));
    let reader = ("CHECK_API_TOKEN", may.as_str());
    let (own, other) =
        (("CLOUDFLARE_API_TOKEN", may.as_str()), ("CLOUDFLARE_API_TOKEN", may_not.as_str()));
    let account = ("CLOUDFLARE_ACCOUNT_ID", ACCOUNT);
    let silent = "http://127.0.0.1:1/client/v4";
    for (gate, base, variables, status, words) in [
        (&named, api.base().as_str(), &[reader][..], "ok", "job 7"),
        (&named, &api.base(), &[own], "ok", "job 7"),
        (&named, &api.base(), &[reader, other], "ok", "job 7"),
        (&named, &api.base(), &[other], "warn", "skipped … CLOUDFLARE_API_TOKEN may not … 10000"),
        (&named, &api.base(), &[], "warn", "skipped … no token"),
        (&named, silent, &[reader], "warn", "skipped … did not answer"),
        (&unnamed, &api.base(), &[reader], "warn", "skipped … no account_id"),
        (&unnamed, &api.base(), &[reader, account], "ok", "job 7"),
        (&named, &none.base(), &[reader], "fail", "no Logpush job"),
        (&Gate::well(), &none.base(), &[reader], "ok", "not on"),
    ] {
        let variables = [variables, &[("CLOUDFLARE_API_BASE_URL", base)]].concat();
        let row = gate.says_with("logpush", &variables, status, words).to_string();
        assert!(!row.contains(&may_not), "{row}");
        for (evidence, hint) in [
            ("10000", "Logs Edit"),
            ("no token", "CHECK_API_TOKEN"),
            ("no account_id", "CLOUDFLARE_ACCOUNT_ID"),
            ("no Logpush job", "developers.cloudflare.com"),
        ] {
            assert!(!row.contains(evidence) || row.contains(hint), "{hint}: {row}");
        }
    }
}
