//! Arguments in the forms that people try: positions, lists and durations.

use serde_json::{Value, json};

use super::{KEYS, URL, claims};
use crate::checkout::{Checkout, Done, random_secret, writegate};

#[test]
fn a_value_in_the_wrong_form_names_the_right_one() {
    let id = "pk_site";
    let gate = "--gate=http://127.0.0.1:1";
    for (arguments, word) in [
        (["session", "mint", id].as_slice(), "did you mean --key <ID>?"),
        (&["url", "sign", URL, id], "did you mean --key <ID>?"),
        (&["request", "sign", "GET", URL, id], "did you mean --key <ID>?"),
        (&["key", "new", id], "did you mean --id <ID>"),
        (&["usage", gate, id], "--key <ID>"),
        (&["console", gate, id], "did you mean --as <ID>?"),
        (&["purge", gate, "https://gate.example/x"], "did you mean --url <URL>?"),
        (&["purge", gate, "/posts"], "did you mean --route <PATH>?"),
        (&["token", "age", "https://gate.example"], "did you mean --gate <URL>?"),
        (&["route", "add", "/cms/*"], "--path <PATH>"),
        (&["session", "mint", "--key", id, "GET"], "did you mean --method <METHOD>?"),
        (&["session", "mint", "--key", id, "/posts"], "did you mean --path <PATH>?"),
        (&["key", "show", "--key", id], "--key is no option here; <ID> without an option is"),
        (&["key", "show", "--id", id], "<ID> without an option is"),
        (&["key", "update", "--key", id], "<ID> without an option is"),
        (&["key", "disable", "--key", id], "<ID> without an option is"),
        (&["key", "revoke", gate, "--id", id], "<ID> without an option is"),
        (&["session", "mint", "--id", id], "--id is no option here; --key <ID> is"),
        (&["key", "new", "--key", id], "--id <ID>"),
        (&["url", "sign", "--key", id, "--url", URL], "--url is no option here; <URL> without"),
        (&["request", "sign", "--key", id, "--method", "GET"], "<METHOD> without an option is"),
        (&["session", "mint", "--methd", "GET"], "--methd is no option here; --method is"),
    ] {
        let done = Done::of(&mut writegate(arguments));
        done.failed(2, &[word]);
        assert!(!done.err.contains(id), "{}", done.err);
    }
}

#[test]
fn lists_may_have_commas_and_paths_may_not() {
    let checkout = Checkout::new(KEYS);
    checkout.secret(&random_secret());
    let new = |arguments: &[&str]| {
        let out = checkout.run(&[&["key", "new", "--json"], arguments].concat()).succeeded();
        serde_json::from_str::<Value>(&out).unwrap()
    };
    for list in ["--method=GET,POST", "--method=GET, POST", "--methods=GET,POST"] {
        assert_eq!(new(&[list])["methods"], json!(["GET", "POST"]), "{list}");
    }
    let two = json!(["https://a.example", "https://b.example"]);
    assert_eq!(new(&["--origin", "https://a.example, https://b.example"])["allowed_origins"], two);
    let networks = new(&["--ip", "10.0.0.0/8, 192.0.2.1"])["allowed_ips"].clone();
    assert_eq!(networks, json!(["10.0.0.0/8", "192.0.2.1"]));
    assert_eq!(new(&["--schemes=session, url"])["schemes"], json!(["session", "url"]));
    let mint = ["session", "mint", "--key", "pk_site", "--method", "GET, POST"];
    assert_eq!(claims(&checkout.run(&mint).succeeded())["methods"], json!(["GET", "POST"]));
    let only = checkout.run(&["check", "--json", "--only", "preview-urls,schedule"]);
    assert_eq!(only.out.lines().count(), 2, "{}", only.out);
    checkout.run(&["key", "update", "pk_site", "--write"]).failed(2, &["--write is no option"]);
    checkout.run(&["key", "update", "pk_site", "--method=GET,PUT", "--ip=192.0.2.1"]).succeeded();
    checkout.run(&["key", "update", "pk_site", "--clear=methods,allowed_ips"]).succeeded();
    assert!(!checkout.text("wrangler.toml").contains("methods"));

    // Without a / behind it, a comma is part of a path.
    assert_eq!(new(&["--path=/a,b"])["paths"], json!(["/a,b"]));
    let init = ["init", "--local", "--upstream=https://c.example", "--method=GET", "--force"];
    let several = ["--path", "/a,/b"];
    for arguments in [
        [&["key", "new"], several.as_slice()].concat(),
        [&["key", "update", "pk_site"], several.as_slice()].concat(),
        [&["session", "mint", "--key", "pk_site"], several.as_slice()].concat(),
        [&init, several.as_slice()].concat(),
    ] {
        checkout.run(&arguments).failed(2, &["--path", "each path has a --path of its own"]);
    }
}

#[test]
fn durations_may_have_units() {
    let checkout = Checkout::new(KEYS);
    checkout.secret(&random_secret());
    for (ttl, seconds) in [("5m", 300), ("1h", 3_600), ("90", 90), ("30s", 30), ("30m15s", 1_815)] {
        let mint = ["session", "mint", "--key", "pk_site", "--ttl", ttl];
        let claims = claims(&checkout.run(&mint).succeeded());
        let lasts = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
        assert_eq!(lasts, seconds, "{ttl}");
    }
    for wrong in ["5 m", "5x", "-5", "-5m", "0", "0m", "2h", "999999h", "5M", "1h30m"] {
        let mint = ["session", "mint", "--key", "pk_site", &format!("--ttl={wrong}")];
        assert_eq!(checkout.run(&mint).code, Some(2), "{wrong}");
    }
    let mint = ["key", "new", "--json", "--mint=ttl=5m,bind=true", "--method=POST", "--path=/x"];
    let mint = [&mint[..], &["--origin=https://a.example"]].concat();
    let record = Done::of(checkout.command(&mint).stderr(std::process::Stdio::null())).out;
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["mint"], json!({"ttl": 300, "bind": true}));
    for below in ["-5", "-1.5"] {
        let mint = ["session", "mint", "--key", "pk_site", "--ttl", below];
        checkout.run(&mint).failed(2, &["a number below 0"]);
    }
}
