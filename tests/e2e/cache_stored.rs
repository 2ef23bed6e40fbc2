//! Which answers are kept (docs/wire-contract.md, section 8): one for each reason, as the platform hands its headers over. Every
//! spelling of them is in `src/cache/lifetime.rs`.

use testkit::cache::{cached, get, kept, start};
use testkit::check::Check;
use testkit::client::Request;
use testkit::token::fresh;
use testkit::upstream::{Reply, Upstream};

/// The answers to `/0`, `/1`, …: a status, headers, and true if the answer is kept.
type Case = (u16, &'static [(&'static str, &'static str)], bool);
const CASES: [Case; 12] = [
    (200, &[("Cache-Control", "public, max-age=60")], true),
    (200, &[("Vary", "Accept"), ("Vary", "Accept-Language")], true),
    (200, &[("Expires", "0"), ("Cache-Control", "s-maxage=60")], true),
    (200, &[("Set-Cookie", "a=b"), ("Cache-Control", "public, max-age=60")], false),
    (200, &[("Cache-Control", "private")], false),
    (200, &[("Cache-Control", "max-age=60"), ("Cache-Control", "no-store")], false),
    (200, &[("Vary", "Accept"), ("Vary", "User-Agent")], false),
    (200, &[("Cache-Control", "max-age=0")], false),
    (200, &[("Age", "3600")], false),
    (203, &[("Cache-Control", "public, max-age=60")], false),
    (206, &[("Cache-Control", "public, max-age=60")], false),
    (404, &[("Cache-Control", "public, max-age=60")], false),
];

#[test]
fn an_answer_that_others_may_have_is_kept_and_no_other() {
    let upstream = Upstream::answering(|request, nth| {
        let own = request.target[1..].parse::<usize>().ok().and_then(|at| CASES.get(at));
        let (status, fields) = own.map_or((200, &[][..]), |(status, fields, _)| (*status, *fields));
        let reply = Reply::new(status).body(format!("answer {nth}"));
        fields.iter().fold(reply, |reply, (name, value)| reply.header(name, value))
    });
    let mut table = Check::before(upstream, cached);
    for (index, (status, fields, is_kept)) in CASES.iter().enumerate() {
        let what = format!("{status} {fields:?}");
        let request = get(&table.gate, &format!("/{index}"));
        if *is_kept {
            let first = table.warm(&what, &request);
            let again = table.hit(&what, &request);
            table.that(again.body == first.body, || format!("{what}: {again}"));
            continue;
        }
        let before = kept(&table.gate);
        table.miss(&what, &request);
        // Whatever was to be kept of the first is kept before what is asked for after it.
        let other = get(&table.gate, &format!("/{}", fresh()));
        table.warm("another", &other);
        let kept = kept(&table.gate) - before;
        table.that(kept == 1, || format!("{what}: kept"));
        table.miss(&what, &request);
    }
}

#[test]
fn only_what_get_asked_for_is_kept() {
    let mut table = start(cached);
    let by = |method: &str| Request::new(method, "/x").bearer(&table.gate.bearer());
    let (read, head) = (by("GET"), by("HEAD"));
    let writes = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"].map(by);
    for write in &writes {
        table.passes(&write.method, write);
    }
    table.miss("a HEAD that finds nothing", &head);
    table.miss("and again", &head);
    table.warm("a read after them", &read);
    for write in &writes {
        let answer = table.passes(&write.method, write);
        table.that(answer.header("cache-status").is_none(), || answer.to_string());
    }
    table.hit("the read", &read);
    table.hit("its HEAD", &head);
    let kept = kept(&table.gate);
    table.that(kept == 1, || format!("{kept} answers kept"));
}
