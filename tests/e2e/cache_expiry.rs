//! The lifetime of a kept answer (docs/wire-contract.md, section 8): never longer than the route and the upstream
//! say. A gate whose cache does not work behaves as if it had none.

use serde_json::json;
use testkit::cache::{HIT, MISS, cached, counting, get};
use testkit::check::Check;
use testkit::gate::Setup;
use testkit::poll::poll;
use testkit::token::{date, now};
use testkit::upstream::PATIENCE;

/// Keeps each answer for a short time.
fn briefly(setup: Setup) -> Setup {
    let cache = json!({"ttl": 2});
    setup.route("/*", json!({"cache": cache})).site(json!({})).cache()
}

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
    let mut table = Check::before(counting(|_, reply| reply), briefly);
    ends(&mut table, 2);
}

#[test]
fn the_route_says_so_whatever_the_upstream_says() {
    let upstream = counting(|_, reply| {
        reply.header(
            "Cache-Control",
            "public, max-age=86400, immutable, stale-while-revalidate=86400",
        )
    });
    ends(&mut Check::before(upstream, briefly), 2);
}

#[test]
fn an_answer_is_over_when_the_upstream_says_so() {
    for control in ["max-age=2", "s-maxage=2, max-age=600", "max-age=2, s-maxage=600"] {
        let upstream = counting(move |_, reply| reply.header("Cache-Control", control));
        ends(&mut Check::before(upstream, cached), 2);
    }
    let upstream =
        counting(|_, reply| reply.header("Cache-Control", "max-age=102").header("Age", "100"));
    ends(&mut Check::before(upstream, cached), 102);
}

/// Returns these Unix seconds as `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let name = |names: &[&'static str], index: u64| names[usize::try_from(index).unwrap()];
    let date = date(seconds);
    let (year, month, day) = (&date[..4], date[5..7].parse::<u64>().unwrap(), &date[8..]);
    let (hours, minutes) = (seconds / 3_600 % 24, seconds / 60 % 60);
    let (weekday, month) = (name(&DAYS, seconds / 86_400 % 7), name(&MONTHS, month - 1));
    format!("{weekday}, {day} {month} {year} {hours:02}:{minutes:02}:{:02} GMT", seconds % 60)
}

#[test]
fn an_answer_is_over_when_its_expires_says_so() {
    assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    // Whole seconds, so that one of them may be over at once.
    let upstream = counting(|_, reply| reply.header("Expires", &http_date(now() + 3)));
    ends(&mut Check::before(upstream, cached), 3);
}

#[test]
fn a_cache_that_fails_is_a_miss() {
    for reply in ["throws", "fails", "hangs", "full"] {
        let mut table =
            Check::before(counting(|_, reply| reply), |setup| cached(setup).cache_that(reply));
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

#[test]
fn a_cache_that_is_not_there_is_a_miss() {
    let mut table = Check::before(counting(|_, reply| reply), |setup| {
        let cache = json!({"ttl": 60});
        setup.route("/*", json!({"cache": cache})).site(json!({}))
    });
    let request = get(&table.gate, "/posts");
    for _ in 0..2 {
        let answer = table.miss("no cache", &request);
        table.that(answer.status == 200 && answer.complete, || answer.to_string());
    }
}
