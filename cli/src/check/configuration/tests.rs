//! Each row: well, to be warned of, to fail, and what just misses.

use serde_json::json;

use super::super::row::Status::{Fail, Ok as Well, Warn};
use super::*;

fn document(text: &str) -> Document {
    Document::parse("wrangler.toml", text, None).unwrap()
}

const SMALLEST: &str = "vars = { UPSTREAM = \"https://a.example\", KEYS = [{ id = \"pk_a\" }] }";

fn judged(text: &str, secrets: &dyn Fn(&str) -> Option<Secret>) -> Verdict {
    let document = document(text);
    row(&document, &read(&document, secrets), &[])
}

#[test]
fn what_the_gate_would_not_read_fails() {
    let read = |text: &str| judged(text, &|_| None);
    assert_eq!(read(SMALLEST).status, Well);
    let verdict = read(
        "vars = { UPSTREAM = \"https://a.example\", KEYS = [{ id = \"pk_a\", path = [\"/x\"] }] }",
    );
    assert_eq!(verdict.status, Fail);
    assert!(verdict.evidence.contains("KEYS[0].path"), "{verdict:?}");
    assert_eq!(read("").status, Fail);
    let nobody = read("vars = { UPSTREAM = \"https://a.example\" }");
    assert_eq!(nobody.status, Warn, "{nobody:?}");
    let registry = "vars = { UPSTREAM = \"https://a.example\" }\n[[kv_namespaces]]\nbinding = \"KEY_REGISTRY\"";
    assert_eq!(read(registry).status, Well);
    let document = document(SMALLEST);
    let other = row(&document, &super::read(&document, &|_| None), &["wrangler.jsonc"]);
    assert_eq!(other.status, Fail);
    assert!(other.evidence.contains("wrangler.jsonc"), "{other:?}");
}

#[test]
fn a_token_that_is_here_is_read_as_the_gate_reads_it_and_not_shown() {
    let token =
        |text: &'static str| move |name: &str| (name == "WRITE_TOKEN").then(|| Secret::new(text));
    assert_eq!(judged(SMALLEST, &token("abc")).status, Well);
    let verdict = judged(SMALLEST, &token("{\"tokn\":\"hunter2\"}"));
    assert_eq!(verdict.status, Fail);
    assert!(verdict.evidence.contains("WRITE_TOKEN"), "{verdict:?}");
    assert!(!verdict.evidence.contains("hunter2"), "{verdict:?}");
    // One with a space goes into no header.
    assert_eq!(judged(SMALLEST, &token("a b")).status, Fail);
}

#[test]
fn a_variable_that_the_gate_does_not_read_is_named() {
    let route =
        r#"{ path = "/*", upstream = "https://a.example", upstream_auth = { secret = "CMS" } }"#;
    let read = |more: &str| {
        let vars = format!("[vars]\nKEYS = [{{ id = \"pk_a\" }}]\nROUTES = [{route}]\n{more}");
        judged(&vars, &|_| None)
    };
    for name in
        ["SESSION_MAX_TLL", "session_max_ttl", "UPSTREAMS", "WRITE_TOKEN_ISSUED_AT", "CMS_ISSUED"]
    {
        let verdict = read(&format!("{name} = \"60\""));
        assert_eq!(verdict.status, Warn, "{name}: {verdict:?}");
        assert!(verdict.evidence.contains(name), "{verdict:?}");
    }
    // Another row is about secrets that are variables.
    for line in [
        "SESSION_MAX_TTL = 60",
        "CMS_ISSUED_AT = \"2026-11-22\"",
        "CMS = \"a\"",
        "WAF_SECRET = \"waf secret of thirty-two bytes ..\"",
    ] {
        assert_eq!(read(line).status, Well, "{line}");
    }
}

#[test]
fn a_cache_for_no_request_is_named() {
    let cache = "cache = { ttl = 60 }";
    for (route, status) in [
        (cache.to_owned(), Well),
        (format!("{cache}, methods = [\"GET\", \"POST\"]"), Well),
        (format!("{cache}, methods = [\"HEAD\"]"), Warn),
        (format!("{cache}, methods = [\"POST\"]"), Warn),
        ("methods = [\"POST\"]".to_owned(), Well),
    ] {
        let route = format!("{{ path = \"/a/*\", upstream = \"https://a.example\", {route} }}");
        let vars = format!("[vars]\nKEYS = [{{ id = \"pk_a\" }}]\nROUTES = [{route}]");
        let verdict = judged(&vars, &|_| None);
        assert_eq!(verdict.status, status, "{route}: {verdict:?}");
        assert_eq!(verdict.evidence.contains("/a/*"), status == Warn, "{verdict:?}");
    }
}

#[test]
fn a_variable_holds_so_much() {
    let text = |length: usize| {
        let keys = |name: &str| format!(r#"[{{"id":"pk_a","name":"{name}"}}]"#);
        let keys = keys(&"y".repeat(length - keys("").len()));
        format!("[vars]\nUPSTREAM = \"https://a.example\"\nKEYS = '{keys}'")
    };
    assert_eq!(judged(&text(MAX_VARIABLE), &|_| None).status, Well);
    let verdict = judged(&text(MAX_VARIABLE + 1), &|_| None);
    assert_eq!(verdict.status, Fail);
    assert!(verdict.evidence.contains("KEYS is 5121 bytes"), "{verdict:?}");
}

#[test]
fn an_upstream_is_somebody_s() {
    let to = |url: &str| upstream(&of(&json!({"UPSTREAM": url}), &[]).unwrap());
    for url in ["https://api.strapi.io", "https://notexample.com", "https://example.com.au/v1"] {
        assert_eq!(to(url).status, Well, "{url}");
    }
    for url in [
        "https://api.example.com", "https://example.com/v1", "https://api.example.com:8443",
        "http://127.0.0.1:9000",
    ] {
        assert_eq!(to(url).status, Fail, "{url}");
    }
}

#[test]
fn environments_repeat_what_they_do_not_inherit() {
    let top = "
        [vars]
        UPSTREAM = \"https://a.example\"
        CLOCK_SKEW = 30
        [[vars.KEYS]]
        id = \"pk_a\"
        [[durable_objects.bindings]]
        name = \"LEDGER\"
        class_name = \"Ledger\"
    ";
    let row = |more: &str| environments(&document(&format!("{top}{more}")));
    assert_eq!(row("").status, Well);
    let bare = row("[env.staging]\nworkers_dev = true");
    assert_eq!(bare.status, Fail);
    for word in
        ["[env.staging]", "vars.UPSTREAM", "vars.KEYS", "durable_objects: LEDGER", "CLOCK_SKEW"]
    {
        assert!(bare.evidence.contains(word), "{word} in {bare:?}");
    }
    let routes = "[env.staging.vars]\nCLOCK_SKEW = 1\nROUTES = [{ path = \"/*\", upstream = \"https://b.example\" }]\nKEYS = [{ id = \"pk_b\" }]\n";
    let objects =
        "[[env.staging.durable_objects.bindings]]\nname = \"LEDGER\"\nclass_name = \"Ledger\"";
    let verdict = row(&format!("{routes}{objects}"));
    assert_eq!(verdict.status, Well, "{verdict:?}");
    let verdict = row(&format!("{}{objects}", routes.replace("CLOCK_SKEW = 1\n", "")));
    assert_eq!(verdict.status, Warn, "{verdict:?}");
    let verdict = row(&format!("{routes}{}", objects.replace("\"LEDGER\"", "\"LEDGERS\"")));
    assert_eq!(verdict.status, Fail, "{verdict:?}");
    // Under [env.staging], it is that table's: a row for the environment looks only there.
    let staging =
        Document::parse("wrangler.toml", &format!("{top}{routes}"), Some("staging")).unwrap();
    assert_eq!(read(&staging, &|_| None).unwrap().clock_skew, 1);
}
