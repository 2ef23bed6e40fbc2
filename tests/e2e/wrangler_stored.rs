//! The API's token in wrangler's own Secrets Store, where it is changed while the gate runs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use testkit::client::Request;
use testkit::poll::poll;
use testkit::process::scratch;
use testkit::program::run;
use testkit::token::{Session, fresh};
use testkit::upstream::Upstream;
use testkit::wrangler::{dev_with, with_lines, wrangler};

/// As in the committed configuration.
const STORE: &str = "0123456789abcdef0123456789abcdef";
const NAME: &str = "writegate_token";
/// The bound of 30 s, and time to notice.
const BOUND: Duration = Duration::from_secs(60);

/// A wrangler command about the store's secret, which takes its value from standard input.
fn tell(folder: &Path, arguments: &[&str], value: &str) -> String {
    let mut command = wrangler(folder);
    command.args(["secrets-store", "secret"]).args(arguments);
    command.arg("--persist-to").arg(folder.join("state"));
    run(&mut command, value)
}

#[test]
fn a_token_of_a_real_secrets_store_is_used_and_replaced() {
    let folder = scratch("wrangler-stored");
    let _fresh_state = fs::remove_dir_all(folder.join("state"));
    let upstream = Upstream::start();
    let (root_secret, first, second) = (fresh(), fresh(), fresh());
    let made = tell(&folder, &["create", STORE, "--name", NAME, "--scopes", "workers"], &first);
    let (_, rest) = made.split_once("(ID: ").expect("an id");
    let id = rest.split_once(')').unwrap().0.to_owned();

    let config = with_lines(&[
        "[[secrets_store_secrets]]",
        "binding = \"WRITE_TOKEN\"",
        "store_id = ",
        "secret_name = ",
    ]);
    let secrets = format!("SIGNING_SECRET={root_secret}\n");
    let vars = [format!("UPSTREAM:{}", upstream.url())];
    let (_server, port) = dev_with(&folder, &config, &secrets, &vars);
    let sent = || {
        let session = Session::new(&root_secret, "pk_example").mint();
        Request::post("/posts").bearer(&session).send_to(port).passed();
        upstream.last().header("authorization").unwrap_or_default()
    };
    assert_eq!(sent(), format!("Bearer {first}"));
    tell(&folder, &["update", STORE, "--secret-id", &id], &second);
    poll(BOUND, || match sent() {
        with if with == format!("Bearer {second}") => Ok(()),
        _ => Err("the first token is used on".to_owned()),
    });
}
