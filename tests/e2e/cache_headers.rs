//! The headers of answers on a cached route (docs/wire-contract.md, sections 5, 6 and 8), from the cache as from the
//! upstream: this request's own, and nothing for the caches of others.

use serde_json::json;
use testkit::cache::{HIT, MISS, TTL, cached, counting, get, kept, start};
use testkit::check::Check;
use testkit::client::{Request, Response};
use testkit::poll::poll;
use testkit::upstream::{PATIENCE, Reply};

/// Starts a gate in front of an upstream that says all of this.
fn saying(fields: &'static [(&'static str, &'static str)]) -> Check {
    let upstream = counting(move |_, reply| {
        fields.iter().fold(reply, |reply, (name, value)| reply.header(name, value))
    });
    Check::before(upstream, cached)
}

/// Returns the answer of the upstream, and that of the cache.
fn both(table: &mut Check) -> [(&'static str, Response); 2] {
    let request = get(&table.gate, "/posts");
    let first = table.warm("a miss", &request);
    [("a miss", first), ("a hit", table.hit("a hit", &request))]
}

#[test]
fn no_other_cache_may_have_it_for_others() {
    let mut table = saying(&[
        ("Cache-Control", "public, max-age=60, s-maxage=120"),
        ("Expires", "Fri, 01 Jan 2100 00:00:00 GMT"),
        ("Pragma", "public"),
        ("CDN-Cache-Control", "max-age=60"),
        ("Cloudflare-CDN-Cache-Control", "max-age=60"),
        ("Surrogate-Control", "max-age=60"),
        ("cf-cache-status", "DYNAMIC"),
    ]);
    for (what, answer) in both(&mut table) {
        table.that(answer.header("cache-control").as_deref() == Some("private"), || {
            format!("{what}: {answer}")
        });
        for name in [
            "expires", "pragma", "cdn-cache-control", "cloudflare-cdn-cache-control",
            "surrogate-control", "cf-cache-status",
        ] {
            table.that(answer.header(name).is_none(), || format!("{what}, {name}: {answer}"));
        }
    }
}

#[test]
fn what_nobody_may_keep_stays_so() {
    for (said, shown) in [
        ("no-store", "private, no-store"),
        ("No-Store, max-age=60", "private, no-store"),
        ("no-cache", "private, no-cache"),
        ("private", "private"),
        ("private, no-store", "private, no-store"),
    ] {
        let upstream = counting(move |_, reply| reply.header("Cache-Control", said));
        let mut table = Check::before(upstream, cached);
        for method in ["GET", "HEAD"] {
            let request = Request::new(method, "/posts").bearer(&table.gate.bearer());
            let answer = table.miss(said, &request);
            table.that(answer.header("cache-control").as_deref() == Some(shown), || {
                format!("{said}: {answer}")
            });
        }
        // An answer to a write has the upstream's own header.
        let answer = table.passes("a write", &Request::post("/posts").bearer(&table.gate.bearer()));
        table.that(answer.header("cache-control").as_deref() == Some(said), || {
            format!("{said}: {answer}")
        });
        table.that(answer.header("cache-status").is_none(), || answer.to_string());
    }
}

#[test]
fn a_refusal_of_the_upstream_passes_as_it_is() {
    let upstream = counting(|_, _| {
        let reply =
            Reply::new(404).body("nothing here").header("Cache-Control", "public, max-age=60");
        reply.header("Expires", "Fri, 01 Jan 2100 00:00:00 GMT")
    });
    let mut table = Check::before(upstream, cached);
    let answer = table.miss("a 404", &get(&table.gate, "/posts"));
    table.that(answer.status == 404 && answer.text() == "nothing here", || answer.to_string());
    table.that(answer.header("cache-control").as_deref() == Some("private"), || answer.to_string());
    table.that(answer.header("expires").is_none(), || answer.to_string());
}

#[test]
fn what_caches_before_it_said_stays_in_the_list() {
    let mut table = saying(&[("Cache-Status", "origin; hit, \"a, b\"; fwd=stale")]);
    let request = get(&table.gate, "/posts");
    let answer = request.send(&table.gate);
    let shown = answer.header("cache-status").unwrap_or_default();
    table.that(shown == format!("origin; hit, \"a, b\"; fwd=stale, {MISS}"), || answer.to_string());
    poll(PATIENCE, || match kept(&table.gate) {
        0 => Err("nothing kept".to_owned()),
        _ => Ok(()),
    });
    let answer = request.send(&table.gate);
    let shown = answer.header("cache-status").unwrap_or_default();
    table.that(shown.ends_with(HIT) && !shown.contains(MISS), || answer.to_string());
}

#[test]
fn its_age_grows_from_what_it_was() {
    let mut table = saying(&[
        ("Age", "100"),
        ("Cache-Control", "max-age=3600"),
        ("Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ]);
    let request = get(&table.gate, "/posts");
    table.warm("a miss", &request);
    let age = |answer: &Response| answer.header("age").and_then(|age| age.parse::<u64>().ok());
    let first = age(&table.hit("a hit", &request));
    table.that(first.is_some_and(|age| (100..160).contains(&age)), || format!("{first:?}"));
    poll(PATIENCE, || {
        let answer = request.send(&table.gate);
        (age(&answer) > first).then_some(()).ok_or_else(|| answer.to_string())
    });
    let mut plain = saying(&[]);
    let [(_, miss), (_, hit)] = both(&mut plain);
    plain.that(miss.header("age").is_none(), || miss.to_string());
    plain.that(age(&hit).is_some_and(|age| age < 60), || hit.to_string());
}

#[test]
fn every_answer_is_this_requests_own() {
    let mut table = saying(&[
        ("X-Request-Id", "the upstream's"),
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Max-Age", "5"),
        ("Content-Type", "text/html"),
        ("Vary", "Accept"),
        ("X-Own", "kept"),
        ("Service-Worker-Allowed", "/"),
        ("Clear-Site-Data", "\"*\""),
    ]);
    let request = get(&table.gate, "/posts");
    let (one, two) = ("https://one.example", "https://two.example");
    let mut ids = Vec::new();
    for (index, origin) in [Some(one), Some(two), None, Some(one)].into_iter().enumerate() {
        let request = match origin {
            Some(origin) => request.clone().origin(origin),
            None => request.clone(),
        };
        let answer = match index {
            0 => table.warm("a miss", &request),
            _ => table.hit("a hit", &request),
        };
        let header = |name: &str| answer.header(name);
        table.that(header("access-control-allow-origin").as_deref() == origin, || {
            answer.to_string()
        });
        table.that(header("access-control-max-age").is_none(), || answer.to_string());
        let vary = header("vary").unwrap_or_default().to_ascii_lowercase();
        let named: Vec<&str> = vary.split(',').map(str::trim).collect();
        table.that(
            named.contains(&"accept") && named.contains(&"origin") == origin.is_some(),
            || answer.to_string(),
        );
        let exposed = origin.map(|_| "*".to_owned());
        table.that(header("access-control-expose-headers") == exposed, || answer.to_string());
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "sandbox"),
            ("content-type", "text/html"),
            ("x-own", "kept"),
        ] {
            table.that(header(name).as_deref() == Some(value), || format!("{name}: {answer}"));
        }
        for name in ["service-worker-allowed", "clear-site-data"] {
            table.that(header(name).is_none(), || format!("{name}: {answer}"));
        }
        ids.push(answer.request_id());
    }
    ids.sort();
    ids.dedup();
    table.that(ids.len() == 4, || format!("{ids:?}"));
    for id in ids {
        let line = table.gate.logs.audit(&id);
        table.that(line["request_id"] == id.as_str(), || line.to_string());
    }
}

#[test]
fn a_public_keys_answer_is_only_for_its_own_origins() {
    let site = "https://www.example.com";
    let mut table = start(|setup| {
        let cache = json!({"ttl": TTL, "scope": "shared"});
        let open = json!({"id": "pk_open", "schemes": ["public-key"], "paths": ["/*"], "allowed_origins": [site]});
        setup.route("/*", json!({"cache": cache})).site(json!({})).key(open).cache()
    });
    table.warm("a session", &get(&table.gate, "/posts"));
    let bare =
        |origin: &str| Request::get("/posts").header("X-Public-Key", "pk_open").origin(origin);
    let answer = table.hit("its origin", &bare(site));
    table.that(answer.header("access-control-allow-origin").as_deref() == Some(site), || {
        answer.to_string()
    });
    let answer = table.refused("another", &bare("https://evil.example"), 403, "origin-denied");
    table.that(answer.header("access-control-allow-origin").is_none(), || answer.to_string());
}

#[test]
fn a_hit_has_no_headers_of_the_cache_itself() {
    let mut table = saying(&[("ETag", "\"a\""), ("X-Own", "kept")]);
    let [(_, miss), (_, hit)] = both(&mut table);
    let names = |answer: &Response| -> Vec<String> {
        let mut names: Vec<_> =
            answer.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        names.sort();
        names
    };
    let mut expected = names(&miss);
    expected.push("age".to_owned());
    expected.sort();
    table.that(names(&hit) == expected, || format!("{miss}\n{hit}"));
}
