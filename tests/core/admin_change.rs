//! Changed keys (docs/wire-contract.md, sections 2 and 7): a JSON merge patch (RFC 7396), good at once; a version
//! only rises, and with it the secret changes.

use crate::native::{Check, check};
use serde_json::{Value, json};
use testkit::admin_api::{admin, ask, stored, tell, with_sk, write};
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::token::{Session, sk};

fn start() -> Check {
    check(|setup| {
        admin(setup)
            .registered(json!({"id": "pk_a", "version": 2, "schemes": ["session"], "name": "A", "paths": ["/posts"]}))
            .registered(json!({"id": "pk_least"}))
            .registered(json!({"id": "pk_gone", "version": 4, "revoked": true}))
            // The configuration's own record wins.
            .registered(json!({"id": KEY, "methods": ["PUT"]}))
    })
}

fn patch(table: &Check, id: &str, patch: &Value) -> Request {
    tell(&table.gate, "PATCH", &format!("keys/{id}"), patch)
}

/// Returns a write by `pk_a` with the secret of this version.
fn by(table: &Check, version: u64, path: &str) -> Request {
    let secret = sk(&table.gate.signing_secret, "pk_a", version);
    Request::post(path).bearer(&Session::new("", "pk_a").key(&secret).mint())
}

#[test]
fn members_replace_members_and_null_removes_one() {
    let mut table = start();
    let mut expected = json!({"id": "pk_a", "version": 2, "schemes": ["session"], "name": "A", "paths": ["/posts"]});
    for (change, member, value) in [
        (json!({"name": "B"}), "name", json!("B")),
        (json!({"methods": ["POST", "GET"]}), "methods", json!(["POST", "GET"])),
        (json!({"methods": ["POST"]}), "methods", json!(["POST"])),
        (json!({"methods": null}), "methods", Value::Null),
        (json!({"methods": null}), "methods", Value::Null),
        (
            json!({"quota": {"requests": 5, "per": "day"}}),
            "quota",
            json!({"requests": 5, "per": "day"}),
        ),
        (json!({"quota": {"bytes": 7}}), "quota", json!({"requests": 5, "bytes": 7, "per": "day"})),
        (json!({"quota": {"requests": null}}), "quota", json!({"bytes": 7, "per": "day"})),
        (json!({"quota": null}), "quota", Value::Null),
        (json!({"id": "pk_a"}), "id", json!("pk_a")),
        (json!({"version": 2}), "version", json!(2)),
        (json!({"admin": false}), "admin", json!(false)),
        (json!({}), "name", json!("B")),
    ] {
        let members = expected.as_object_mut().unwrap();
        members.remove(member);
        if !value.is_null() {
            members.insert(member.into(), value);
        }
        let what = change.to_string();
        table.answers(&what, &patch(&table, "pk_a", &change), 200, &expected);
        let kept = stored(&table.gate, "pk_a");
        table.that(kept.as_ref() == Some(&expected), || format!("{what}: stored {kept:?}"));
        let show = ask(&table.gate, "GET", "keys/pk_a");
        table.answers(&what, &show, 200, &expected);
    }
}

#[test]
fn a_change_counts_at_once() {
    let mut table = start();
    table.passes("before", &by(&table, 2, "/posts"));
    table.refused("before", &by(&table, 2, "/other"), 403, "path-denied");
    let narrower = patch(&table, "pk_a", &json!({"methods": ["GET"]}));
    table.answered("narrowed", &narrower, 200);
    table.refused("narrowed", &by(&table, 2, "/posts"), 403, "method-denied");
    let wider = patch(&table, "pk_a", &json!({"methods": null, "paths": null}));
    table.answered("widened", &wider, 200);
    table.passes("widened", &by(&table, 2, "/other"));
    let revoked = patch(&table, "pk_a", &json!({"revoked": true}));
    table.answered("revoked", &revoked, 200);
    table.refused("revoked", &by(&table, 2, "/other"), 401, "key-revoked");
    let back = patch(&table, "pk_a", &json!({"revoked": false}));
    table.answered("taken back", &back, 200);
    table.passes("taken back", &by(&table, 2, "/other"));
    let again = patch(&table, "pk_a", &json!({"revoked": true}));
    table.answered("and again", &again, 200);
    let absent = patch(&table, "pk_a", &json!({"revoked": null}));
    table.answered("taken back otherwise", &absent, 200);
    table.passes("taken back otherwise", &by(&table, 2, "/other"));
}

#[test]
fn a_version_that_rises_shows_a_new_secret_and_ends_the_old_one() {
    let mut table = start();
    table.passes("before", &by(&table, 2, "/posts"));
    let expected = json!({"id": "pk_a", "version": 5, "schemes": ["session"], "name": "A", "paths": ["/posts"]});
    let rise = patch(&table, "pk_a", &json!({"version": 5}));
    let shown = with_sk(&table.gate, &expected, 5);
    table.answers("risen", &rise, 200, &shown);
    table.refused("the old secret", &by(&table, 2, "/posts"), 401, "signature-invalid");
    table.passes("the new one", &by(&table, 5, "/posts"));
    let kept = stored(&table.gate, "pk_a");
    table.that(kept.as_ref() == Some(&expected), || format!("stored: {kept:?}"));
    // The same again is no rise, and shows no secret.
    table.answers("the same", &rise, 200, &expected);
    for lower in [json!(4), json!(1), Value::Null] {
        let lower = patch(&table, "pk_a", &json!({"version": lower, "name": "lower"}));
        table.names("lower", &lower, "version");
    }
    let show = ask(&table.gate, "GET", "keys/pk_a");
    table.answers("nothing changed", &show, 200, &expected);
    let most = patch(&table, "pk_a", &json!({"version": 4_294_967_295_u32}));
    let shown = table.answered("as high as can be", &most, 200).json();
    let secret = sk(&table.gate.signing_secret, "pk_a", 4_294_967_295);
    table.that(shown["sk"] == secret.as_str(), || shown.to_string());
}

#[test]
fn a_record_that_says_little_is_spelt_out() {
    let mut table = start();
    let least = json!({"id": "pk_least", "name": "x", "version": 1, "schemes": ["session"]});
    table.answers("a name", &patch(&table, "pk_least", &json!({"name": "x"})), 200, &least);
    table.passes("as before", &write(&table.gate, "pk_least"));
    let rise = patch(&table, "pk_least", &json!({"version": 2, "name": null}));
    let risen = json!({"id": "pk_least", "version": 2, "schemes": ["session"]});
    table.answers("risen", &rise, 200, &with_sk(&table.gate, &risen, 2));
}

#[test]
fn what_is_wrong_changes_nothing() {
    let mut table = start();
    let before = stored(&table.gate, "pk_a");
    for (change, field) in [
        (json!({"id": "pk_b"}), "id"),
        (json!({"id": null}), "id"),
        (json!({"id": "a b"}), "id"),
        (json!({"path": ["/x"]}), "path"),
        (json!({"paths": []}), "paths"),
        (json!({"paths": ["x"]}), "paths"),
        (json!({"paths": {"0": "/x"}}), "paths"),
        (json!({"version": 0}), "version"),
        (json!({"version": "3"}), "version"),
        (json!({"revoked": "yes"}), "revoked"),
        (json!({"admin": true}), "admin"),
        (json!({"schemes": ["public-key"]}), "schemes"),
        (json!({"quota": {"per": "year"}}), "quota"),
        (json!({"sk": "sk_x"}), "sk"),
        (json!({"name": "fine", "expires": "tomorrow"}), "expires"),
    ] {
        let what = change.to_string();
        let request = patch(&table, "pk_a", &change);
        let answer = match field {
            // Either member of it is at fault.
            "quota" => table.refused(&what, &request, 400, "bad-request"),
            _ => table.names(&what, &request, field),
        };
        let is_named = answer.json()["id"] == "pk_a" || field == "id";
        table.that(is_named, || format!("{what}: {answer}"));
        let after = stored(&table.gate, "pk_a");
        table.that(after == before, || format!("{what}: stored {after:?}"));
    }
    table.absent("no other key", "pk_b");
    let long = patch(&table, "pk_a", &json!({"name": "x".repeat(17_000)}));
    table.refused("too long", &long, 400, "bad-request");
    table.passes("works as before", &by(&table, 2, "/posts"));
}

#[test]
fn each_change_that_is_impossible_has_a_refusal_of_its_own() {
    let mut table = start();
    let rename = json!({"name": "x"});
    table.refused("unknown", &patch(&table, "pk_nobody", &rename), 404, "no-route");
    table.taken("a tombstone", &patch(&table, "pk_gone", &rename), "key-exists", ("pk_gone", ""));
    let back = patch(&table, "pk_gone", &json!({"revoked": false, "schemes": ["session"]}));
    table.taken("a tombstone, taken back", &back, "key-exists", ("pk_gone", ""));
    table.refused("it stays", &write(&table.gate, "pk_gone"), 401, "key-revoked");
    table.taken(
        "of the configuration",
        &patch(&table, KEY, &rename),
        "key-in-configuration",
        (KEY, ""),
    );
    table.answered("another", &patch(&table, "pk_a", &rename), 200);
}

#[test]
fn an_old_id_that_begins_like_a_secret_works_and_can_only_be_deleted() {
    let mut table = check(|setup| admin(setup).registered(json!({"id": "sk_old"})));
    table.passes("as before", &write(&table.gate, "sk_old"));
    table.names("changed", &patch(&table, "sk_old", &json!({"name": "x"})), "id");
    table.answered("deleted", &ask(&table.gate, "DELETE", "keys/sk_old"), 200);
    table.refused("for good", &write(&table.gate, "sk_old"), 401, "key-revoked");
}

#[test]
fn a_broken_record_can_be_repaired() {
    let mut table = check(|setup| {
        admin(setup)
            .in_registry("key/pk_broken", r#"{"id":"pk_broken","version":3,"path":["/posts"]}"#)
            .in_registry("key/pk_other", r#"{"id":"pk_another","version":2}"#)
            .in_registry("key/pk_sly", r#"{"id":"pk_sly","admin":true}"#)
            .in_registry("key/pk_text", "nonsense")
    });
    for id in ["pk_broken", "pk_other", "pk_sly", "pk_text"] {
        table.refused(id, &write(&table.gate, id), 503, "misconfigured");
    }
    let half = patch(&table, "pk_broken", &json!({"name": "x"}));
    table.names("still broken", &half, "path");
    let hinted = patch(&table, "pk_broken", &json!({"path": null, "paths": ["/posts"]}));
    let record =
        json!({"id": "pk_broken", "version": 3, "schemes": ["session"], "paths": ["/posts"]});
    let answer = table.answered("hinted", &hinted, 200).json();
    table.that(answer["paths"] == record["paths"] && answer["version"] == 3, || answer.to_string());
    let kept = stored(&table.gate, "pk_broken");
    table.that(kept == Some(record), || format!("stored: {kept:?}"));
    let secret = sk(&table.gate.signing_secret, "pk_broken", 3);
    let works = Session::new("", "pk_broken").key(&secret).mint();
    table.passes("works at once", &Request::post("/posts").bearer(&works));
    table.answered("its id", &patch(&table, "pk_other", &json!({"id": "pk_other"})), 200);
    let secret = sk(&table.gate.signing_secret, "pk_other", 2);
    let works = Session::new("", "pk_other").key(&secret).mint();
    table.passes("works at once", &Request::post("/posts").bearer(&works));
    table.answered("no admin", &patch(&table, "pk_sly", &json!({"admin": null})), 200);
    table.passes("works at once", &write(&table.gate, "pk_sly"));
    // To RFC 7396, what is no object is an empty one.
    table.answered("no text", &patch(&table, "pk_text", &json!({"id": "pk_text"})), 200);
    table.passes("works at once", &write(&table.gate, "pk_text"));
}
