//! `token put`, with a stub in wrangler's place that keeps what it is given. A gate in use is needed for `token age` and
//! `token rotate`: see `tests/e2e/rotate_*.rs`.

use serde_json::{Value, json};
use testkit::token::{date, now};

use crate::checkout::{Checkout, Done, random_secret};
use crate::init::machine::Machine;

const VERSION: &str = "18f97339-c287-4872-9bdd-e2135c07ec12";
const OTHER: &str = "bcf48806-b317-4351-9ee7-36e7d557d4de";

const ONE: &str = "[vars]\nUPSTREAM = \"https://api.example.com\"\n";
const TWO: &str = "[[vars.ROUTES]]\npath = \"/a/*\"\nupstream = \"https://a.example.com\"\n\
    [[vars.ROUTES]]\npath = \"/b/*\"\nupstream = \"https://b.example.com\"\n\
    upstream_auth = { scheme = \"basic\", secret = \"B_TOKEN\" }\n\
    [env.staging.vars]\nUPSTREAM = \"https://staging.example.com\"\n";

/// Returns a gate's folder, whose wrangler says that this version is deployed.
fn desk(wrangler: &str, deployed: &str) -> Machine {
    let machine = Machine::of(Checkout::new(wrangler));
    let version = |id: &str, time: &str| json!({"id": id, "metadata": {"created_on": time}, "annotations": {"workers/message": "hello"}});
    let versions =
        [version(OTHER, "2026-11-01T00:00:00.1Z"), version(VERSION, "2026-11-02T00:00:00.1Z")];
    let made = format!("✨ Success! Created version {OTHER} with secret WRITE_TOKEN.");
    for (call, out) in [
        ("deployments status", json!({"versions": [{"version_id": deployed, "percentage": 100}]})),
        ("versions list", json!(versions)),
        ("versions secret put", json!(made)),
    ] {
        machine.answers(call, json!({"out": out}));
    }
    machine
}

fn put(machine: &Machine, line: &str, input: &str) -> Done {
    machine.fed(&format!("token put {line}"), input)
}

/// Returns the calls of wrangler that ask nothing: their arguments, the environment that they are about, and what they
/// were given.
fn changes(machine: &Machine) -> Vec<(Value, String, String)> {
    let calls = machine.calls_about().into_iter();
    let calls = calls.filter(|(call, _)| !call["args"].to_string().contains("\"--json\""));
    calls
        .map(|(mut call, about)| {
            let input = call["input"].as_str().unwrap().to_owned();
            (call["args"].take(), about, input)
        })
        .collect()
}

fn today() -> String {
    date(now())
}

#[test]
fn a_token_goes_into_the_secret_with_its_dates_and_nowhere_else() {
    let machine = desk(ONE, VERSION);
    let (before, token) = (today(), machine.token.as_str());
    let done = put(&machine, "", &format!("{token}\n"));
    assert_eq!((done.code, done.out.as_str()), (Some(0), ""), "{}", done.err);
    let [(args, about, input)] = changes(&machine).try_into().unwrap();
    assert_eq!((args, about.as_str()), (json!(["secret", "put", "WRITE_TOKEN"]), ""));
    let given: Value = serde_json::from_str(&input).unwrap();
    assert_eq!(given["token"], token);
    let issued = given["issued_at"].as_str().unwrap().to_owned();
    assert!([before, today()].contains(&issued), "{given}");

    let machine = desk(TWO, VERSION);
    let token = machine.token.as_str();
    let envelope = json!({"token": format!("user:{token}"), "issued_at": "2026-01-02"});
    let line = "--secret B_TOKEN --expires-at 2099-01-01";
    put(&machine, line, &envelope.to_string()).succeeded();
    let done = put(&machine, "--env staging --issued-at 2026-01-03 --json", token);
    let report: Value = serde_json::from_str(&done.succeeded()).unwrap();
    let expected = json!({
        "configuration": "wrangler.toml",
        "environment": "staging",
        "put": ["WRITE_TOKEN"],
        "warnings": [],
    });
    assert_eq!(report, expected);
    let [plain, staging] = changes(&machine).try_into().unwrap();
    assert_eq!((plain.0, plain.1.as_str()), (json!(["secret", "put", "B_TOKEN"]), ""));
    let given: Value = serde_json::from_str(&plain.2).unwrap();
    assert_eq!(
        (&given["issued_at"], &given["expires_at"]),
        (&json!("2026-01-02"), &json!("2099-01-01T00:00:00.000Z"))
    );
    assert_eq!(
        (staging.0, staging.1.as_str()),
        (json!(["secret", "put", "WRITE_TOKEN"]), "staging")
    );
}

#[test]
fn what_is_no_token_is_refused_in_one_line_and_not_shown() {
    let token = random_secret();
    let [one, two, wrong] =
        [ONE, TWO, "[vars]\nUPSTREAM = \"ftp://x\"\n"].map(|wrangler| desk(wrangler, VERSION));
    let long = format!("{token}{}", "x".repeat(5_060));
    for (machine, line, input, words) in [
        (&one, "", String::new(), "empty"),
        (&one, "", "\n".to_owned(), "empty"),
        (&one, "", format!("{token}\n{token}\n"), "several lines"),
        (&one, "", format!("{token}\u{7}"), "control"),
        (&one, "", token.repeat(200), "5120 bytes"),
        (&one, "", long, "too long … dates"),
        (&one, "", format!("{{\"tokn\":\"{token}\"}}"), "token … envelope"),
        (&one, "", format!("two {token}"), "WRITE_TOKEN … space"),
        (&one, "--expires-at 2026-01-01", token.clone(), "expires_at … passed"),
        (&one, "--issued-at 2099-01-01", token.clone(), "issued_at … future"),
        (&one, "--issued-at 22.11.2026", token.clone(), "--issued-at"),
        (&one, "--secret B_TOKEN", token.clone(), "--secret … known: WRITE_TOKEN"),
        (&one, "--env staging", token.clone(), "--env … [env.NAME]"),
        (&two, "", token.clone(), "several … B_TOKEN, WRITE_TOKEN"),
        (&two, "--secret B_TOKEN", token.clone(), "B_TOKEN … user:password"),
        (
            &one,
            "--issued-at 2026-01-02",
            format!("{{\"token\":\"{token}\",\"issued_at\":\"2026-01-01\"}}"),
            "issued_at … once",
        ),
        (&wrong, "", token.clone(), "wrangler.toml … UPSTREAM"),
    ] {
        let done = put(machine, line, &input);
        done.failed(2, &words.split(" … ").collect::<Vec<_>>());
        assert!(!done.err.contains(&token), "{}", done.err);
        assert_eq!(changes(machine), []);
    }
}

#[test]
fn a_newest_version_that_is_not_deployed_is_named_or_refused() {
    let machine = desk(ONE, OTHER);
    let done = put(&machine, "--deployed-only", &machine.token);
    done.failed(1, &[VERSION, "hello", "--deployed-only"]);
    assert_eq!(changes(&machine), []);
    let done = put(&machine, "--json", &machine.token);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let report: Value = serde_json::from_str(&done.out).unwrap();
    let warning = report["warnings"][0].as_str().unwrap();
    assert!(warning.contains(VERSION) && done.err.contains(warning), "{report}");
    for word in [VERSION, "hello", "goes out with it"] {
        assert!(done.err.contains(word), "{word} in {}", done.err);
    }
    let message = "writegate: put WRITE_TOKEN";
    let put = json!(["versions", "secret", "put", "WRITE_TOKEN", "--message", message]);
    let version = format!("{OTHER}@100%");
    let deploy = json!(["versions", "deploy", version, "--yes", "--message", message]);
    let calls: Vec<Value> = changes(&machine).into_iter().map(|(args, ..)| args).collect();
    assert_eq!(calls, [put, deploy]);
}

#[test]
fn a_worker_that_was_never_deployed_gets_its_secret_and_wrangler_s_refusal_is_shown() {
    let fails = |why: &str| json!({"code": 1, "err": format!("✘ [ERROR] {why}")});
    let machine = desk(ONE, VERSION);
    machine.answers("deployments status", fails("The Worker gate has no deployments."));
    assert_eq!(put(&machine, "", &machine.token).code, Some(0));
    assert_eq!(changes(&machine)[0].0, json!(["secret", "put", "WRITE_TOKEN"]));

    let machine = desk(ONE, VERSION);
    machine.answers("secret put", fails("Authentication error, for {input}"));
    let done = put(&machine, "", &machine.token);
    done.failed(1, &["npx wrangler secret put WRITE_TOKEN", "Authentication error"]);
    machine.answers("deployments status", fails("Not logged in."));
    put(&machine, "", &machine.token).failed(1, &["Not logged in."]);
}

#[test]
fn an_environment_that_wrangler_would_take_by_itself_is_not_taken() {
    let machine = desk(TWO, VERSION);
    let mut command = machine.checkout.command("token put --env staging");
    command.env("CLOUDFLARE_ENV", "production");
    let secrets = ["ROTATION_API_TOKEN", "CHECK_API_TOKEN", "SIGNING_SECRET"];
    command.envs(secrets.map(|name| (name, random_secret())));
    Done::fed(&mut command, &machine.token).succeeded();
    let call = &machine.calls_about().remove(0).0;
    for name in secrets.iter().chain(&["CLOUDFLARE_ENV"]) {
        assert!(call["environment"][name].is_null(), "{name}");
    }
    let [(args, about, _)] = changes(&machine).try_into().unwrap();
    assert_eq!((args, about.as_str()), (json!(["secret", "put", "WRITE_TOKEN"]), "staging"));
}

#[test]
fn keys_and_secrets_are_those_of_the_environment_that_is_named() {
    let checkout = Checkout::new(
        "[env.staging.vars]\nUPSTREAM = \"https://a.example\"\n\
         [[env.staging.vars.KEYS]]\nid = \"pk_ops\"\nadmin = true\n",
    );
    let root = format!("SIGNING_SECRET={}\n", random_secret());
    checkout.file(".dev.vars.staging", &root);
    // Nobody listens there: what is missing is found before.
    let age = "token age --gate http://127.0.0.1:9";
    checkout.refuses(2, &format!("{age} → admin = true"));
    checkout.refuses(1, &format!("{age} --env staging → 127.0.0.1:9"));
    checkout.refuses(1, &format!("{age} --as pk_ops → SIGNING_SECRET"));
}
