//! The Cloudflare API, by Cloudflare's own client.

use serde_json::{Value, json};
use testkit::upstream::{Reply, Seen, Upstream};

use super::{Recipe, result};

const RECORDS: &str = "/client/v4/zones/0123456789abcdef0123456789abcdef/dns_records";

/// Returns one zone with one record.
fn zone(seen: &Seen, _nth: usize) -> Reply {
    let sent: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
    let record =
        json!({"id": "r1", "type": "TXT", "name": "hello.example.com", "content": sent["content"]});
    let result = match seen.method.as_str() {
        "GET" if seen.target.contains("page=2") => json!([]),
        "GET" => json!([record]),
        _ => record,
    };
    let answer = json!({"success": true, "errors": [], "messages": [], "result": result});
    Reply::ok(&answer.to_string()).header("Content-Type", "application/json")
}

#[test]
fn cloudflare_s_client_changes_records_through_the_gate() {
    let recipe = Recipe::before("cloudflare-api", Upstream::answering(zone));
    let mut client = recipe.client(include_str!("cloudflare-api.mjs"));
    client.until("r1 hello.example.com", testkit::upstream::PATIENCE);
    let said = result(&mut client);
    assert_eq!(said["made"], "r1");
    for (call, status, error) in [
        ("deleted", 403, "PermissionDeniedError"),
        ("elsewhere", 403, "PermissionDeniedError"),
        ("tokens", 403, "PermissionDeniedError"),
        ("stranger", 400, "BadRequestError"),
    ] {
        assert_eq!(said[call]["status"], status, "{call}: {said}");
        assert_eq!(said[call]["name"], error, "{call}: {said}");
        let line = recipe.gate.logs.audit(said[call]["request_id"].as_str().unwrap());
        let code = match call {
            "deleted" => "method-denied",
            "stranger" => "bad-credential",
            _ => "path-denied",
        };
        assert_eq!(line["code"], code, "{call}: {line}");
    }

    let second_page = format!("{RECORDS}?type=TXT&page=2");
    let seen = recipe.saw(&[
        ("POST", RECORDS),
        ("GET", &format!("{RECORDS}?type=TXT")),
        ("GET", &second_page),
        ("PATCH", &format!("{RECORDS}/r1")),
    ]);
    let body: Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!(body["content"], "\"hello\"");
    recipe.others_may_only("/client/v4/user/tokens/verify");
}
