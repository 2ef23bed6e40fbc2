//! The rate limiter's binding: one case for each answer that it gives. What is counted as what is in `tests/core/rates.rs`.

use serde_json::json;
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::logs::Line;

fn post(table: &Check, id: &str) -> Request {
    Request::post("/posts").bearer(&table.gate.session_of(id).mint())
}

#[test]
fn a_limiter_that_is_missing_or_fails_closes_its_keys() {
    let closed = (503, "feature-unavailable");
    let mut table = Check::of(|setup| {
        setup
            .site(json!({"rate": "standard"}))
            .limiter("RATE_STANDARD")
            .env("RATES", json!({"standard": {"limit": 3, "period": 10}}))
            .key(json!({"id": "pk_missing", "rate": "other"}))
            .key(json!({"id": "fails", "rate": "standard"}))
            .key(json!({"id": "hangs", "rate": "standard"}))
    });
    for (id, named) in
        [("pk_missing", "RATE_OTHER"), ("fails", "RATE_STANDARD"), ("hangs", "RATE_STANDARD")]
    {
        table.refused(id, &post(&table, id), closed.0, closed.1);
        table.gate.logs.until("a line about the limiter", |lines| {
            let mut own = lines.iter().filter(|line| line.is_event("feature_unavailable"));
            own.any(|line| line.text.contains(named) && line.text.contains(id)).then_some(())
        });
    }
    for _ in 0..3 {
        table.passes("within", &post(&table, KEY));
    }
    let over = table.refused("over", &post(&table, KEY), 429, "rate-limited");
    for (name, value) in [("retry-after", "10"), ("ratelimit-policy", "\"standard\";q=3;w=10")] {
        table.that(over.header(name).as_deref() == Some(value), || over.to_string());
    }
    table.gate.logs.audit(&over.request_id());
    table.gate.logs.until("what was counted", |lines| {
        let lines = lines.iter().filter_map(Line::json);
        let counted = lines.filter(|line| line["event"] == "counted" && line["key"] == KEY);
        (counted.count() == 4).then_some(())
    });
}
