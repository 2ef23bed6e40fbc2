//! The examples of `docs/signing.md`, and those for links of `docs/clients.md`, taken out by their fences and run against
//! a gate unchanged, so that they stay true. (Go is not among what these tests need, so its example is only measured.)

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use testkit::check::Check;
use testkit::client::{HOST, Request};
use testkit::docs::fences;
use testkit::gate::KEY;
use testkit::program::{found, python, run};
use testkit::token::{fresh, now, sk};

/// Returns the one example in this language.
fn example(language: &str) -> String {
    let mut found = fences("signing.md", language);
    assert_eq!(found.len(), 1, "one example in {language}");
    found.remove(0)
}

/// Runs this example, as the program that the arguments name, with a good secret and then with another.
fn assert_signs(program: &Path, arguments: &[&str], language: &str) {
    let mut table = Check::of(|setup| setup.site(json!({"schemes": ["signature"]})));
    let code = example(language);
    let port = table.gate.port;
    let with = |target: &str, secret: &str| {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg(&code)
            .env("WRITEGATE_URL", format!("http://127.0.0.1:{port}{target}"))
            .env("WRITEGATE_KEY", KEY)
            .env("WRITEGATE_SK", secret)
            // A proxy that the machine has for others would not find this gate.
            .env("no_proxy", "127.0.0.1")
            .env("NO_PROXY", "127.0.0.1");
        run(&mut command, "")
    };
    let secret = sk(&table.gate.signing_secret, KEY, 1);
    for target in ["/posts", "/", "/posts/a%7eb?draft=1&x=%2f&y"] {
        let before = table.upstream.seen().len();
        let said = with(target, &secret);
        assert!(said.contains("done"), "{language} to {target}: {said}");
        let seen = table.upstream.seen();
        assert_eq!(seen.len(), before + 1, "{language} to {target}");
        let seen = &seen[before];
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", target));
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(body, json!({"title": "Hello"}), "{language}");
        let kind = seen.header("content-type");
        assert_eq!(kind.as_deref(), Some("application/json"), "{language}");
        let digest = seen.header("content-digest").unwrap_or_default();
        assert!(digest.starts_with("sha-256=:"), "{language}: {digest}");
        assert_eq!(seen.header("signature-input"), None, "{language}");
        assert_eq!(seen.header("signature"), None, "{language}");
        let bearer = format!("Bearer {}", table.gate.token);
        assert_eq!(seen.header("authorization"), Some(bearer), "{language}");
    }
    let before = table.upstream.seen().len();
    let said = with("/posts?draft=1", &format!("sk_{}", fresh()));
    assert!(said.contains("\"signature-invalid\""), "{language}: {said}");
    let after = table.upstream.seen().len();
    table.that(after == before, || format!("{language}: reached the upstream"));
}

#[test]
fn every_example_has_fifteen_lines_at_most() {
    for language in ["sh", "js", "python", "go"] {
        let lines = example(language).lines().count();
        assert!((5..=15).contains(&lines), "{language}: {lines} lines");
    }
}

#[test]
fn the_example_for_sh_signs() {
    if found(&["bash", "curl", "openssl"], "the example for sh") {
        assert_signs(Path::new("bash"), &["-euc"], "sh");
    }
}

#[test]
fn the_example_for_javascript_signs() {
    assert_signs(Path::new("node"), &["--input-type=module", "-e"], "js");
}

#[test]
fn the_example_for_python_signs() {
    let Some(programs) = python("docs/signing.md") else {
        return;
    };
    assert_signs(&programs.join("python"), &["-c"], "python");
}

/// Returns the URL that the example's `link` makes of these arguments.
fn link(code: &str, arguments: &[&str]) -> String {
    let import = "import { createHmac } from 'node:crypto';\n";
    let import = if code.contains("import ") { "" } else { import };
    let program = format!("{import}{code}\nconsole.log(link(...process.argv.slice(1)));");
    let mut node = Command::new("node");
    node.args(["--input-type=module", "-e", &program, "--"]);
    run(node.args(arguments), "")
}

#[test]
fn the_examples_for_links_sign() {
    let waf_secret = fresh();
    let mut table = Check::of(|setup| {
        setup.site(json!({"schemes": ["url", "waf-url"]})).env("WAF_SECRET", waf_secret.as_str())
    });
    let mut examples = fences("clients.md", "js");
    examples.retain(|code| code.contains("const link ="));
    let [url, waf] = examples.as_slice() else {
        panic!("two examples for links: {examples:#?}");
    };
    let secret = sk(&table.gate.signing_secret, KEY, 1);
    let exp = (now() + 300).to_string();
    for target in ["/x", "/x?a=%2f"] {
        let signed = |secret: &str| {
            let link = link(url, &[HOST, target, KEY, &exp, secret]);
            let origin = format!("https://{HOST}");
            Request::get(link.strip_prefix(&origin).expect("a link to the host"))
        };
        table.passes("a signed link", &signed(&secret));
        let forged = signed(&fresh());
        table.refused("a forged link", &forged, 401, "signature-invalid");
        let joint = if target.contains('?') { '&' } else { '?' };
        let text = format!("{target}{joint}key={KEY}");
        let signed = |secret: &str| Request::get(&link(waf, &[&text, secret]));
        table.passes("a WAF link", &signed(&waf_secret));
        let forged = signed(&fresh());
        table.refused("a forged WAF link", &forged, 401, "signature-invalid");
    }
}
