//! The gate's own token (docs/wire-contract.md, sections 5 and 8): an upstream that sends it back does not get it
//! into the cache.

use std::sync::{Arc, Mutex};

use testkit::cache::{cached, counting, get};
use testkit::check::Check;

#[test]
fn a_token_that_comes_back_is_not_kept_either() {
    let token = Arc::new(Mutex::new(String::new()));
    let sent = Arc::clone(&token);
    let upstream = counting(move |request, reply| {
        let bearer = request.header("authorization").unwrap_or_default();
        let raw = bearer.trim_start_matches("Bearer ").to_owned();
        sent.lock().unwrap().clone_from(&raw);
        reply.header("X-Echo", &bearer).header("Link", &format!("</a?token={raw}>; rel=next"))
    });
    let mut table = Check::before(upstream, cached);
    let request = get(&table.gate, "/posts");
    let first = table.warm("a miss", &request);
    let again = table.hit("a hit", &request);
    assert_eq!(*token.lock().unwrap(), table.gate.token);
    for answer in [first, again] {
        table.that(!answer.to_string().contains(&table.gate.token), || answer.to_string());
        for name in ["x-echo", "link"] {
            let value = answer.header(name).unwrap_or_default();
            table.that(value.contains("[redacted]"), || format!("{name}: {answer}"));
        }
    }
    table.gate.logs.events("echo_guard", 1);
    for line in table.gate.logs.until("all", |lines| Some(lines.to_vec())) {
        table.that(!line.text.contains(&table.gate.token), || line.text.clone());
    }
}
