//! Each row: well, to be warned of, to fail, and what just misses.

use serde_json::json;

use super::super::configuration;
use super::super::row::Status::{Fail, Ok as Well, Warn};
use super::*;

const VARS: &str = "vars = { UPSTREAM = \"https://a.example\", KEYS = [{ id = \"pk_a\" }] }";

fn judged(text: &str, remote: &Remote) -> Verdict {
    let document = Document::parse("wrangler.toml", text, None).unwrap();
    let config = configuration::read(&document, &|_| None).unwrap();
    row(&document, Some(&config), remote)
}

fn names(names: &[&str]) -> Remote {
    let list: Vec<Value> =
        names.iter().map(|name| json!({"name": name, "type": "secret_text"})).collect();
    Remote::of(&json!(list))
}

#[test]
fn secrets_that_are_not_set_are_named_with_what_to_type() {
    let well = judged(VARS, &names(&["SIGNING_SECRET", "WRITE_TOKEN", "OTHER"]));
    assert_eq!(well, Verdict::ok("set: SIGNING_SECRET, WRITE_TOKEN"));
    let verdict = judged(VARS, &names(&["SIGNING_SECRET", "WRITE_TOKENS"]));
    assert_eq!(verdict.status, Fail);
    assert!(verdict.evidence.starts_with("not set: WRITE_TOKEN ("), "{verdict:?}");
    assert_eq!(verdict.hint.as_deref(), Some("npx wrangler secret put WRITE_TOKEN"));
    let unknown = Remote::Unknown { why: "not logged in".to_owned(), hint: "log in" };
    assert_eq!(judged(VARS, &unknown).status, Warn);
    let none = judged(VARS, &Remote::NoWorker("Worker \"x\" not found.".to_owned()));
    assert_eq!(none.status, Fail);
    assert!(none.hint.unwrap().contains("put SIGNING_SECRET; npx wrangler secret put WRITE_TOKEN"));
    assert!(matches!(Remote::of(&json!({})), Remote::Unknown { .. }));
}

#[test]
fn the_secrets_store_counts_and_so_do_other_routes() {
    let store = format!(
        "{VARS}\n[[secrets_store_secrets]]\nbinding = \"WRITE_TOKEN\"\nstore_id = \"s\"\nsecret_name = \"n\""
    );
    let stored = judged(&store, &names(&["SIGNING_SECRET"]));
    assert_eq!(
        stored,
        Verdict::ok(
            "set: SIGNING_SECRET; bound to a Secrets Store, which this check does not ask: WRITE_TOKEN"
        )
    );
    let none = judged(&store, &Remote::NoWorker("none".to_owned()));
    assert_eq!(none.hint.as_deref(), Some("npx wrangler secret put SIGNING_SECRET"));
    let waf = VARS.replace("id = \"pk_a\"", "id = \"pk_a\", schemes = [\"waf-url\"]");
    let verdict = judged(&waf, &names(&["SIGNING_SECRET", "WRITE_TOKEN"]));
    assert!(verdict.evidence.contains("not set: WAF_SECRET"), "{verdict:?}");
    let mint = VARS.replace(
        "id = \"pk_a\"",
        "id = \"pk_a\", mint = {}, methods = [\"POST\"], paths = [\"/x\"], allowed_origins = [\"https://a.example\"]",
    );
    let verdict = judged(&mint, &names(&["SIGNING_SECRET", "WRITE_TOKEN"]));
    assert!(verdict.evidence.contains("not set: TURNSTILE_SECRET"), "{verdict:?}");
    let two = "vars = { KEYS = [], ROUTES = [{ path = \"/a\", upstream = \"https://a.example\", upstream_auth = { secret = \"A_TOKEN\" } }] }";
    let verdict = judged(two, &names(&["SIGNING_SECRET", "WRITE_TOKEN"]));
    assert!(verdict.evidence.contains("not set: A_TOKEN"), "{verdict:?}");
}

#[test]
fn a_store_holds_none_of_the_gate_s_own_secrets() {
    let all = ["SIGNING_SECRET", "SIGNING_SECRET_PREVIOUS", "WAF_SECRET", "TURNSTILE_SECRET"];
    for name in all {
        let text = format!("{VARS}\n[[secrets_store_secrets]]\nbinding = \"{name}\"");
        let document = Document::parse("wrangler.toml", &text, None).unwrap();
        let unknown = Remote::refused("no answer".to_owned());
        // Also where the same name is set as a secret, and where that is unknown: deployed, one of them wins.
        let set = [all.as_slice(), &["WRITE_TOKEN"]].concat();
        for remote in [names(&set), names(&["WRITE_TOKEN"]), unknown] {
            let verdict = row(&document, None, &remote);
            assert_eq!(verdict.status, Fail, "{name}: {verdict:?}");
            let bound = format!("{name} is bound to a Secrets Store");
            assert!(verdict.evidence.contains(&bound), "{verdict:?}");
        }
    }
    // A root in a store does not count as set.
    let text = format!("{VARS}\n[[secrets_store_secrets]]\nbinding = \"SIGNING_SECRET\"");
    let document = Document::parse("wrangler.toml", &text, None).unwrap();
    let verdict = row(&document, None, &names(&["WRITE_TOKEN"]));
    assert!(verdict.evidence.contains("not set: SIGNING_SECRET"), "{verdict:?}");
}

#[test]
fn what_wrangler_cannot_list() {
    for (why, no_worker) in [
        ("Worker \"gate\" not found.", true),
        ("This Worker does not exist on your account. [code: 10007]", true),
        (
            "A request to the Cloudflare API (/accounts/10007e105f4ecef8ad9ca31a8372d0c3/x) failed. [code: 10000]",
            false,
        ),
        ("Authentication error [code: 10000]", false),
    ] {
        let remote = Remote::refused(why.to_owned());
        assert_eq!(matches!(remote, Remote::NoWorker(_)), no_worker, "{why}");
    }
}

#[test]
fn a_secret_among_the_variables_fails() {
    let set = names(&["SIGNING_SECRET", "WRITE_TOKEN"]);
    let text = VARS.replace("vars = {", "vars = { WRITE_TOKEN = \"x\",");
    let verdict = judged(&text, &set);
    assert_eq!(verdict.status, Fail);
    assert!(verdict.evidence.contains("WRITE_TOKEN is a variable"), "{verdict:?}");
    let staging = format!("{VARS}\n[env.staging.vars]\nSIGNING_SECRET = \"x\"");
    let verdict = judged(&staging, &set);
    assert!(
        verdict.evidence.contains("SIGNING_SECRET is a variable of [env.staging]"),
        "{verdict:?}"
    );
    let empty = VARS.replace("vars = {", "vars = { WRITE_TOKEN = \"\",");
    assert_eq!(judged(&empty, &set).status, Well);
    let dated = VARS.replace("vars = {", "vars = { WRITE_TOKEN_ISSUED_AT = \"2026-11-20\",");
    assert_eq!(judged(&dated, &set).status, Well);
}

#[test]
fn a_former_root_is_warned_of() {
    let document = Document::parse("wrangler.toml", VARS, None).unwrap();
    assert_eq!(previous(&document, &names(&["SIGNING_SECRET"])).status, Well);
    assert_eq!(previous(&document, &names(&["SIGNING_SECRET_PREVIOUS"])).status, Warn);
    let unknown = Remote::Unknown { why: "no".to_owned(), hint: "log in" };
    assert_eq!(previous(&document, &unknown).status, Warn);
}

#[test]
fn a_root_is_long_and_random() {
    let judged = |text: &str| root(&Local::of(&[(ROOT, text)]));
    let varied = "0123456789abcdef0123456789abcdef";
    assert_eq!(judged(varied).status, Well);
    let short = judged(&varied[..31]);
    assert_eq!(short.status, Fail);
    assert!(short.evidence.contains("31 bytes") && !short.evidence.contains("abcdef"));
    assert_eq!(judged(&"a".repeat(64)).status, Fail);
    assert_eq!(judged(&"0123456789".repeat(4)).status, Well);
    assert_eq!(judged(&"012345678".repeat(4)).status, Fail);
    assert_eq!(root(&Local::of(&[])).status, Warn);
    let former = Local::of(&[(ROOT, varied), (PREVIOUS_ROOT, "short")]);
    let former = root(&former);
    assert_eq!(former.status, Fail);
    assert!(former.hint.unwrap().contains("secret delete SIGNING_SECRET_PREVIOUS"));
    let waf = |text: &str| root(&Local::of(&[(ROOT, varied), (WAF, text)])).status;
    assert_eq!(waf(&varied[..31]), Fail);
    assert_eq!(waf(varied), Well);
}
