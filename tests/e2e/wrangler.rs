//! `wrangler.toml` under real wrangler: what a newcomer runs, as it is shipped, and what a deployment of this repository's own would upload.

use testkit::client::Request;
use testkit::process::{root, scratch};
use testkit::token::{Session, fresh};
use testkit::upstream::{PATIENCE, Upstream};
use testkit::wrangler::{dev_with, dry_run, with_lines};

/// The key that the committed configuration brings, as an array of tables, and a path that it may write to.
const EXAMPLE_KEY: &str = "pk_example";
const EXAMPLE_PATH: &str = "/posts";

#[test]
fn the_shipped_configuration_works_under_wrangler_dev() {
    let folder = scratch("wrangler");
    let upstream = Upstream::start();
    let (root_secret, token) = (fresh(), fresh());
    let secrets = format!("SIGNING_SECRET={root_secret}\nWRITE_TOKEN={token}\n");
    let vars = [format!("UPSTREAM:{}", upstream.url())];
    let (mut server, port) = dev_with(&folder, &with_lines(&[]), &secrets, &vars);

    let health = Request::get("/_gate/health").send_to(port).passed();
    assert_eq!(health.json()["status"], "ok");

    let session = Session::new(&root_secret, EXAMPLE_KEY).mint();
    Request::post(EXAMPLE_PATH).bearer(&session).send_to(port).passed();
    let seen = upstream.only();
    assert_eq!(
        (seen.target.as_str(), seen.header("authorization")),
        (EXAMPLE_PATH, Some(format!("Bearer {token}")))
    );
    Request::new("DELETE", EXAMPLE_PATH)
        .bearer(&session)
        .send_to(port)
        .refused(403, "method-denied");
    Request::new("DELETE", EXAMPLE_PATH).send_to(port).refused(401, "credential-missing");

    let page = Request::get("/_gate/problems").send_to(port).passed();
    assert!(
        page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")),
        "{page}"
    );
    for code in ["credential-missing", "bad-path", "upstream-rejected-token", "misconfigured"] {
        assert!(page.text().contains(&format!("id=\"{code}\"")), "{code} has no place on the page");
    }
    Request::get("/_gate/nothing").send_to(port).refused(404, "no-route");
    Request::get("/index.html").send_to(port).refused(401, "credential-missing");

    Request::get("/__scheduled").send_to(port).passed();
    let line = server.until("\"event\":\"rotation\"", PATIENCE);
    assert!(line.contains("WRITE_TOKEN") && !line.contains(&token), "{line}");
    assert_eq!(upstream.seen().len(), 1, "nothing else reached the upstream");
}

#[test]
fn the_committed_configuration_can_be_deployed() {
    let folder = scratch("wrangler-dry-run");
    let said = dry_run(&root().join("wrangler.toml"), &folder);
    assert!(said.contains("env.KEYS"), "{said}");
    assert!(said.contains("env.REPLAY (ReplayGuard"), "{said}");
}
