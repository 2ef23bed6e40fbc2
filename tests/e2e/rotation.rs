//! The daily check of each token's age (docs/wire-contract.md, section 9): a line for each token, its level and its console, and
//! what probes say. Where each state begins is in `src/telemetry/token_age.rs`.

use std::thread;

use serde_json::{Value, json};
use testkit::client::Request;
use testkit::gate::{Gate, Setup};
use testkit::logs::Stream;
use testkit::token::{date, fingerprint, fresh, now};
use testkit::upstream::{Latch, Reply, Upstream};

fn in_days(days: i64) -> String {
    date(now().checked_add_signed(days * 86_400).unwrap())
}

/// Runs the scheduled handler and returns its lines, so many from all runs.
fn run(gate: &Gate, lines: usize) -> Vec<(Stream, Value)> {
    Request::get("/").send_to(gate.cron).passed();
    gate.logs.events("rotation", lines)
}

/// Asserts the state of a token, and that its line is on the console of its level.
fn assert_state((stream, line): &(Stream, Value), state: &str, level: &str) {
    assert_eq!((&line["state"], &line["level"]), (&json!(state), &json!(level)), "{line}");
    let expected = if level == "info" { Stream::Log } else { Stream::Error };
    assert_eq!(*stream, expected, "{line}");
    assert!(line["advice"].as_str().is_some_and(|advice| !advice.is_empty()), "{line}");
}

#[test]
fn there_is_one_line_for_each_token_and_it_says_its_state() {
    let tokens = [
        ("OK", json!({"issued_at": in_days(-10)}), "ok", "info"),
        ("DUE", json!({"issued_at": in_days(-47)}), "due", "warn"),
        ("OLD", json!({"issued_at": in_days(-51)}), "overdue", "warn"),
        ("ENDS", json!({"issued_at": in_days(-1), "expires_at": in_days(4)}), "due", "warn"),
        ("GONE", json!({"issued_at": in_days(-1), "expires_at": in_days(-2)}), "expired", "error"),
        ("ABSENT", Value::Null, "missing", "error"),
        ("DATED", json!(in_days(-5)), "ok", "info"),
        ("BROAD", json!(in_days(-1)), "ok", "warn"),
        ("WRITE_TOKEN", Value::Null, "unknown", "warn"),
    ];
    let upstream = Upstream::start();
    let rotation = json!({"max_age_days": 50, "warn_days": 5});
    let mut setup = Setup::to(&upstream).env("ROTATION", rotation);
    let mut secrets = Vec::new();
    for (name, said, ..) in &tokens {
        let scheme = if *name == "BROAD" { "cloudflare-global-key" } else { "bearer" };
        let auth = json!({"upstream_auth": {"scheme": scheme, "secret": name}});
        setup = setup.route(&format!("/{name}"), auth);
        secrets.push(format!("me@example.com:{}", fresh()));
        let token = secrets.last().unwrap().clone();
        setup = match said {
            Value::Null => setup,
            Value::String(date) => {
                setup.env(name, token).env(&format!("{name}_ISSUED_AT"), date.as_str())
            }
            said => {
                let mut envelope = said.clone();
                envelope["token"] = token.into();
                setup.env(name, envelope.to_string())
            }
        };
    }
    let gate = setup.start();
    let lines = run(&gate, tokens.len());
    for (name, _, state, level) in &tokens {
        let line = lines.iter().find(|(_, line)| line["secret"] == *name).expect(name);
        assert_state(line, state, level);
        assert_eq!(line.1["max_age_days"], 50, "{}", line.1);
    }
    let of = |name: &str| lines.iter().find(|(_, line)| line["secret"] == name).unwrap().1.clone();
    assert_eq!((&of("OK")["age_days"], &of("DATED")["age_days"]), (&json!(10), &json!(5)));
    assert_eq!(
        (&of("OK")["expires_in_days"], &of("ABSENT")["fingerprint"]),
        (&Value::Null, &Value::Null)
    );
    assert!(of("BROAD")["advice"].as_str().unwrap().contains("broad"), "{}", of("BROAD"));
    let print = fingerprint(&gate.signing_secret, &gate.token);
    assert_eq!(of("WRITE_TOKEN")["fingerprint"], print);
    upstream.assert_untouched();
    secrets.push(gate.token.clone());
    let all = gate.stop();
    assert_eq!(all.iter().filter(|line| line.is_event("rotation")).count(), tokens.len());
    assert!(!all.iter().any(|line| secrets.iter().any(|secret| line.text.contains(secret))));
}

#[test]
fn a_probe_tells_whether_the_token_works() {
    let upstream =
        Upstream::queue(vec![Reply::ok("{}"), Reply::new(401), Reply::new(500), Reply::new(404)]);
    let url = upstream.url();
    let gate = Setup::to(&upstream)
        .env("WRITE_TOKEN_ISSUED_AT", in_days(-1))
        .route("/cms/*", json!({"upstream": format!("{url}/v1/"), "probe": "/me"}))
        .start();
    assert_state(&run(&gate, 1)[0], "ok", "info");
    let seen = upstream.only();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/v1/me"));
    assert!(seen.header("authorization").is_some_and(|value| value.starts_with("Bearer ")));
    assert_state(&run(&gate, 2)[1], "rejected", "error");
    // An upstream in trouble says nothing about the token.
    assert_state(&run(&gate, 3)[2], "ok", "info");
}

#[test]
fn a_probe_of_the_cloudflare_api_reads_when_the_token_ends() {
    let end = in_days(5);
    let upstream = Upstream::answering(move |_, _| {
        let result = json!({"success": true, "errors": [],
            "result": {"id": "x", "status": "active", "expires_on": format!("{end}T12:00:00Z")}});
        Reply::ok(&result.to_string()).header("Content-Type", "application/json")
    });
    // A user's token, and one that an account owns.
    for (probe, state, level) in [
        ("/user/tokens/verify", "due", "warn"),
        ("/accounts/0a/tokens/verify", "due", "warn"),
        ("/user/tokens", "ok", "info"),
    ] {
        let gate = Setup::to(&upstream)
            .env("WRITE_TOKEN_ISSUED_AT", in_days(-1))
            .route("/cf/*", json!({"probe": probe}))
            .start();
        let line = run(&gate, 1).remove(0);
        assert_state(&line, state, level);
        let days = line.1["expires_in_days"].as_i64();
        let is_read = days.is_some_and(|days| (4..=6).contains(&days));
        assert_eq!(is_read, state == "due", "{}", line.1);
    }
}

#[test]
fn probes_that_go_wrong_say_nothing_and_end() {
    let never = Latch::default();
    let waits = never.clone();
    let half = br#"{"result":{"status":"disabled""#.to_vec();
    let upstream = Upstream::answering(move |seen, _| match seen.target.as_str() {
        "/moved" => Reply::new(302).header("Location", "/stolen"),
        "/endless/tokens/verify" => {
            Reply::ok("").parts(vec![(None, half.clone()), (Some(waits.clone()), half.clone())])
        }
        "/huge/tokens/verify" => Reply::ok("").cut_short(1 << 30, &[b'x'; 1 << 20]),
        "/silent" => Reply::ok("{}").after(&waits),
        "/gone" => Reply::hang_up(),
        "/odd/tokens/verify" => {
            Reply::ok(r#"{"result":{"status":5,"expires_on":"2026-99-99T00:00:00Z"}}"#)
        }
        other => panic!("{other} was asked for"),
    });
    let probes = [
        "/moved", "/endless/tokens/verify", "/huge/tokens/verify", "/silent", "/gone",
        "/odd/tokens/verify",
    ];
    let mut setup = Setup::to(&upstream);
    for (number, probe) in probes.iter().enumerate() {
        let secret = format!("TOKEN_{number}");
        let auth = json!({"scheme": "bearer", "secret": secret});
        let issued = format!("{secret}_ISSUED_AT");
        setup = setup.env(&secret, fresh()).env(&issued, in_days(-1));
        setup = setup.route(&format!("/{number}"), json!({"upstream_auth": auth, "probe": probe}));
    }
    let gate = setup.start();
    // Twice at once.
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| Request::get("/").send_to(gate.cron).passed());
        }
    });
    never.open();
    for line in gate.logs.events("rotation", 2 * probes.len()) {
        assert_state(&line, "ok", "info");
    }
}
