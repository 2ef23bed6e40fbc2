//! A rotation with wrangler itself, which asks the double what it would ask Cloudflare.

use crate::rotate_stage::{Kind, Stage};

#[test]
fn wrangler_puts_the_token_plainly_and_through_versions() {
    let stage = Stage::of(Kind { wrangler: true, ..Kind::default() });
    let done = stage.first();
    done.is(0, &["done"]);
    assert_eq!(done.called("PUT /client/v4/accounts/"), 1, "{:#?}", done.calls);
    stage.assert_rotated();

    stage.leaves_waiting();
    let done = stage.rotate(&["--now", "--lease", "0"]);
    done.is(0, &["done"]);
    assert!(done.err.contains("\"not yet\""), "{}", done.err);
    assert_eq!(done.called("PUT /client/v4/accounts/"), 0, "{:#?}", done.calls);
    stage.assert_rotated();
    let worker = stage.worker();
    assert_eq!(worker.newest(), worker.deployed());
}

#[test]
fn wrangler_changes_the_token_in_a_secrets_store() {
    let stage = Stage::of(Kind { wrangler: true, stored: true, ..Kind::default() });
    // The gate believes what it has read for 30 s.
    let done = stage.rotate(&["--old", &stage.old.0, "--patience", "120", "--interval", "200"]);
    done.is(0, &["done"]);
    assert_eq!(done.called("PATCH /client/v4/accounts/"), 1, "{:#?}", done.calls);
    assert_eq!(done.called("GET /client/v4/accounts/"), 1, "{:#?}", done.calls);
    stage.assert_rotated();
}
