//! A real curl sends what the command signs, through a shell, as a person would: the gate takes it.

use std::process::Command;

use serde_json::{Value, json};
use testkit::check::Check;
use testkit::gate::KEY;
use testkit::program::{found, run};
use testkit::token::fresh;

/// A gate, and the command with its secrets.
struct Signer {
    table: Check,
    waf_secret: String,
}

impl Signer {
    /// Starts the gate, where there is a curl to call it.
    fn start() -> Option<Self> {
        let waf_secret = fresh();
        found(&["curl"], "what the command signs").then(|| Self {
            table: Check::of(|setup| {
                setup
                    .env("WAF_SECRET", waf_secret.as_str())
                    .replay()
                    .route("/*", json!({}))
                    .route("/waf/*", json!({"waf_key": KEY}))
                    .site(json!({"schemes": ["session", "signature", "url", "waf-url"]}))
                    .key(json!({"id": "pk_nonce", "schemes": ["signature"], "nonce": "required"}))
            }),
            waf_secret,
        })
    }

    /// Returns what the command prints.
    fn prints(&self, arguments: &[&str]) -> String {
        let mut command = crate::writegate();
        command
            .args(arguments)
            .env("SIGNING_SECRET", &self.table.gate.signing_secret)
            .env("WAF_SECRET", &self.waf_secret);
        run(&mut command, "")
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.table.gate.port)
    }
}

/// Returns the status of a request with these arguments of curl, as a shell takes them apart.
fn curl(arguments: &str) -> String {
    let line = format!("curl -s -o /dev/null -w '%{{http_code}}' --noproxy '*' {arguments}");
    run(Command::new("sh").args(["-c", &line]), "")
}

/// One gate serves all of them: each looks at its own path.
#[test]
fn what_is_signed_passes_as_it_was_signed_and_not_otherwise() {
    let Some(signer) = Signer::start() else {
        return;
    };
    // A request with its body, and with no other.
    let url = signer.url("/posts?draft=1");
    let body = r#"{"it's":"\"quoted\""}"#;
    let header = "Content-Type: text/x";
    let sign = ["request", "sign", "--key", KEY, "-H", header, "--body", body, "POST", &url];
    let headers = signer.prints(&sign);
    let with = |body: &str, kind: &str| {
        let quoted = body.replace('\'', r"'\''");
        curl(&format!("{headers} -H 'Content-Type: {kind}' --data-raw '{quoted}' '{url}'"))
    };
    assert_eq!(with(body, "text/x"), "200");
    assert_eq!(signer.table.upstream.only().body, body.as_bytes());
    assert_eq!(with("{}", "text/x"), "401");
    assert_eq!(with(body, "text/y"), "401");

    // A nonce is fresh for each request.
    let url = signer.url("/posts");
    let sign = ["request", "sign", "--key", "pk_nonce", "--nonce", "GET", &url];
    let signed = || format!("{} '{url}'", signer.prints(&sign));
    let first = signed();
    assert_eq!([curl(&first), curl(&first), curl(&signed())], ["200", "401", "200"]);

    // A bound session signs with its own key.
    let mint = ["session", "mint", "--key", KEY, "--bind", "--unknown-key"];
    let minted: Value = serde_json::from_str(&signer.prints(&mint)).unwrap();
    let token = minted["token"].as_str().unwrap();
    let headers = signer.prints(&["request", "sign", "--session", token, "DELETE", &url]);
    assert_eq!(curl(&format!("-X DELETE {headers} '{url}'")), "200");
    let alone = format!("-X DELETE -H 'Authorization: Bearer {token}' '{url}'");
    assert_eq!(curl(&alone), "401");

    // Links work by themselves.
    let sign = |more: &[&str], path: &str| {
        signer.prints(&[&["url", "sign", "--key", KEY], more, &[&signer.url(path)]].concat())
    };
    for link in [
        sign(&["--ttl", "60"], "/img/1.png"),
        sign(&[], "/img/1.png?w=100"),
        sign(&["--waf"], "/img/1.png?w=100"),
        sign(&["--waf", "--unnamed"], "/waf/1.png"),
    ] {
        assert_eq!(curl(&format!("'{link}'")), "200", "{link}");
        assert_eq!(curl(&format!("'{link}A'")), "400", "{link}");
        assert_eq!(curl(&format!("'{}'", link.replace("1.png", "2.png"))), "401", "{link}");
    }
    let seen = signer.table.upstream.seen().into_iter().map(|seen| seen.target);
    let targets: Vec<String> =
        seen.filter(|target| target.ends_with(".png") || target.contains("png?")).collect();
    assert_eq!(targets, ["/img/1.png", "/img/1.png?w=100", "/img/1.png?w=100", "/1.png"]);
}
