//! Where a request goes and what comes of it (contract, sections 1 and 5): targets, redirects, refused tokens, the echo
//! guard, and an upstream that is not there.

use serde_json::json;

use crate::check::Check;
use crate::client::{HOST, Request};
use crate::gate::{Gate, Setup};
use crate::logs::Line;
use crate::upstream::{Latch, Reply, Upstream};

#[test]
fn the_target_is_the_upstreams_path_and_what_the_star_matched() {
    let upstream = Upstream::start();
    let url = upstream.url();
    let gate = Setup::to(&upstream)
        .route("/bare/*", json!({}))
        .route("/slash/*", json!({"upstream": format!("{url}/")}))
        .route("/v1/*", json!({"upstream": format!("{url}/api/v1")}))
        .route("/v2/*", json!({"upstream": format!("{url}/api/v2/")}))
        .route("/one", json!({"upstream": format!("{url}/api/one")}))
        .route("/v1/exact", json!({"upstream": format!("{url}/exact/")}))
        .route("/v1/longer/*", json!({"upstream": format!("{url}/longer")}))
        .start();
    let token = gate.bearer();
    for (sent, arrives) in [
        ("/bare/", "/"),
        ("/bare/a/b?c", "/a/b?c"),
        ("/slash/a", "/a"),
        ("/v1/a%7e/?x=/v1/", "/api/v1/a%7e/?x=/v1/"),
        ("/v1/", "/api/v1/"),
        ("/v1/.evil.example/x", "/api/v1/.evil.example/x"),
        ("/bare/.evil.example/x", "/.evil.example/x"),
        ("/bare/@evil.example/x", "/@evil.example/x"),
        ("/bare/:80/x", "/:80/x"),
        ("/v2/a", "/api/v2/a"),
        ("/one?a=b", "/api/one?a=b"),
        ("/v1/exact", "/exact/"),
        ("/v1/exact/", "/api/v1/exact/"),
        ("/v1/longer/a", "/longer/a"),
        ("/v1/longer", "/api/v1/longer"),
    ] {
        Request::post(sent).bearer(&token).send(&gate).passed();
        assert_eq!(upstream.last().target, arrives, "{sent}");
    }
    for (sent, status) in [
        ("/", 404),
        ("/v1", 404),
        ("/bare", 404),
        ("/one/", 404),
        ("/other", 404),
    ] {
        Request::post(sent)
            .bearer(&token)
            .send(&gate)
            .refused(status, "no-route");
    }
}

#[test]
fn a_host_that_the_caller_names_changes_nothing() {
    let upstream = Upstream::start();
    let gate = Gate::before(&upstream);
    let token = gate.bearer();
    for host in ["evil.example", "127.0.0.1:1"] {
        Request::post("/x")
            .header("Host", host)
            .bearer(&token)
            .send(&gate)
            .passed();
        assert_eq!(
            upstream.last().header("host"),
            Some(format!("127.0.0.1:{}", upstream.port))
        );
    }
    Request::post("/@127.0.0.1:1/x")
        .bearer(&token)
        .send(&gate)
        .passed();
    assert_eq!(upstream.last().target, "/@127.0.0.1:1/x");
}

#[test]
fn a_redirect_is_handed_back_and_never_followed() {
    let elsewhere = Upstream::start();
    let there = format!("{}/stolen", elsewhere.url());
    let target = there.clone();
    let upstream = Upstream::answering(move |request, _| {
        let status = request.target[1..4].parse().unwrap();
        Reply::new(status).header("Location", &target)
    });
    let gate = Gate::before(&upstream);
    let token = gate.bearer();
    for status in [301, 302, 303, 307, 308] {
        for method in ["GET", "POST"] {
            let answer = Request::new(method, &format!("/{status}"))
                .bearer(&token)
                .send(&gate);
            assert_eq!(answer.status, status, "{method}: {answer}");
            assert_eq!(answer.header("location").as_deref(), Some(there.as_str()));
        }
    }
    elsewhere.assert_untouched();
}

#[test]
fn a_location_on_the_upstream_becomes_the_gates_path() {
    let upstream = Upstream::answering(|request, _| {
        let host = request.header("host").unwrap();
        let location = match request.target.as_str() {
            "/api/absolute" => format!("http://{host}/api/made/7?a=%7e#f"),
            "/api/path" => "/api/made/7".into(),
            "/api/relative" => "made/7".into(),
            "/api/outside" => "/elsewhere/7".into(),
            "/api/beside" => "/apiary/7".into(),
            _ => "https://other.example/api/made/7".into(),
        };
        Reply::new(201).header("Location", &location)
    });
    let url = upstream.url();
    let gate = Setup::to(&upstream)
        .route("/cms/*", json!({"upstream": format!("{url}/api")}))
        .start();
    let token = gate.bearer();
    let location = |path: &str| {
        Request::post(path)
            .bearer(&token)
            .send(&gate)
            .passed()
            .header("location")
            .expect("Location")
    };
    let at_gate =
        |found: &str, path: &str| found == path || found == format!("http://{HOST}{path}");
    let absolute = location("/cms/absolute");
    assert!(at_gate(&absolute, "/cms/made/7?a=%7e#f"), "{absolute}");
    let path = location("/cms/path");
    assert!(at_gate(&path, "/cms/made/7"), "{path}");
    let relative = location("/cms/relative");
    assert!(
        at_gate(&relative, "/cms/made/7") || relative == "made/7",
        "{relative}"
    );
    assert_eq!(location("/cms/other"), "https://other.example/api/made/7");
    for path in ["/cms/outside", "/cms/beside"] {
        let found = location(path);
        assert!(
            !found.contains("/cms/"),
            "no path of the gate leads there: {found}"
        );
    }
}

#[test]
fn a_token_that_the_upstream_echoes_does_not_come_back() {
    let upstream = Upstream::answering(|request, _| {
        let sent = request.header("authorization").unwrap();
        let token = sent.strip_prefix("Bearer ").unwrap();
        let encoded: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
        Reply::new(201)
            .header("X-Raw", &format!("a {token} b"))
            .header("X-Sent", &sent)
            .header("X-Encoded", &encoded)
            .header("X-Lower", &encoded.to_lowercase())
            .header("Location", &format!("/made?token={token}"))
            .header("X-Other", "kept")
    });
    let gate = Setup::to(&upstream)
        .env("WRITE_TOKEN", format!("t/{}+=", crate::token::fresh()))
        .start();
    let token = gate.token.clone();
    let escaped = token
        .replace('/', "%2F")
        .replace('+', "%2B")
        .replace('=', "%3D");
    let answer = Request::post("/x").bearer(&gate.bearer()).send(&gate);
    assert_eq!(answer.status, 201, "{answer}");
    assert_eq!(answer.header("x-raw").as_deref(), Some("a [redacted] b"));
    assert_eq!(answer.header("x-other").as_deref(), Some("kept"));
    let encoded: String = token.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for (name, value) in &answer.headers {
        let lower = value.to_lowercase();
        assert!(
            !value.contains(&token) && !value.contains(&escaped) && !lower.contains(&encoded),
            "{name}: {value}"
        );
    }
    gate.logs.until("line of the echo guard", |lines| {
        lines
            .iter()
            .any(|line| line.text.contains("echo_guard"))
            .then_some(())
    });
    assert!(!gate.stop().iter().any(|line| line.text.contains(&token)));
}

#[test]
fn basic_credentials_do_not_come_back_either() {
    let upstream = Upstream::answering(|request, _| {
        let sent = request.header("authorization").unwrap();
        Reply::new(200).header("X-Sent", sent.strip_prefix("Basic ").unwrap())
    });
    let secret = format!("user:{}", crate::token::fresh());
    let gate = Setup::to(&upstream)
        .env("WRITE_TOKEN", secret)
        .route(
            "/*",
            json!({"upstream_auth": {"scheme": "basic", "secret": "WRITE_TOKEN"}}),
        )
        .start();
    let answer = Request::post("/x")
        .bearer(&gate.bearer())
        .send(&gate)
        .passed();
    assert_eq!(
        answer.header("x-sent").as_deref(),
        Some("[redacted]"),
        "what is sent is secret too"
    );
}

#[test]
fn an_upstream_that_refuses_the_gates_token_is_not_the_callers_fault() {
    let upstream = Upstream::answering(|request, _| {
        Reply::new(request.target[1..4].parse().unwrap())
            .header("WWW-Authenticate", "Bearer")
            .body("no")
    });
    let gate = Setup::to(&upstream)
        .route("/default/*", json!({}))
        .route("/other/*", json!({"reject_status": [403, 407]}))
        .start();
    let token = gate.bearer();
    let answer = Request::post("/default/401")
        .bearer(&token)
        .send(&gate)
        .refused(502, "upstream-rejected-token");
    assert_eq!(answer.header("www-authenticate"), None);
    let line = gate.logs.audit(&answer.request_id());
    assert_eq!(
        (&line["outcome"], &line["upstream_status"]),
        (&json!("failed"), &json!(401))
    );
    gate.logs.until("error about the token", |lines| {
        lines
            .iter()
            .filter_map(Line::json)
            .any(|line| line["event"] != "request" && line.to_string().contains("WRITE_TOKEN"))
            .then_some(())
    });
    assert_eq!(
        Request::post("/default/403")
            .bearer(&token)
            .send(&gate)
            .status,
        403
    );
    Request::post("/other/403")
        .bearer(&token)
        .send(&gate)
        .refused(502, "upstream-rejected-token");
    assert_eq!(
        Request::post("/other/401")
            .bearer(&token)
            .send(&gate)
            .status,
        401
    );
    Request::get("/default/401")
        .bearer(&token)
        .send(&gate)
        .refused(502, "upstream-rejected-token");
}

#[test]
fn an_origin_that_the_platform_could_not_reach_is_unreachable() {
    let upstream =
        Upstream::answering(|request, _| Reply::new(request.target[1..].parse().unwrap()));
    let gate = Gate::before(&upstream);
    let token = gate.bearer();
    for status in [520, 521, 522, 523, 524, 525, 526, 527, 530] {
        Request::post(&format!("/{status}"))
            .bearer(&token)
            .send(&gate)
            .refused(502, "upstream-unreachable");
    }
    for status in [519, 528, 529, 531] {
        assert_eq!(
            Request::post(&format!("/{status}"))
                .bearer(&token)
                .send(&gate)
                .status,
            status
        );
    }
}

#[test]
fn an_upstream_that_is_not_there_is_unreachable() {
    // A port that was free a moment ago and that nothing listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let gate = Setup::to_url(&format!("http://127.0.0.1:{port}")).start();
    let token = gate.bearer();
    Request::post("/x")
        .bearer(&token)
        .send(&gate)
        .refused(502, "upstream-unreachable");
    let answer = Request::get("/x")
        .bearer(&token)
        .send(&gate)
        .refused(502, "upstream-unreachable");
    assert_eq!(gate.logs.audit(&answer.request_id())["outcome"], "failed");
    let mut hangs_up = Check::before(Upstream::queue(vec![Reply::hang_up()]), |setup| setup);
    let token = hangs_up.gate.bearer();
    let answer = Request::post("/x").bearer(&token).send(&hangs_up.gate);
    hangs_up.that(
        answer.code() == "upstream-unreachable" && answer.status == 502,
        || answer.to_string(),
    );
    let seen = hangs_up.upstream.seen().len();
    hangs_up.that(seen == 1, || format!("a POST was sent {seen} times"));
}

#[test]
fn a_slow_upstream_is_given_up() {
    let never = Latch::default();
    let upstream = Upstream::queue(vec![
        Reply::ok("late").after(&never),
        Reply::ok("late").after(&never),
        Reply::ok("soon"),
    ]);
    let gate = Setup::to(&upstream)
        .route("/*", json!({"timeout_ms": 300}))
        .start();
    let token = gate.bearer();
    let answer = Request::post("/x")
        .bearer(&token)
        .send(&gate)
        .refused(504, "upstream-timeout");
    let line = gate.logs.audit(&answer.request_id());
    assert_eq!(
        (&line["outcome"], &line["code"]),
        (&json!("failed"), &json!("upstream-timeout"))
    );
    Request::get("/x")
        .bearer(&token)
        .send(&gate)
        .refused(504, "upstream-timeout");
    never.open();
}
