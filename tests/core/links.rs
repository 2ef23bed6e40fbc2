//! The rules that signed URLs and WAF-token URLs share (docs/wire-contract.md, section 3): each rule for both kinds.
//! Their own rules are in
//! `signed_urls.rs` and `waf_urls.rs`.

use serde_json::{Value, json};
use testkit::client::{HOST, Request};
use testkit::gate::{KEY, Setup};
use testkit::links::{before_sig, encoded_waf_link, signed, waf_link};
use testkit::token::{fresh, now, sk};

use crate::native::{Check, check};

const SITE: &str = "https://www.example.com";
/// An early time of ten digits, the end of no link and the beginning of a WAF-token URL.
const LONG_AGO: u64 = 1_484_063_787;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Url,
    Waf,
    /// With a MAC in percent-encoded standard base64.
    EncodedWaf,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Url, Self::Waf, Self::EncodedWaf];

    fn scheme(self) -> &'static str {
        if self == Self::Url { "url" } else { "waf-url" }
    }

    /// Returns the schemes `own` and `more`.
    fn with(self, more: &[&str]) -> Value {
        json!([&[self.scheme()], more].concat())
    }

    /// Returns a link to this target by this key: signed now, or long ago.
    fn make(self, secret: &str, target: &str, key: &str, is_good: bool) -> String {
        let joint = if target.contains('?') { '&' } else { '?' };
        let text = format!("{target}{joint}key={key}");
        let issued = if is_good { now() } else { LONG_AGO };
        match self {
            Self::Url => {
                let exp = if is_good { now() + 300 } else { LONG_AGO };
                signed(secret, HOST, &before_sig(target, key, exp))
            }
            Self::Waf => waf_link(secret, &text, issued),
            Self::EncodedWaf => encoded_waf_link(secret, &text, issued),
        }
    }
}

/// A gate whose default key takes links of one kind.
struct World {
    kind: Kind,
    table: Check,
    waf_secret: String,
}

impl World {
    /// Returns a key with these members, and what `set_up` adds to the gate.
    fn new(kind: Kind, members: &Value, set_up: impl FnOnce(Setup) -> Setup) -> Self {
        let waf_secret = fresh();
        let mut record = json!({"schemes": [kind.scheme()]});
        record.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let table =
            check(|setup| set_up(setup.site(record).env("WAF_SECRET", waf_secret.as_str())));
        Self { kind, table, waf_secret }
    }

    fn link_of(&self, key: &str, target: &str, is_good: bool) -> String {
        let secret = match self.kind {
            Kind::Url => sk(&self.table.gate.signing_secret, key, 1),
            Kind::Waf | Kind::EncodedWaf => self.waf_secret.clone(),
        };
        self.kind.make(&secret, target, key, is_good)
    }

    fn link(&self, target: &str) -> String {
        self.link_of(KEY, target, true)
    }

    /// Returns a link with a MAC by nobody's secret.
    fn forged(&self, key: &str, is_good: bool) -> String {
        self.kind.make(&fresh(), "/x", key, is_good)
    }
}

#[test]
fn one_link_is_only_good_for_get_and_head() {
    for kind in Kind::ALL {
        let mut world = World::new(kind, &json!({}), |setup| setup);
        let link = world.link("/x?a=1");
        for method in ["GET", "HEAD"] {
            world.table.passes(method, &Request::new(method, &link));
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let request = Request::new(method, &link);
            world.table.refused(method, &request, 403, "method-denied");
            let what = format!("{method} with a body");
            world.table.refused(&what, &request.body("x"), 403, "method-denied");
        }
    }
}

#[test]
fn a_link_needs_a_good_key_that_takes_links() {
    for kind in Kind::ALL {
        let key = |id: &str, schemes: Value, more: Value| {
            let mut record = json!({"id": id, "schemes": schemes});
            record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            record
        };
        let other = if kind == Kind::Url { "waf-url" } else { "url" };
        let over = json!({"expires": "2020-01-01T00:00:00Z"});
        let mut world = World::new(kind, &json!({}), |setup| {
            setup
                .key(key("pk_both", kind.with(&["session"]), json!({})))
                .key(key("pk_session", json!(["session"]), json!({})))
                .key(key("pk_others", json!(["session", "signature", other]), json!({})))
                .key(key("pk_revoked", kind.with(&[]), json!({"revoked": true})))
                .key(key("pk_over", kind.with(&[]), over))
                .key(key("pk_nonce", kind.with(&["signature"]), json!({"nonce": "required"})))
        });
        for id in [KEY, "pk_both"] {
            let link = world.link_of(id, "/x", true);
            world.table.passes(id, &Request::get(&link));
        }
        for (id, code) in [
            ("pk_none", "key-unknown"),
            ("pk_revoked", "key-revoked"),
            ("pk_over", "key-expired"),
            ("pk_session", "scheme-not-allowed"),
            ("pk_others", "scheme-not-allowed"),
            ("pk_nonce", "proof-missing"),
        ] {
            let link = world.link_of(id, "/x", true);
            world.table.refused(id, &Request::get(&link), 401, code);
        }
        let session = Request::get("/x").bearer(&world.table.gate.bearer());
        world.table.refused("a session of it", &session, 401, "scheme-not-allowed");
    }
}

#[test]
fn a_link_needs_no_origin_but_one_that_is_sent_must_match() {
    for kind in Kind::ALL {
        let members = json!({"schemes": kind.with(&["session"]), "allowed_origins": [SITE]});
        let mut world = World::new(kind, &members, |setup| setup);
        let link = Request::get(&world.link("/x"));
        let table = &mut world.table;
        table.passes("neither", &link);
        table.passes("Origin", &link.clone().origin(SITE));
        for origin in ["https://evil.example", "null", "http://www.example.com"] {
            table.refused(origin, &link.clone().origin(origin), 403, "origin-denied");
        }
        let from = |referer: &str| link.clone().header("Referer", referer);
        table.passes("Referer", &from("https://www.example.com/a?b"));
        for referer in ["https://evil.example/", "https://evil.example/?https://www.example.com"] {
            table.refused(referer, &from(referer), 403, "origin-denied");
        }
        table.passes("only Origin decides", &from("https://evil.example/").origin(SITE));
        let session = Request::get("/x").bearer(&table.gate.bearer());
        table.refused("a session needs one", &session, 403, "origin-denied");
        table.passes("a session has one", &session.origin(SITE));
    }
}

#[test]
fn addresses_methods_and_paths_of_the_key_hold() {
    for kind in Kind::ALL {
        let mut world = World::new(kind, &json!({"allowed_ips": ["192.0.2.1"]}), |setup| {
            setup
                .key(json!({"id": "pk_paths", "schemes": kind.with(&[]), "paths": ["/cms/*"]}))
                .key(json!({"id": "pk_post", "schemes": kind.with(&[]), "methods": ["POST"]}))
                .key(json!({"id": "pk_head", "schemes": kind.with(&[]), "methods": ["HEAD"]}))
                .key(json!({"id": "pk_get", "schemes": kind.with(&[]), "methods": ["GET"]}))
        });
        let bare = Request::get(&world.link("/x"));
        world.table.refused("no address", &bare, 403, "ip-denied");
        let there = bare.clone().header("CF-Connecting-IP", "192.0.2.2");
        world.table.refused("another address", &there, 403, "ip-denied");
        world.table.passes("the address", &bare.header("CF-Connecting-IP", "192.0.2.1"));
        for (id, method, path, code) in [
            ("pk_paths", "GET", "/cms/a", None),
            ("pk_paths", "GET", "/other", Some("path-denied")),
            // GET implies HEAD.
            ("pk_get", "HEAD", "/x", None),
            ("pk_head", "HEAD", "/x", None),
            ("pk_head", "GET", "/x", Some("method-denied")),
            ("pk_post", "GET", "/x", Some("method-denied")),
            ("pk_post", "POST", "/x", Some("method-denied")),
        ] {
            let request = Request::new(method, &world.link_of(id, path, true));
            let what = format!("{id}, {method} {path}");
            match code {
                None => world.table.passes(&what, &request),
                Some(code) => world.table.refused(&what, &request, 403, code),
            };
        }
    }
}

#[test]
fn a_link_may_come_only_with_its_own_public_key() {
    for kind in Kind::ALL {
        let members = json!({"schemes": kind.with(&["session", "signature"])});
        let mut world = World::new(kind, &members, |setup| setup.key(json!({"id": "pk_two"})));
        let link = Request::get(&world.link("/x"));
        let signature = |keyid: &str| {
            let time = now();
            let input =
                format!("sig1=(\"@method\" \"@target-uri\");created={time};keyid=\"{keyid}\"");
            link.clone()
                .header("Signature-Input", &input)
                .header("Signature", &format!("sig1=:{}=:", "A".repeat(43)))
        };
        let with = |id: &str| link.clone().header("X-Public-Key", id);
        let session = link.clone().bearer(&world.table.gate.bearer());
        let table = &mut world.table;
        table.passes("its public key", &with(KEY));
        table.passes("somebody else's signature", &signature("elsewhere"));
        let arrived = table.upstream.last().header("signature-input");
        table.that(arrived.is_none(), || "somebody else's signature arrived".into());
        for (what, request) in [
            ("a session", session),
            ("a signature", signature(KEY)),
            ("another key's signature", signature("pk_two")),
            ("another public key", with("pk_two")),
        ] {
            table.refused(what, &request, 400, "ambiguous-credential");
        }
    }
}

#[test]
fn the_checks_come_in_their_order() {
    for kind in Kind::ALL {
        let members = json!({"allowed_ips": ["192.0.2.1"], "paths": ["/x"], "methods": ["POST"]});
        let nonce = kind.with(&["signature"]);
        let mut world = World::new(kind, &members, |setup| {
            setup
                .key(json!({"id": "pk_revoked", "schemes": ["session"], "revoked": true}))
                .key(json!({"id": "pk_session"}))
                .key(json!({"id": "pk_nonce", "schemes": nonce, "nonce": "required"}))
        });
        let shapeless = match kind {
            Kind::Url => format!("/x?key=pk_none&exp={}&sig=A", now() + 300),
            Kind::Waf | Kind::EncodedWaf => "/x?key=pk_none&verify=1".to_owned(),
        };
        for (what, target, status, code) in [
            ("path, then shape", format!("/x//{shapeless}"), 400, "bad-path"),
            ("shape, then key", shapeless, 400, "bad-credential"),
            ("revoked, then scheme", world.forged("pk_revoked", true), 401, "key-revoked"),
            ("scheme, then MAC", world.forged("pk_session", true), 401, "scheme-not-allowed"),
            ("nonce, then MAC", world.forged("pk_nonce", true), 401, "proof-missing"),
            ("MAC, then time", world.forged(KEY, false), 401, "signature-invalid"),
            ("time, then address", world.link_of(KEY, "/y", false), 401, "url-expired"),
            ("address, then method", world.link("/y"), 403, "ip-denied"),
        ] {
            world.table.refused(what, &Request::get(&target), status, code);
        }
        let here = |method: &str, target: &str| {
            Request::new(method, target).header("CF-Connecting-IP", "192.0.2.1")
        };
        let outside = here("GET", &world.link("/y"));
        world.table.refused("method, then path", &outside, 403, "method-denied");
        let forged = Request::post(&world.forged(KEY, true));
        world.table.refused("MAC, then GET and HEAD", &forged, 401, "signature-invalid");
        let post = here("POST", &world.link("/x"));
        world.table.refused("only GET and HEAD", &post, 403, "method-denied");
    }
}

#[test]
fn the_log_names_the_scheme_and_never_a_value_of_the_query() {
    for kind in Kind::ALL {
        let mut world = World::new(kind, &json!({}), |setup| setup);
        let marker = fresh();
        let good = world.link(&format!("/x?a={marker}"));
        let (_, value) = good.rsplit_once('=').unwrap();
        // The first `-` ends the time of a WAF token; others are digits of the MAC.
        let mac = match kind {
            Kind::Url => value,
            Kind::Waf | Kind::EncodedWaf => value.split_once('-').unwrap().1,
        };
        assert!(mac.len() >= 43, "{mac}");
        let mac = mac.to_owned();
        let passed = world.table.passes("good", &Request::get(&good));
        let forged = Request::get(&good.replace("/x", "/y"));
        let refused = world.table.refused("forged", &forged, 401, "signature-invalid");
        let gate = &world.table.gate;
        let line = gate.logs.audit(&passed.request_id());
        assert_eq!(
            (&line["scheme"], &line["verified"], &line["key"]),
            (&json!(kind.scheme()), &json!(true), &json!(KEY))
        );
        assert!(line["query_keys"].to_string().contains("\"a\""), "{line}");
        assert_eq!(gate.logs.audit(&refused.request_id())["verified"], false);
        gate.logs.until("line", |lines| {
            for line in lines {
                for value in [&marker, &mac, &world.waf_secret] {
                    assert!(!line.text.contains(value.as_str()), "{line:?}");
                }
            }
            Some(())
        });
    }
}
