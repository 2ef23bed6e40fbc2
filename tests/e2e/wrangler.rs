//! `wrangler.toml` under real wrangler: what a newcomer runs, as it is shipped, and what a deployment of this repository's own would upload.

use std::fs;
use std::path::Path;

use serde_json::json;
use testkit::client::Request;
use testkit::minting::{ask_of, page_key, write_with, yes};
use testkit::process::{root, scratch};
use testkit::program::{Program, run};
use testkit::signing::Signature;
use testkit::token::{Session, fresh};
use testkit::upstream::{PATIENCE, Reply, Upstream};
use testkit::wrangler::{SHIPPED, beside, dev_with, dry_run, with_lines, wrangler};

/// The key that the committed configuration brings, as an array of tables, and a path that it may write to.
const EXAMPLE_KEY: &str = "pk_example";
const EXAMPLE_PATH: &str = "/posts";

/// `wrangler dev` with the shipped configuration, these secrets and these variables, and its port.
fn dev(folder: &Path, secrets: &str, vars: &[String]) -> (Program, u16) {
    dev_with(folder, &with_lines(&[]), secrets, vars)
}

#[test]
fn the_shipped_configuration_works_under_wrangler_dev() {
    let folder = scratch("wrangler");
    let upstream = Upstream::start();
    let (root_secret, token) = (fresh(), fresh());
    let secrets = format!("SIGNING_SECRET={root_secret}\nWRITE_TOKEN={token}\n");
    let vars = [format!("UPSTREAM:{}", upstream.url())];
    let (mut server, port) = dev(&folder, &secrets, &vars);

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
fn the_shipped_binding_remembers_nonces_under_wrangler_dev() {
    let folder = scratch("wrangler-replay");
    let upstream = Upstream::start();
    let root_secret = fresh();
    let secrets = format!("SIGNING_SECRET={root_secret}\nWRITE_TOKEN={}\n", fresh());
    let key = json!([{"id": EXAMPLE_KEY, "schemes": ["signature"], "nonce": "required"}]);
    let vars = [format!("UPSTREAM:{}", upstream.url()), format!("KEYS:{key}")];
    let (_server, port) = dev(&folder, &secrets, &vars);
    let signature = Signature::new(&root_secret, EXAMPLE_KEY).nonce(&fresh());
    let request = signature.sign(Request::get(EXAMPLE_PATH));
    request.send_to(port).passed();
    request.send_to(port).refused(401, "replayed");
    upstream.only();
}

#[test]
fn a_real_limiter_limits_under_wrangler_dev() {
    let folder = scratch("wrangler-rates");
    let upstream = Upstream::start();
    let root_secret = fresh();
    let config =
        with_lines(&["[[ratelimits]]", "name = \"RATE_STANDARD\"", "namespace_id", "simple = "]);
    let limited = fs::read_to_string(&config)
        .unwrap()
        .replace("simple = { limit = 100", "simple = { limit = 2");
    fs::write(&config, limited).unwrap();
    let secrets = format!("SIGNING_SECRET={root_secret}\nWRITE_TOKEN={}\n", fresh());
    let key = json!([{"id": EXAMPLE_KEY, "rate": "standard"}]);
    let vars = [format!("UPSTREAM:{}", upstream.url()), format!("KEYS:{key}")];
    let (_server, port) = dev_with(&folder, &config, &secrets, &vars);
    let post = Request::post(EXAMPLE_PATH).bearer(&Session::new(&root_secret, EXAMPLE_KEY).mint());
    // A period may end in between, which allows two more; it cannot end twice.
    let codes: Vec<String> = (0..6).map(|_| post.send_to(port).code()).collect();
    assert_eq!(codes[0], "", "the first passes");
    assert!(codes.iter().any(|code| code == "rate-limited"), "{codes:?}");
    fs::remove_file(config).unwrap();
}

#[test]
fn a_real_limiter_limits_what_is_minted_under_wrangler_dev() {
    let folder = scratch("wrangler-mint");
    let verify = Upstream::answering(|_, _| Reply::ok(&yes("www.example.com").to_string()));
    let upstream = Upstream::start();
    let limiter = "[[ratelimits]]\nname = \"RATE_MINT\"\nnamespace_id = \"1002\"\nsimple = { limit = 2, period = 60 }\n";
    let config = beside(&format!("{SHIPPED}\n{limiter}"));
    let secrets = ["SIGNING_SECRET", "WRITE_TOKEN", "TURNSTILE_SECRET"]
        .map(|name| format!("{name}={}\n", fresh()));
    let keys = json!([page_key(EXAMPLE_KEY, json!({}))]);
    let vars = [
        format!("UPSTREAM:{}", upstream.url()),
        format!("KEYS:{keys}"),
        format!("TURNSTILE_VERIFY_URL:{}/", verify.url()),
    ];
    let (_server, port) = dev_with(&folder, &config, &secrets.concat(), &vars);
    let first = ask_of(EXAMPLE_KEY).send_to(port);
    assert_eq!(first.status, 201, "{first}");
    assert_eq!(write_with(&first).send_to(port).status, 200);
    // A period may end in between, which allows two more; it cannot end twice.
    let codes: Vec<String> = (0..6).map(|_| ask_of(EXAMPLE_KEY).send_to(port).code()).collect();
    assert!(codes.iter().any(|code| code == "rate-limited"), "{codes:?}");
    let minted = 1 + codes.iter().filter(|code| code.is_empty()).count();
    assert_eq!(verify.seen().len(), minted, "siteverify is asked within the rate alone");
    fs::remove_file(config).unwrap();
}

#[test]
fn keys_of_a_real_kv_namespace_are_found_under_wrangler_dev() {
    let folder = scratch("wrangler-registry");
    let upstream = Upstream::start();
    let root_secret = fresh();
    let config = with_lines(&["[[kv_namespaces]]", "binding = \"KEY_REGISTRY\"", "id = "]);
    let name = "key/customer.17";
    let record = json!({"id": "customer.17", "methods": ["POST"]}).to_string();
    run(
        wrangler(&folder)
            .args([
                "kv",
                "key",
                "put",
                name,
                &record,
                "--binding",
                "KEY_REGISTRY",
                "--local",
                "--config",
            ])
            .arg(&config)
            .arg("--persist-to")
            .arg(folder.join("state")),
        "",
    );
    let secrets = format!("SIGNING_SECRET={root_secret}\nWRITE_TOKEN={}\n", fresh());
    let vars = [format!("UPSTREAM:{}", upstream.url())];
    let (_server, port) = dev_with(&folder, &config, &secrets, &vars);
    let by = |id: &str| Request::post("/posts").bearer(&Session::new(&root_secret, id).mint());
    by("customer.17").send_to(port).passed();
    by("customer.18").send_to(port).refused(401, "key-unknown");
    by(EXAMPLE_KEY).send_to(port).passed();
    fs::remove_file(config).unwrap();
}

#[test]
fn the_committed_configuration_can_be_deployed() {
    let folder = scratch("wrangler-dry-run");
    let said = dry_run(&root().join("wrangler.toml"), &folder);
    assert!(said.contains("env.KEYS"), "{said}");
    assert!(said.contains("env.REPLAY (ReplayGuard"), "{said}");
}
