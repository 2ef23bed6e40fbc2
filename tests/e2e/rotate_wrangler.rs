//! A rotation with wrangler itself, which asks the double what it would ask Cloudflare.

use crate::rotate_stage::{Kind, Stage};

#[test]
fn wrangler_puts_the_token_plainly_and_through_versions() {
    let stage = Stage::of(Kind {
        wrangler: true,
        ..Kind::default()
    });
    let done = stage.first();
    done.is(0, &["done"]);
    assert_eq!(
        done.called("PUT /client/v4/accounts/"),
        1,
        "{:#?}",
        done.calls
    );
    stage.assert_rotated();

    {
        let mut worker = stage.cloud.world.worker.lock().unwrap();
        let (_, secret) = worker.deployed();
        worker.upload(&secret, "not yet");
    }
    let done = stage.rotate(&["--now", "--lease", "0"]);
    done.is(0, &["done"]);
    assert!(done.err.contains("\"not yet\""), "{}", done.err);
    assert_eq!(
        done.called("PUT /client/v4/accounts/"),
        0,
        "{:#?}",
        done.calls
    );
    stage.assert_rotated();
    let worker = stage.cloud.world.worker.lock().unwrap();
    assert_eq!(worker.newest(), worker.deployed());
}
