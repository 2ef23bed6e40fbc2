//! `token put`, with a stub in wrangler's place that keeps what it is given. A gate in use is needed for `token age` and
//! `token rotate`: see `tests/e2e/rotate_*.rs`.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::checkout::{Checkout, Done, random_secret};

/// Answers as the test says, and writes down how it was called.
const STUB: &str = r#"
const { appendFileSync, readFileSync } = require('node:fs');
const folder = process.env.STUB;
const argv = process.argv.slice(2);
const asks = argv.includes('--json');
const input = asks ? '' : readFileSync(0, 'utf8');
appendFileSync(`${folder}/calls`, JSON.stringify({ argv, input, env: process.env }) + '\n');
const answer = JSON.parse(readFileSync(`${folder}/answers`, 'utf8'))[argv.slice(0, argv[0] === 'versions' ? 3 : 2).join(' ').replace(' --json', '')];
if (answer?.fails) {
  console.error(`✘ [ERROR] ${answer.fails} ${input} ${input && JSON.parse(input).token}`);
  process.exit(1);
}
console.log(asks ? JSON.stringify(answer) : answer ?? '');
"#;

const VERSION: &str = "18f97339-c287-4872-9bdd-e2135c07ec12";
const OTHER: &str = "bcf48806-b317-4351-9ee7-36e7d557d4de";

const ONE: &str = "[vars]\nUPSTREAM = \"https://api.example.com\"\n";
const TWO: &str = "[[vars.ROUTES]]\npath = \"/a/*\"\nupstream = \"https://a.example.com\"\n\
    [[vars.ROUTES]]\npath = \"/b/*\"\nupstream = \"https://b.example.com\"\n\
    upstream_auth = { scheme = \"basic\", secret = \"B_TOKEN\" }\n\
    [env.staging.vars]\nUPSTREAM = \"https://staging.example.com\"\n";

fn answers(deployed: &str) -> Value {
    let version = |id: &str, time: &str| json!({"id": id, "metadata": {"created_on": time}, "annotations": {"workers/message": "hello"}});
    json!({
        "deployments status": {"versions": [{"version_id": deployed, "percentage": 100}]},
        "versions list": [version(OTHER, "2026-11-01T00:00:00.1Z"), version(VERSION, "2026-11-02T00:00:00.1Z")],
        "versions secret put": format!("✨ Success! Created version {OTHER} with secret WRITE_TOKEN."),
    })
}

struct Desk {
    checkout: Checkout,
    root: String,
}

impl Desk {
    fn new(wrangler: &str, answers: &Value) -> Self {
        let checkout = Checkout::new(wrangler);
        let bin = checkout.0.join("node_modules/wrangler/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("wrangler.js"), STUB).unwrap();
        let stub = checkout.0.join("stub");
        fs::create_dir_all(&stub).unwrap();
        fs::write(stub.join("answers"), answers.to_string()).unwrap();
        let root = random_secret();
        Self { checkout, root }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = self.checkout.command(&format!("token put {line}"));
        command.env("STUB", self.checkout.0.join("stub")).env("SIGNING_SECRET", &self.root);
        command
    }

    fn put(&self, line: &str, input: &str) -> Done {
        Done::fed(&mut self.command(line), input)
    }

    /// Returns the calls of wrangler, without the questions that were asked of it first, and without the configuration,
    /// which each of them names.
    fn calls(&self) -> Vec<Value> {
        let written = fs::read_to_string(self.checkout.0.join("stub/calls")).unwrap_or_default();
        let configuration = json!(self.checkout.0.join("wrangler.toml"));
        let call = |line| {
            let mut call = serde_json::from_str::<Value>(line).unwrap();
            let argv = call["argv"].as_array_mut().unwrap();
            let at = argv.iter().position(|argument| argument == "--config").unwrap();
            let named: Vec<Value> = argv.drain(at..=at + 1).collect();
            assert_eq!(named[1], configuration);
            call
        };
        let calls = written.lines().map(call);
        calls.filter(|call| !call["argv"].as_array().unwrap().contains(&json!("--json"))).collect()
    }
}

fn today() -> String {
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let mut text = writegate::Timestamp::from_millis(now.try_into().unwrap()).to_rfc3339();
    text.truncate(10);
    text
}

#[test]
fn a_token_goes_into_the_secret_with_its_dates_and_nowhere_else() {
    let token = random_secret();
    let desk = Desk::new(ONE, &answers(VERSION));
    let before = today();
    let done = desk.put("", &format!("{token}\n"));
    assert_eq!((done.code, done.out.as_str()), (Some(0), ""), "{}", done.err);
    let [call] = desk.calls().try_into().unwrap();
    assert_eq!(call["argv"], json!(["secret", "put", "WRITE_TOKEN", "--env="]));
    let put: Value = serde_json::from_str(call["input"].as_str().unwrap()).unwrap();
    assert_eq!(put["token"], token.as_str());
    assert!([before, today()].contains(&put["issued_at"].as_str().unwrap().to_owned()), "{put}");
    for text in [&done.err, &call["argv"].to_string(), &call["env"].to_string()] {
        assert!(!text.contains(&token) && !text.contains(&desk.root), "{text}");
    }

    let desk = Desk::new(TWO, &answers(VERSION));
    let envelope = json!({"token": format!("user:{token}"), "issued_at": "2026-01-02"});
    let line = "--secret B_TOKEN --expires-at 2099-01-01";
    desk.put(line, &envelope.to_string()).succeeded();
    let done = desk.put("--env staging --issued-at 2026-01-03 --json", &token);
    let report: Value = serde_json::from_str(&done.succeeded()).unwrap();
    let expected = json!({
        "configuration": "wrangler.toml",
        "environment": "staging",
        "put": ["WRITE_TOKEN"],
        "warnings": [],
    });
    assert_eq!(report, expected);
    let [plain, staging] = desk.calls().try_into().unwrap();
    assert_eq!(plain["argv"], json!(["secret", "put", "B_TOKEN", "--env="]));
    let put: Value = serde_json::from_str(plain["input"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&put["issued_at"], &put["expires_at"]),
        (&json!("2026-01-02"), &json!("2099-01-01T00:00:00.000Z"))
    );
    assert_eq!(staging["argv"], json!(["secret", "put", "WRITE_TOKEN", "--env", "staging"]));
}

#[test]
fn what_is_no_token_is_refused_in_one_line_and_not_shown() {
    let token = random_secret();
    let [one, two, wrong] = [ONE, TWO, "[vars]\nUPSTREAM = \"ftp://x\"\n"]
        .map(|wrangler| Desk::new(wrangler, &answers(VERSION)));
    let long = format!("{token}{}", "x".repeat(5_060));
    for (desk, line, input, words) in [
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
        let done = desk.put(line, &input);
        done.failed(2, &words.split(" … ").collect::<Vec<_>>());
        assert!(!done.err.contains(&token), "{}", done.err);
        assert_eq!(desk.calls(), Vec::<Value>::new());
    }
}

#[test]
fn a_newest_version_that_is_not_deployed_is_named_or_refused() {
    let token = random_secret();
    let desk = Desk::new(ONE, &answers(OTHER));
    let done = desk.put("--deployed-only", &token);
    done.failed(1, &[VERSION, "hello", "--deployed-only"]);
    assert_eq!(desk.calls(), Vec::<Value>::new());
    let done = desk.put("--json", &token);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let report: Value = serde_json::from_str(&done.out).unwrap();
    let warning = report["warnings"][0].as_str().unwrap();
    assert!(warning.contains(VERSION) && done.err.contains(warning), "{report}");
    for word in [VERSION, "hello", "goes out with it"] {
        assert!(done.err.contains(word), "{word} in {}", done.err);
    }
    let calls: Vec<Value> = desk.calls().iter().map(|call| call["argv"].clone()).collect();
    let message = "writegate: put WRITE_TOKEN";
    let put = json!(["versions", "secret", "put", "WRITE_TOKEN", "--message", message, "--env="]);
    let version = format!("{OTHER}@100%");
    let deploy = json!(["versions", "deploy", version, "--yes", "--message", message, "--env="]);
    assert_eq!(calls, [put, deploy]);
}

#[test]
fn a_worker_that_was_never_deployed_gets_its_secret_and_wrangler_s_refusal_is_shown() {
    let token = random_secret();
    let mut none = answers(VERSION);
    none["deployments status"] = json!({"fails": "The Worker gate has no deployments."});
    let desk = Desk::new(ONE, &none);
    assert_eq!(desk.put("", &token).code, Some(0));
    assert_eq!(desk.calls()[0]["argv"], json!(["secret", "put", "WRITE_TOKEN", "--env="]));

    let mut failing = answers(VERSION);
    failing["secret put"] = json!({"fails": "Authentication error, for"});
    let done = Desk::new(ONE, &failing).put("", &token);
    done.failed(1, &["npx wrangler secret put WRITE_TOKEN", "Authentication error"]);
    assert!(!done.err.contains(&token), "{}", done.err);
    failing["deployments status"] = json!({"fails": "Not logged in."});
    let done = Desk::new(ONE, &failing).put("", &token);
    done.failed(1, &["Not logged in."]);
}

#[test]
fn an_environment_that_wrangler_would_take_by_itself_is_not_taken() {
    let desk = Desk::new(TWO, &answers(VERSION));
    let mut command = desk.command("--env staging");
    command
        .env("CLOUDFLARE_ENV", "production")
        .env("ROTATION_API_TOKEN", &desk.root)
        .env("CHECK_API_TOKEN", &desk.root);
    Done::fed(&mut command, &random_secret()).succeeded();
    let calls = desk.calls();
    let call = calls.first().unwrap();
    assert_eq!(call["argv"], json!(["secret", "put", "WRITE_TOKEN", "--env", "staging"]));
    for name in ["CLOUDFLARE_ENV", "ROTATION_API_TOKEN", "CHECK_API_TOKEN", "SIGNING_SECRET"] {
        assert!(call["env"][name].is_null(), "{name}");
    }
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
