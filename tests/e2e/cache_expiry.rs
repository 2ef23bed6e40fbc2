//! The lifetime of a kept answer (docs/wire-contract.md, section 8): never longer than the route and the upstream
//! say. A gate whose cache does not work behaves as if it had none.

use serde_json::json;
use testkit::cache::{HIT, MISS, TTL, cached, counting, get};
use testkit::check::Check;
use testkit::gate::Setup;
use testkit::poll::poll;
use testkit::token::now;
use testkit::upstream::PATIENCE;

/// Asks until the answer is over, `life` seconds after it came. Its age counts from its request, so the time that it took
/// to come is added.
fn ends(table: &mut Check, life: u64) {
    let request = get(&table.gate, "/posts");
    let asked = now();
    let first = table.warm("a miss", &request);
    let most = life + now() - asked;
    let mut hits = 0;
    let mut oldest = 0;
    let next = poll(PATIENCE, || {
        let answer = request.send(&table.gate);
        match answer.header("cache-status").as_deref() {
            Some(HIT) => {
                hits += 1;
                let age = answer.header("age").and_then(|age| age.parse().ok());
                oldest = oldest.max(age.unwrap_or(u64::MAX));
                Err(answer.to_string())
            }
            _ => Ok(answer),
        }
    });
    table.that(next.header("cache-status").as_deref() == Some(MISS), || next.to_string());
    table.that(next.body != first.body, || next.to_string());
    // The second that has begun counts in.
    table.that(oldest <= most, || format!("{oldest} seconds old, {hits} hits"));
    table.that(hits > 0, || "never served".to_owned());
}

#[test]
fn an_answer_is_over_when_the_route_says_so() {
    let upstream = counting(|_, reply| reply.header("Cache-Control", "public, max-age=86400"));
    let briefly = |setup: Setup| setup.route("/*", json!({"cache": {"ttl": 2}})).cache();
    ends(&mut Check::before(upstream, briefly), 2);
}

#[test]
fn an_answer_is_over_when_the_upstream_says_so() {
    let upstream =
        counting(|_, reply| reply.header("Cache-Control", "max-age=102").header("Age", "100"));
    ends(&mut Check::before(upstream, cached), 102);
}

#[test]
fn a_cache_that_fails_is_a_miss() {
    // The last one has none at all.
    for reply in ["throws", "fails", "hangs", "full", ""] {
        let mut table = Check::before(counting(|_, reply| reply), |setup| match reply {
            "" => setup.route("/*", json!({"cache": {"ttl": TTL}})),
            _ => cached(setup).cache_that(reply),
        });
        let request = get(&table.gate, "/posts");
        for _ in 0..2 {
            let answer = table.miss(reply, &request);
            table.that(answer.status == 200 && answer.complete, || format!("{reply}: {answer}"));
            let line = table.gate.logs.audit(&answer.request_id());
            table.that(line["cache"] == "miss" && line["outcome"] == "forwarded", || {
                format!("{reply}: {line}")
            });
        }
    }
}
