//! The callers who share a kept answer (docs/wire-contract.md, section 8): those whom the route's `scope` names, one case for
//! each scope. What a cache key is made of is in `tests/core/outbound.rs`.

use serde_json::json;
use testkit::cache::{MISS, TTL, cached, counting, get, scoped, start};
use testkit::check::Check;
use testkit::client::{HOST, Request};
use testkit::gate::{KEY, Setup};
use testkit::links::{before_sig, signed};
use testkit::token::{fresh, now, sk};

/// Returns a read by its key and its subject.
fn by(table: &Check, id: &str, subject: Option<&str>) -> Request {
    let session = table.gate.session_of(id).claim("jti", fresh());
    let session = subject.iter().fold(session, |session, subject| session.claim("sub", *subject));
    Request::get("/posts").bearer(&session.mint())
}

#[test]
fn each_scope_has_answers_of_its_own() {
    let keys = |setup: Setup| setup.key(json!({"id": "a"})).key(json!({"id": "ab"}));
    let all = [("a", None), ("a", Some("bc")), ("ab", None), ("ab", Some("c"))];
    // Those who begin a new answer, each for itself.
    for (scope, firsts) in
        [("shared", [0].as_slice()), ("key", &[0, 2]), ("subject", &[0, 1, 2, 3])]
    {
        let mut table = start(|setup| keys(scoped(setup, scope)));
        for (index, (id, subject)) in all.into_iter().enumerate() {
            let what = format!("{scope}: {id} {subject:?}");
            let request = by(&table, id, subject);
            let first = match firsts.contains(&index) {
                true => table.warm(&what, &request),
                false => table.hit(&what, &request),
            };
            let again = table.hit(&what, &by(&table, id, subject));
            table.that(again.body == first.body, || format!("{what}: {again}"));
        }
    }
}

#[test]
fn one_key_shares_over_its_schemes_and_its_links() {
    let mut table = Check::of(|setup| {
        let key = json!({"schemes": ["session", "signature", "url"]});
        let cache = json!({"ttl": TTL});
        setup.route("/*", json!({"cache": cache})).site(key).cache()
    });
    let secret = sk(&table.gate.signing_secret, KEY, 1);
    let link = |exp: u64| Request::get(&signed(&secret, HOST, &before_sig("/img?w=1", KEY, exp)));
    table.warm("a link", &link(now() + 100));
    table.hit("a link that ends later", &link(now() + 200));
    table.hit("a session", &get(&table.gate, "/img?w=1"));
    table.hit("a signature", &table.gate.signature().sign(Request::get("/img?w=1")));
    let target = table.upstream.only().target;
    table.that(target == "/img?w=1", || target.clone());
}

#[test]
fn each_route_has_answers_of_its_own_and_so_has_what_is_asked_for() {
    let upstream = counting(|_, reply| reply);
    let url = format!("{}/same", upstream.url());
    let mut table = Check::before(upstream, |setup| {
        let same = json!({"cache": {"ttl": TTL}, "upstream": url});
        let setup = setup.route("/one/*", same.clone()).route("/two/*", same.clone());
        setup.route("/exact", same).site(json!({})).cache()
    });
    let plain = |path: &str| get(&table.gate, path);
    let asked = [
        plain("/one/a"),
        plain("/two/a"),
        plain("/one/b"),
        plain("/exact"),
        plain("/one/a").header("Accept", "a"),
        plain("/one/a").header("Accept-Language", "a"),
        plain("/one/a").header("Accept", "a").header("Accept-Language", "b"),
    ];
    for request in &asked {
        table.warm(&request.target, request);
    }
    for request in &asked {
        table.hit(&request.target, request);
    }
    let targets: Vec<_> = table.upstream.seen().iter().map(|seen| seen.target.clone()).collect();
    let expected = ["/same/a", "/same/a", "/same/b", "/same", "/same/a", "/same/a", "/same/a"];
    table.that(targets == expected, || format!("{targets:?}"));
}

#[test]
fn another_token_sees_nothing_of_what_the_former_saw() {
    let mut table = start(|setup| cached(setup).twice_with("WRITE_TOKEN", fresh()));
    let request = get(&table.gate, "/posts");
    table.warm("with the former", &request);
    table.hit("again", &request);
    table.read_at(table.gate.second, "with the other", &request, MISS);
    let former = Some(format!("Bearer {}", table.gate.token));
    let last = table.upstream.last();
    table.that(last.header("authorization") != former, || format!("{last:#?}"));
}
