//! A request is acted on when its last byte came, not when its first one did: what has changed meanwhile
//! counts. The body is what takes time here; the property holds for whatever the gate waits for.

use serde_json::{Value, json};

use writegate::credential::base::Component;
use writegate::credential::digest::content_digest;
use writegate::credential::signing::{self, Parameters};
use writegate::{Decision, Gate, Head, KeyId, MacKey, Raw, Secret, Step, derive_sk};

use crate::world::{
    Happens, NOW, Native, TARGET, code_of, decide_at, decide_on, gate_with, raw, root,
};

const BODY: &[u8] = br#"{"title":"Hello"}"#;

/// The headers of a request that is signed by this key, with its body.
struct Signed {
    digest: String,
    input: String,
    signature: String,
}

impl Signed {
    fn by(
        key: &str,
        method: &str,
        target: &str,
        nonce: Option<&str>,
        expires: Option<i64>,
    ) -> Self {
        let digest = content_digest(BODY);
        let headers = vec![("content-digest", digest.as_str())];
        let head = Head::new(method, target, headers, true).unwrap();
        let names = ["@method", "@target-uri", "content-digest"];
        let components: Vec<_> = names.iter().map(|name| Component::named(name).unwrap()).collect();
        let parameters = Parameters {
            created: NOW,
            expires: expires.map(|seconds| NOW.plus_seconds(seconds)),
            keyid: key,
            nonce,
        };
        let sk = derive_sk(&Secret::new(root()), &KeyId::parse(key).unwrap(), 1);
        let signed = signing::sign(&head, &components, &parameters, &MacKey::new(&sk)).unwrap();
        Self { input: signed.input, signature: signed.signature, digest }
    }

    fn raw<'h>(&'h self, method: &'h str, target: &'h str) -> Raw<'h> {
        let headers = [
            ("content-digest", self.digest.as_str()),
            ("content-length", "17"),
            ("signature", self.signature.as_str()),
            ("signature-input", self.input.as_str()),
        ];
        Raw { has_body: true, ..raw(method, target, &headers) }
    }
}

fn record(more: Value) -> String {
    let mut record = json!({"id": "pk_r", "schemes": ["signature"]});
    for (name, value) in more.as_object().unwrap() {
        record[name] = value.clone();
    }
    record.to_string()
}

/// Returns a gate whose key `pk_r` is in the registry, and what its token store has.
fn world(key: Value) -> (&'static Gate, Native) {
    let vars = [
        ("KEY_REGISTRY", Value::Null),
        ("KEY_WRITER", Value::Null),
        ("LEDGER", Value::Null),
        ("REPLAY", Value::Null),
        ("WRITE_TOKEN", Value::Null),
    ];
    let gate = gate_with(json!({"id": "pk_admin", "admin": true}), json!({}), vars);
    let mut platform = Native::with_body(BODY.to_vec());
    platform.stored.replace(Some("first".to_owned()));
    platform.records.get_mut().insert("pk_r".to_owned(), record(key));
    (Box::leak(Box::new(gate)), platform)
}

/// Returns the code of a refusal, or the credential that is sent.
fn outcome(decision: Decision<'_, '_>) -> String {
    match decision {
        Decision::Respond(answer) => code_of(&answer),
        Decision::Forward(outbound, _) => {
            let mut set = outbound.set.iter();
            let (_, value) = set.find(|(name, _)| name == "authorization").unwrap();
            value.expose_str().unwrap().to_owned()
        }
    }
}

/// Sends a signed request during whose body something happens, after so many milliseconds; returns its outcome.
fn after(
    key: Value,
    nonce: Option<&str>,
    expires: Option<i64>,
    ms: i64,
    happens: impl Fn(&Native) + 'static,
) -> (String, Native) {
    let (gate, platform) = world(key);
    let signed = Signed::by("pk_r", "POST", TARGET, nonce, expires);
    platform.while_reading.replace(Some(Box::new(move |platform| {
        platform.now.set(writegate::Timestamp::from_millis(NOW.millis() + ms));
        happens(platform);
    })));
    let decision = decide_on(&platform, gate, signed.raw("POST", TARGET));
    (outcome(decision), platform)
}

#[test]
fn what_changes_while_a_body_arrives_counts() {
    type Case<'a> = (&'a str, Value, Option<i64>, i64, Value, &'a str);
    let same = || json!({});
    let cases: [Case<'_>; 12] = [
        ("nothing", same(), None, 0, same(), "Bearer first"),
        ("still young enough", same(), None, 300_000, same(), "Bearer first"),
        ("too old", same(), None, 300_001, same(), "signature-stale"),
        ("still before expires", same(), Some(10), 9_999, same(), "Bearer first"),
        ("expires", same(), Some(10), 10_000, same(), "signature-stale"),
        (
            "the key's end",
            json!({"expires": "2026-11-22T00:00:05Z"}),
            None,
            5_000,
            json!({"expires": "2026-11-22T00:00:05Z"}),
            "key-expired",
        ),
        (
            "revoked, within the bound",
            same(),
            None,
            29_999,
            json!({"revoked": true}),
            "Bearer first",
        ),
        ("revoked", same(), None, 30_000, json!({"revoked": true}), "key-revoked"),
        ("another secret", same(), None, 30_000, json!({"version": 2}), "signature-invalid"),
        ("narrower methods", same(), None, 30_000, json!({"methods": ["PUT"]}), "method-denied"),
        ("narrower paths", same(), None, 30_000, json!({"paths": ["/other"]}), "path-denied"),
        ("wider", json!({"methods": ["POST"]}), None, 30_000, same(), "Bearer first"),
    ];
    for (what, key, expires, ms, then, expected) in cases {
        let text = record(then);
        let (found, _) = after(key, None, expires, ms, move |platform| {
            platform.records.borrow_mut().insert("pk_r".to_owned(), text.clone());
        });
        assert_eq!(found, expected, "{what}");
    }
}

/// A bare public key proves nothing, so its answer is readable only by pages that its record lists, as it is then.
#[test]
fn the_page_that_may_read_is_one_that_the_record_lists_after_the_wait() {
    const PAGE: &str = "https://a.example";
    let listing = |origin: &str| {
        record(json!({
            "schemes": ["public-key"], "paths": ["/posts/*"], "rate": "standard", "match": "any",
            "allowed_origins": [origin], "allowed_ips": ["10.0.0.0/8"],
        }))
    };
    for (before, then, is_readable) in
        [(PAGE, "https://b.example", false), ("https://b.example", PAGE, true)]
    {
        let vars = [("KEY_REGISTRY", Value::Null), ("RATE_STANDARD", Value::Null)];
        let gate = gate_with(json!({}), json!({}), vars);
        let platform = Native::with_body(Vec::new());
        platform.records.borrow_mut().insert("pk_r".to_owned(), listing(before));
        let text = listing(then);
        platform.while_counting.replace(Some(Box::new(move |platform| {
            platform.now.set(NOW.plus_seconds(30));
            platform.records.borrow_mut().insert("pk_r".to_owned(), text.clone());
        })));
        let headers =
            [("x-public-key", "pk_r"), ("origin", PAGE), ("cf-connecting-ip", "10.0.0.1")];
        let Decision::Forward(_, mut exchange) =
            decide_on(&platform, &gate, raw("GET", TARGET, &headers))
        else {
            panic!("its address is allowed");
        };
        let Step::Pass(edits, ..) = exchange.answered(200, &[], None, platform.now.get(), 0.0)
        else {
            panic!("it is whole");
        };
        let mut set = edits.set.iter();
        assert_eq!(
            set.any(|(name, _)| *name == "access-control-allow-origin"),
            is_readable,
            "{then}"
        );
    }
}

#[test]
fn a_token_that_is_replaced_while_a_body_arrives_is_not_sent() {
    for (ms, expected) in [(29_999, "Bearer first"), (30_000, "Bearer second")] {
        let (found, _) = after(json!({}), None, None, ms, |platform| {
            platform.stored.replace(Some("second".to_owned()));
        });
        assert_eq!(found, expected, "{ms} ms");
    }
    let (found, _) = after(json!({}), None, None, 30_000, |platform| {
        platform.stored.replace(None);
    });
    assert_eq!(found, "feature-unavailable", "taken away");
}

/// Forwards a read of the key `pk_r`, whose session lasts so many seconds, with a stored token. After so many milliseconds the
/// upstream answers 503 and something has happened; returns true if the request is sent again, 100 ms later.
fn is_sent_again(session: i64, ms: i64, happens: impl Fn(&'static Gate, &Native)) -> bool {
    let (gate, platform) = world(json!({"schemes": ["session"]}));
    let bearer = bearer_of("pk_r", session);
    let read = || decide_on(&platform, gate, raw("GET", TARGET, &[("authorization", &bearer)]));
    let Decision::Forward(_, mut exchange) = read() else {
        panic!("nothing has happened yet");
    };
    let now = writegate::Timestamp::from_millis(NOW.millis() + ms);
    platform.now.set(now);
    happens(gate, &platform);
    match exchange.answered(503, &[], None, now, 1.0) {
        Step::Again(pause_ms) => pause_ms == 100,
        Step::Pass(..) => false,
        other => panic!("{other:?}"),
    }
}

fn bearer_of(key: &str, seconds: i64) -> String {
    let claims = json!({"exp": NOW.seconds() + seconds});
    format!("Bearer {}", crate::world::token_of(key, claims))
}

#[test]
fn a_request_is_sent_again_only_while_what_it_was_admitted_by_holds() {
    let nothing = |_: &'static Gate, _: &Native| {};
    assert!(is_sent_again(20, 19_899, nothing), "the session lasts until then");
    assert!(!is_sent_again(20, 19_900, nothing), "the session has ended by then");
    assert!(is_sent_again(300, 29_899, nothing), "key and token were read lately");
    assert!(!is_sent_again(300, 29_900, nothing), "the gate would have to ask again");
    let another = |gate: &'static Gate, platform: &Native| {
        let bearer = bearer_of("pk_r", 300);
        let request = raw("GET", TARGET, &[("authorization", &bearer)]);
        assert!(matches!(decide_on(platform, gate, request), Decision::Forward(..)));
    };
    assert!(is_sent_again(300, 30_000, another), "another request has asked");
    let another_token = |gate: &'static Gate, platform: &Native| {
        platform.stored.replace(Some("second".to_owned()));
        another(gate, platform);
    };
    assert!(!is_sent_again(300, 30_000, another_token), "and got another token");
    let another_record = |gate: &'static Gate, platform: &Native| {
        let text = record(json!({"schemes": ["session"], "methods": ["GET"]}));
        platform.records.borrow_mut().insert("pk_r".to_owned(), text);
        another(gate, platform);
    };
    assert!(!is_sent_again(300, 30_000, another_record), "and got another record");
}

#[test]
fn a_body_on_its_way_reserves_nothing_and_a_quota_is_looked_at_again() {
    let quota = json!({"quota": {"requests": 1, "per": "day"}});
    let (gate, platform) = world(quota.clone());
    let first = Signed::by("pk_r", "POST", TARGET, None, None);
    platform.while_reading.replace(Some(Box::new(|platform| {
        let second = Signed::by("pk_r", "POST", TARGET, None, None);
        let decision = decide_on(platform, gate, second.raw("POST", TARGET));
        assert_eq!(outcome(decision), "Bearer first", "one is left while the other is read");
        platform.had.set(1);
        platform.now.set(NOW.plus_seconds(30));
    })));
    let decision = decide_on(&platform, gate, first.raw("POST", TARGET));
    assert_eq!(outcome(decision), "quota-exceeded");
    // Used up before: the body is not read at all.
    let (gate, platform) = world(quota);
    platform.had.set(1);
    platform.while_reading.replace(Some(Box::new(|_| panic!("the body was read"))));
    let decision = decide_on(&platform, gate, first.raw("POST", TARGET));
    assert_eq!(outcome(decision), "quota-exceeded");
}

#[test]
fn bodies_that_end_after_midnight_count_against_the_new_day() {
    let (gate, platform) = world(json!({"quota": {"requests": 1, "per": "day"}}));
    let first = Signed::by("pk_r", "POST", TARGET, None, None);
    platform.while_reading.replace(Some(Box::new(|platform| {
        platform.while_reading.replace(Some(Box::new(|platform| {
            platform.now.set(NOW);
        })));
        let second = Signed::by("pk_r", "POST", TARGET, None, None);
        let decision = decide_on(platform, gate, second.raw("POST", TARGET));
        let Decision::Forward(_, mut exchange) = decision else {
            panic!("nothing of the new day is used");
        };
        let now = platform.now.get();
        let _passed = exchange.answered(200, &[], None, now, 0.0);
    })));
    let before_midnight = NOW.plus_seconds(-1);
    let decision = decide_at(before_midnight, &platform, gate, first.raw("POST", TARGET));
    assert_eq!(outcome(decision), "quota-exceeded");
}

#[test]
fn a_request_that_is_refused_at_its_end_uses_no_nonce() {
    let key = || json!({"nonce": "required"});
    let nonce = Some("0123456789");
    let (found, platform) = after(key(), nonce, Some(10), 10_000, |_| {});
    assert_eq!(found, "signature-stale");
    assert_eq!(platform.nonces(), 0);
    let (found, platform) = after(key(), nonce, Some(10), 9_999, |_| {});
    assert_eq!(found, "Bearer first");
    assert_eq!(platform.nonces(), 1);
}

/// Sends an admin's request during whose body something happens; returns the answer, and the record afterwards.
fn admin(
    method: &str,
    path: &str,
    body: &str,
    happens: impl Fn(&Native) + 'static,
) -> (Value, Value) {
    let (gate, platform) = world(json!({"schemes": ["session"]}));
    platform.body.replace(body.as_bytes().to_vec());
    platform.while_reading.replace(Some(Box::new(happens)));
    let bearer = format!(
        "Bearer {}",
        crate::world::token_of("pk_admin", json!({"exp": NOW.seconds() + 10}))
    );
    let target = format!("https://gate.example/_gate/{path}");
    let headers = [("authorization", bearer.as_str())];
    let request = Raw { has_body: true, ..raw(method, &target, &headers) };
    let Decision::Respond(answer) = decide_on(&platform, gate, request) else {
        panic!("an admin's request is never forwarded");
    };
    let records = platform.records.borrow();
    let record = serde_json::from_str(&records["pk_r"]).unwrap();
    assert!(records.len() <= 2);
    (
        json!({"status": answer.status, "records": records.len(), "body": serde_json::from_str::<Value>(&answer.body).unwrap()}),
        record,
    )
}

#[test]
fn an_admin_s_session_must_outlast_its_body() {
    let created = |seconds: i64| {
        let (answer, _) = admin("POST", "keys", r#"{"name":"new"}"#, move |platform| {
            platform.now.set(NOW.plus_seconds(seconds));
        });
        (answer["status"].clone(), answer["records"].clone(), answer["body"]["code"].clone())
    };
    assert_eq!(created(9), (json!(201), json!(2), Value::Null));
    assert_eq!(created(10), (json!(401), json!(1), json!("session-expired")));
}

#[test]
fn a_tombstone_is_never_written_over() {
    let buried = r#"{"id":"pk_r","version":1,"revoked":true}"#;
    let (answer, record) = admin("PATCH", "keys/pk_r", r#"{"name":"back"}"#, move |platform| {
        platform.records.borrow_mut().insert("pk_r".to_owned(), buried.to_owned());
    });
    assert_eq!((&answer["status"], &answer["body"]["code"]), (&json!(409), &json!("key-exists")));
    assert_eq!(record, serde_json::from_str::<Value>(buried).unwrap());
    // Without the deletion it is changed.
    let (answer, record) = admin("PATCH", "keys/pk_r", r#"{"name":"new"}"#, |_| {});
    assert_eq!((&answer["status"], &record["name"]), (&json!(200), &json!("new")));
}

/// Makes so many changes in the name of others, each just before this isolate writes.
fn others(left: u32) -> Happens {
    Box::new(move |platform: &Native| {
        let theirs = json!({"schemes": ["session"], "methods": ["PUT"], "url_ttl": left});
        platform.records.borrow_mut().insert("pk_r".to_owned(), record(theirs));
        if left > 1 {
            platform.while_writing.replace(Some(others(left - 1)));
        }
    })
}

#[test]
fn changes_in_between_are_not_lost() {
    for (count, status, name) in
        [(1, 200, json!("mine")), (19, 200, json!("mine")), (20, 503, Value::Null)]
    {
        let (gate, platform) = world(json!({"schemes": ["session"]}));
        platform.body.replace(br#"{"name":"mine"}"#.to_vec());
        platform.while_writing.replace(Some(others(count)));
        let bearer = format!("Bearer {}", crate::world::token_of("pk_admin", json!({})));
        let headers = [("authorization", bearer.as_str())];
        let request = Raw {
            has_body: true,
            ..raw("PATCH", "https://gate.example/_gate/keys/pk_r", &headers)
        };
        let Decision::Respond(answer) = decide_on(&platform, gate, request) else {
            panic!("an admin's request is never forwarded");
        };
        assert_eq!(answer.status, status, "{count}: {}", answer.body);
        let record: Value = serde_json::from_str(&platform.records.borrow()["pk_r"]).unwrap();
        assert_eq!((&record["name"], &record["methods"]), (&name, &json!(["PUT"])), "{count}");
    }
}
