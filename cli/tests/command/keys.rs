//! `key new`, `update`, `disable`, `enable` and `list` in the configuration. What they do at a gate is shown by
//! `cli/tests/e2e/admin_command.rs`.

use serde_json::{Value, json};
use writegate::Key;

use crate::checkout::Checkout;

const CONFIGURATION: &str = "# Mine\nname = \"gate\"\n\n[[ratelimits]]\nname = \"RATE_STANDARD\"\n\n\
    [[ratelimits]]\nname = \"RATE_MINT\"\n\n[[durable_objects.bindings]]\nname = \"REPLAY\"\n\n\
    [[durable_objects.bindings]]\nname = \"LEDGER\"\n\n[vars]\nUPSTREAM = \"https://a.example\" # the API\n\n\
    [[vars.KEYS]]\nid = \"pk_a\" # the first\nmethods = [\"POST\"]\n\n[triggers]\ncrons = []\n";

fn listed(checkout: &Checkout) -> Vec<Value> {
    checkout.run("key list").lines()
}

/// Every field of a record, and an argument for it.
const ALL: &str = "--name 'A \"quoted\" name' --version 2 --expires 2999-06-30 --scheme session,signature --method POST \
    --path '/posts/*' --origin https://www.example.com --ip 203.0.113.0/24 --match any --rate standard \
    --quota requests=1000,bytes=5000000,per=month --nonce required --url-ttl 600 --mint ttl=60,bind=true";

fn whole(id: &str) -> Value {
    json!({
        "id": id, "name": "A \"quoted\" name", "version": 2, "expires": "2999-06-30",
        "schemes": ["session", "signature"], "methods": ["POST"], "paths": ["/posts/*"],
        "allowed_origins": ["https://www.example.com"], "allowed_ips": ["203.0.113.0/24"], "match": "any",
        "rate": "standard", "quota": {"requests": 1000, "bytes": 5_000_000, "per": "month"},
        "nonce": "required", "url_ttl": 600, "mint": {"ttl": 60, "bind": true},
    })
}

#[test]
fn a_new_key_has_every_field_of_a_record() {
    let checkout = Checkout::new(CONFIGURATION);
    let new = format!("key new --id pk_b {ALL}");
    let printed: Value = toml::from_str(&checkout.prints(&new)).unwrap();
    assert_eq!(printed["vars"]["KEYS"], json!([whole("pk_b")]));
    assert!(Key::parse("KEYS[0]", whole("pk_b")).is_ok());
    assert_eq!(checkout.text("wrangler.toml"), CONFIGURATION);

    let written = checkout.prints(&format!("{new} --write"));
    assert_eq!(written, "pk_b");
    assert_eq!(listed(&checkout), [json!({"id": "pk_a", "methods": ["POST"]}), whole("pk_b")]);
    let rest = checkout.text("wrangler.toml");
    assert!(rest.starts_with(CONFIGURATION.split("\n[triggers]").next().unwrap()), "{rest}");
    assert!(rest.ends_with("\n[triggers]\ncrons = []\n"), "{rest}");
    checkout.refuses(2, &format!("{new} --write → --id … key update"));

    let made = checkout.prints("key new --write --method GET");
    assert!(made.starts_with("pk_") && made.len() == 25, "{made}");
    assert_eq!(listed(&checkout)[2], json!({"id": made, "methods": ["GET"]}));
    let printed = checkout.prints("key new --admin");
    assert!(printed.contains("admin = true") && !printed.contains(&made), "{printed}");
    assert!(!checkout.prints("key new").contains("admin"));
}

#[test]
fn what_the_gate_would_refuse_is_not_written() {
    let checkout = Checkout::new(CONFIGURATION);
    for row in "
        key new --path posts                       → paths
        key new --origin https://a/                → allowed_origins
        key new --write --quota requests           → --quota … FIELD=VALUE
        key new --write --quota requests=x,per=day → quota.requests
        key new --write --mint ttl=60              → mint … allowed_origins
        key new --write --admin --scheme url       → --scheme (schemes): an admin key
        key new --write --rate gold                → rate: there is no binding RATE_GOLD … nothing
        key new --write --expires 2020-01-01       → --expires … has passed
        key new --write --expires tomorrow         → --expires: expected … RFC 3339
        key new --write --quota requests=1,requests=2,per=day → --quota … twice
        key new --write --quota requests=1,per=year → --quota (quota.per): expected … \"day\"
        key new --write --url-ttl x                → --url-ttl … expected a number of seconds
        key new --write --version x                → --version … expected a whole number
        key new --write --methods GET,FETCH        → --method (methods): expected some of
        key new --write --allowed-ips 1.2.3.4/33   → --ip (allowed_ips): expected
        key new --id pk_a                          → --id: there is such a key already
        key new --admin --gate https://gate.example.com → --gate
        key update pk_a --method post              → --method (methods): expected
        key update pk_a --clear id                 → keeps its id
        key update pk_a --clear path               → --clear … expected one of name, version
        key update pk_a --clear methods --method GET → --clear: methods is given, too
        key update pk_a --version 0                → --version … from 1
        key update pk_a --rate gold                → rate: there is no binding RATE_GOLD … 503
        key update pk_a                            → nothing to change … --clear
        key update pk_a --env nope --method GET    → --env … no [env.…]
        key update pk_none --method GET            → no such key … --gate
        key disable pk_none                        → no such key … --gate
        "
    .lines()
    {
        checkout.refuses(2, row);
        assert_eq!(checkout.text("wrangler.toml"), CONFIGURATION, "{row}");
    }
}

#[test]
fn a_key_is_changed_disabled_and_enabled_in_its_place() {
    let checkout = Checkout::new(CONFIGURATION);
    checkout.run("key disable pk_a").succeeded();
    let key = Key::parse("KEYS[0]", listed(&checkout).remove(0)).unwrap();
    assert!(key.revoked);
    checkout.run("key enable pk_a").succeeded();
    assert_eq!(checkout.text("wrangler.toml"), CONFIGURATION);

    checkout.run("key update pk_a --path /x --clear methods").succeeded();
    assert_eq!(listed(&checkout), [json!({"id": "pk_a", "paths": ["/x"]})]);
    let text = checkout.text("wrangler.toml");
    assert!(text.contains("id = \"pk_a\" # the first\n"), "{text}");
    // A lower version would make the former secret good again.
    checkout.run("key update pk_a --version 3").succeeded();
    let before = checkout.text("wrangler.toml");
    checkout.refuses(
        2,
        "
        key update pk_a --version 2     → --version … version 3
        key update pk_a --clear version → --version … version 3
        ",
    );
    let again = checkout.run("key update pk_a --version 3");
    assert!(
        again.code == Some(0) && again.err.contains("has these values already"),
        "{}",
        again.err
    );
    assert_eq!(checkout.text("wrangler.toml"), before);
}

#[test]
fn keys_that_are_no_list_are_not_listed_as_none() {
    for keys in ["KEYS = {}", "KEYS = [1]", "KEYS = \"[{\""] {
        let checkout = Checkout::new(&format!("[vars]\n{keys}\n"));
        checkout.refuses(1, "key list → KEYS is not a list of keys");
    }
}

#[test]
fn an_environment_s_keys_are_its_own() {
    let checkout = Checkout::new(&format!(
        "{CONFIGURATION}\n[env.staging.vars]\nUPSTREAM = \"https://b.example\"\n"
    ));
    checkout.run("key new --write --env staging --id pk_s").succeeded();
    assert_eq!(listed(&checkout).len(), 1);
    assert_eq!(checkout.prints("key list --env staging"), "{\"id\":\"pk_s\"}");
}

/// The gate takes the route that `route add` writes: the configuration's check says so.
#[test]
fn a_route_of_its_own_token_is_added() {
    let routes = "[vars]\n[[vars.KEYS]]\nid = \"pk_a\"\n\n[[vars.ROUTES]]\npath = \"/a/*\"\nupstream = \"https://a.example.org\"\n\n[triggers]\ncrons = []\n";
    let checkout = Checkout::new(routes);
    let add = "route add --path '/cms/*' --upstream https://api.example.org/v1 --secret CMS_TOKEN";
    let whole = format!("{add} --auth header:X-AUTH-TOKEN --probe /me");
    let expected = json!({
        "path": "/cms/*", "upstream": "https://api.example.org/v1", "probe": "/me",
        "upstream_auth": {"scheme": "header", "name": "X-AUTH-TOKEN", "secret": "CMS_TOKEN"},
    });
    let printed: Value = toml::from_str(&checkout.prints(&format!("{whole} --print"))).unwrap();
    assert_eq!(printed["vars"]["ROUTES"], json!([expected]));
    assert_eq!(checkout.text("wrangler.toml"), routes);
    checkout.run(&whole).succeeded();
    assert_eq!(checkout.configuration()["vars"]["ROUTES"][1], expected);
    let row = checkout.run("check --json --only configuration");
    assert!(row.out.contains("2 route(s)"), "{}{}", row.out, row.err);

    let before = checkout.text("wrangler.toml");
    checkout.refuses(
        2,
        &format!(
            "
            {add} → --path … already
            {add} --auth jwt → --auth … header:NAME
            route add --path /cms --upstream https://a.example --secret C → --path … /cms/*
            route add --path '/cms/*' --upstream http://a.example --secret C → --upstream … https
            route add --path '/cms/*' --upstream https://a.example --secret cms → --secret … CMS_TOKEN
            "
        ),
    );
    assert_eq!(checkout.text("wrangler.toml"), before);
    Checkout::new(CONFIGURATION).refuses(2, &format!("{add} → UPSTREAM … [[vars.ROUTES]]"));
}

#[test]
fn a_file_of_windows_keeps_its_mark_and_its_line_ends() {
    let text = "\u{feff}name = \"gate\"\r\n# mine\r\n[vars]\r\nA = \"\"\"\r\nb\"\"\"\r\n[[vars.KEYS]]\r\nid = \"pk_a\" # c\r\n";
    for line in [
        "key new --id pk_b --write",
        "key update pk_a --name x",
        "key disable pk_a",
        "migrate --write",
        "route add '--path=/c/*' --upstream=https://c.example --secret=C",
    ] {
        let checkout = Checkout::new(text);
        checkout.run(line).succeeded();
        let new = checkout.text("wrangler.toml");
        let kept = text.trim_end();
        assert!(new.starts_with(kept) && new.len() > text.len(), "{line}: {new:?}");
        assert_eq!(new.matches('\n').count(), new.matches("\r\n").count(), "{new:?}");
    }
}
