//! The callers who share a kept answer (docs/wire-contract.md, section 8): those whom the route's `scope` names. Ids, subjects
//! and headers are chosen so that joining them would make one of two.

use serde_json::json;
use testkit::cache::{MISS, TTL, cached, counting, get, scoped, start};
use testkit::check::Check;
use testkit::client::{HOST, Request};
use testkit::gate::{KEY, Setup};
use testkit::token::{b64, fresh, hmac, now, sk};

/// Returns the credentials of its key and its subject.
fn by(table: &Check, id: &str, subject: Option<&str>) -> Request {
    let session = table.gate.session_of(id);
    let session = match subject {
        Some(subject) => session.claim("sub", subject),
        None => session,
    };
    Request::get("/posts").bearer(&session.mint())
}

/// Keys whose ids are parts of each other's.
const IDS: [&str; 4] = ["a", "ab", "a.b", "b"];
/// And subjects that would make up for it.
const SUBJECTS: [Option<&str>; 8] =
    [None, Some("b"), Some("bc"), Some("c"), Some(":b"), Some("/b"), Some("null"), Some("None")];

fn keys(setup: Setup) -> Setup {
    IDS.iter().fold(setup, |setup, id| setup.key(json!({"id": id})))
}

#[test]
fn each_key_has_answers_of_its_own() {
    let mut table = start(|setup| keys(cached(setup)));
    for id in IDS {
        let first = table.warm(id, &by(&table, id, None));
        for subject in SUBJECTS {
            // Whoever its subject is.
            let answer = table.hit(id, &by(&table, id, subject));
            table.that(answer.body == first.body, || format!("{id}: {answer}"));
        }
    }
}

#[test]
fn each_subject_of_each_key_has_answers_of_its_own() {
    let mut table = start(|setup| keys(scoped(setup, "subject")));
    for id in IDS {
        for subject in SUBJECTS {
            let what = format!("{id} {subject:?}");
            let request = by(&table, id, subject);
            let first = table.warm(&what, &request);
            // In another session.
            let other = Request::get("/posts").bearer(
                &subject
                    .iter()
                    .fold(table.gate.session_of(id).claim("jti", fresh()), |session, subject| {
                        session.claim("sub", *subject)
                    })
                    .mint(),
            );
            let answer = table.hit(&what, &other);
            table.that(answer.body == first.body, || format!("{what}: {answer}"));
        }
    }
}

#[test]
fn all_share_what_is_shared() {
    let mut table = start(|setup| keys(scoped(setup, "shared")));
    table.warm("the first", &by(&table, KEY, None));
    for id in IDS {
        for subject in SUBJECTS {
            table.hit(id, &by(&table, id, subject));
        }
    }
}

#[test]
fn the_scope_is_the_key_where_none_is_said() {
    let mut table = start(|setup| {
        let cache = json!({"ttl": TTL});
        keys(setup.route("/*", json!({"cache": cache})).site(json!({}))).cache()
    });
    table.warm("a key", &by(&table, "a", Some("x")));
    table.hit("the same", &by(&table, "a", Some("y")));
    table.miss("another", &by(&table, "b", Some("x")));
}

#[test]
fn one_key_shares_over_its_schemes_and_its_links() {
    let mut table = Check::of(|setup| {
        let key = json!({"schemes": ["session", "signature", "url"]});
        let cache = json!({"ttl": TTL});
        setup.route("/*", json!({"cache": cache})).site(key).cache()
    });
    let secret = sk(&table.gate.signing_secret, KEY, 1);
    let link = |exp: u64| {
        let target = format!("/img?w=1&key={KEY}&exp={exp}");
        let mac =
            b64(hmac(secret.as_bytes(), format!("writegate-url-v1\n{HOST}\n{target}").as_bytes()));
        Request::get(&format!("{target}&sig={mac}"))
    };
    table.warm("a link", &link(now() + 100));
    table.hit("a link that ends later", &link(now() + 200));
    let session = Request::get("/img?w=1").bearer(&table.gate.bearer());
    table.hit("a session", &session);
    let signed = table.gate.signature().sign(Request::get("/img?w=1"));
    table.hit("a signature", &signed);
    let target = table.upstream.only().target;
    table.that(target == "/img?w=1", || target.clone());
}

#[test]
fn accept_and_accept_language_are_part_of_what_is_asked_for() {
    let mut table = start(cached);
    let variants: [&[(&str, &str)]; 8] = [
        &[],
        &[("Accept", "a")],
        &[("Accept-Language", "a")],
        &[("Accept", "a"), ("Accept-Language", "b")],
        &[("Accept", "ab")],
        &[("Accept", "a, b")],
        &[("Accept-Language", "ab")],
        &[("Accept", "b"), ("Accept-Language", "a")],
    ];
    let request = |table: &Check, fields: &[(&str, &str)]| {
        let get = get(&table.gate, "/posts");
        fields.iter().fold(get, |get, (name, value)| get.header(name, value))
    };
    for fields in variants {
        let request = request(&table, fields);
        let first = table.warm(&format!("{fields:?}"), &request);
        let again = table.hit(&format!("{fields:?}"), &request);
        table.that(again.body == first.body, || format!("{fields:?}: {again}"));
    }
    for fields in variants {
        table.hit(&format!("{fields:?}, later"), &request(&table, fields));
    }
}

#[test]
fn each_route_has_answers_of_its_own() {
    let upstream = counting(|_, reply| reply);
    let url = format!("{}/same", upstream.url());
    let mut table = Check::before(upstream, |setup| {
        let cache = json!({"ttl": TTL});
        let to_same = json!({"cache": cache, "upstream": url});
        let setup = setup.route("/one/*", to_same.clone()).route("/two/*", to_same.clone());
        setup.route("/exact", to_same).site(json!({})).cache()
    });
    for path in ["/one/a", "/two/a", "/one/b", "/exact"] {
        let request = get(&table.gate, path);
        table.warm(path, &request);
        table.hit(path, &request);
    }
    let targets: Vec<_> = table.upstream.seen().iter().map(|seen| seen.target.clone()).collect();
    table.that(targets == ["/same/a", "/same/a", "/same/b", "/same"], || format!("{targets:?}"));
}

#[test]
fn another_token_sees_nothing_of_what_the_former_saw() {
    let mut table = start(|setup| scoped(setup, "shared").twice_with("WRITE_TOKEN", fresh()));
    let request = get(&table.gate, "/posts");
    table.warm("with the former", &request);
    table.hit("again", &request);
    let before = table.upstream.seen().len();
    let answer = request.send_to(table.gate.second);
    table.that(answer.header("cache-status").as_deref() == Some(MISS), || answer.to_string());
    let seen = table.upstream.seen();
    table.that(seen.len() == before + 1, || format!("{seen:#?}"));
    let former = Some(format!("Bearer {}", table.gate.token));
    table.that(seen.last().is_some_and(|last| last.header("authorization") != former), || {
        format!("{seen:#?}")
    });
}
