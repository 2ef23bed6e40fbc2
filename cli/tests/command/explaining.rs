//! `explain`: that it names the rule and the reason, finds the usual mistakes, marks the first
//! difference of two bases, and shows no secret.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use writegate::KeyId;
use writegate::MacKey;
use writegate::Secret;
use writegate::derive_sk;

use crate::checkout::{Checkout, Done, random_secret};
use crate::signing::headers;

const URL: &str = "https://gate.example/posts?x=1";
const WRANGLER: &str = "[vars]\nUPSTREAM = \"https://api.example\"\n[[vars.KEYS]]\nid = \"pk_site\"\nversion = 3\n\
    schemes = [\"session\", \"signature\", \"url\"]\nmethods = [\"GET\", \"POST\"]\npaths = [\"/posts\", \"/posts/*\"]\n";

struct Scene {
    checkout: Checkout,
    root: String,
}

impl Scene {
    fn new() -> Self {
        let (checkout, root) = (Checkout::new(WRANGLER), random_secret());
        checkout.secret(&root);
        Self { checkout, root }
    }

    fn explain(&self, options: &[&str], request: &[&str]) -> String {
        let arguments = [&["explain"], options, &["--"], request].concat();
        let told = self.checkout.run(&arguments).succeeded();
        assert!(!told.contains(&self.root));
        told
    }

    fn sk(&self, version: u32) -> String {
        let id = KeyId::parse("pk_site").unwrap();
        let sk = derive_sk(&Secret::new(self.root.as_str()), &id, version);
        sk.expose_str().unwrap().to_owned()
    }

    /// A signed POST of `{}`, as arguments of curl.
    fn signed(&self) -> Vec<String> {
        let sign = ["request", "sign", "--key", "pk_site", "--body", "{}", "POST", URL];
        let signed = headers(&self.checkout.run(&sign).succeeded());
        let headers = signed
            .into_iter()
            .flat_map(|(name, value)| ["-H".to_owned(), format!("{name}: {value}")]);
        headers.collect()
    }

    /// Signs with a MAC of the test's own, over what `message` makes of the base.
    fn signed_by(&self, key: &str, message: impl Fn(&str) -> String) -> Vec<String> {
        let mut arguments = self.signed();
        let input = arguments[3].split_once("sig1=").unwrap().1;
        let digest = arguments[1].split_once(": ").unwrap().1;
        let base = format!(
            "\"@method\": POST\n\"@authority\": gate.example\n\"@path\": /posts\n\"@query\": ?x=1\n\
             \"content-digest\": {digest}\n\"@signature-params\": {input}"
        );
        let tag = MacKey::new(&Secret::new(key)).tag(message(&base).as_bytes());
        arguments[5] = format!("Signature: sig1=:{}:", STANDARD.encode(tag));
        arguments
    }

    fn explain_post(&self, options: &[&str], headers: &[String], url: &str, body: &str) -> String {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let request = [&["curl", "-X", "POST"], &headers[..], &["-d", body, url]].concat();
        self.explain(options, &request)
    }
}

#[test]
fn what_is_right_is_accepted() {
    let scene = Scene::new();
    let told = scene.explain_post(&[], &scene.signed(), URL, "{}");
    assert!(told.starts_with("With this configuration it is accepted"), "{told}");
}

#[test]
fn the_rule_and_the_reason_are_named() {
    let scene = Scene::new();
    let signed = scene.signed();
    let session = scene.checkout.run(&["session", "mint", "--key", "pk_site"]).succeeded();
    let bearer = format!("Authorization: Bearer {}", session.trim());
    let link = scene.checkout.run(&["url", "sign", "--key", "pk_site", URL]).succeeded();
    let other =
        scene.checkout.run(&["session", "mint", "--key", "pk_other", "--unknown-key"]).succeeded();
    let other = format!("Authorization: Bearer {}", other.trim());
    for (told, code, reason) in [
        (
            scene.explain_post(&[], &signed, URL, "[]"),
            "401 digest-mismatch",
            "its digest is sha-256=:",
        ),
        (
            scene.explain_post(&["--at", "2030-01-01T00:00:00Z"], &signed, URL, "{}"),
            "401 signature-stale",
            "it may be 300 s old",
        ),
        (scene.explain(&[], &[URL]), "401 credential-missing", "credential is required"),
        (
            scene.explain(&[], &["-H", &bearer, "https://gate.example/other"]),
            "403 path-denied",
            "/other; the key's paths are: /posts, /posts/*",
        ),
        (
            scene.explain(&[], &["-X", "PUT", "-H", &bearer, URL]),
            "403 method-denied",
            "PUT; the key's methods are: GET, POST",
        ),
        (
            scene.explain(&["--at", "2030-01-01"], &["-H", &bearer, URL]),
            "401 session-expired",
            "exp is 20",
        ),
        (
            scene.explain(&["--at", "2030-01-01"], &[link.trim()]),
            "401 url-expired",
            "it was good until 20",
        ),
        (
            scene.explain(&[], &["-H", &other, URL]),
            "401 key-unknown",
            "wrangler.toml has these keys: pk_site",
        ),
    ] {
        assert!(
            told.contains(&format!("it is refused: {code}")) && told.contains(reason),
            "{code}: {told}"
        );
    }
    let input = signed[3].replace("\"@query\" ", "").replace(";created=", ";x=");
    let less = [signed[..3].to_vec(), vec![input], signed[4..].to_vec()].concat();
    let told = scene.explain_post(&[], &less, URL, "{}");
    assert!(told.contains("signature-incomplete"), "{told}");
    assert!(
        told.contains("the target is not covered") && told.contains("there is no created"),
        "{told}"
    );
}

#[test]
fn the_usual_mistakes_with_the_secret_are_found() {
    let scene = Scene::new();
    let (sk, old) = (scene.sk(3), scene.sk(2));
    let bare = sk.strip_prefix("sk_").unwrap().to_owned();
    let whole = |base: &str| base.to_owned();
    for (headers, found) in [
        (scene.signed_by(&old, whole), "the key's secret of version 2 under SIGNING_SECRET"),
        (scene.signed_by(&bare, whole), "without its prefix"),
        (scene.signed_by(&scene.root, whole), "SIGNING_SECRET itself"),
        (scene.signed_by(&sk, |base| format!("{base}\n")), "a line break after it"),
        (scene.signed_by(&sk, |base| base.replace("POST\n", "post\n")), "the method in lower case"),
        (scene.signed_by(&random_secret(), whole), "No usual mistake"),
    ] {
        let told = scene.explain_post(&[], &headers, URL, "{}");
        assert!(
            told.contains("it is refused: 401 signature-invalid") && told.contains(found),
            "{found}: {told}"
        );
        assert!(!told.contains(&bare), "{told}");
    }
    // A session signed with the secret decoded, as some libraries are made to.
    let claims = URL_SAFE_NO_PAD.encode(json!({"exp": 4_000_000_000_u64}).to_string());
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "kid": "pk_site"}).to_string());
    let message = format!("{header}.{claims}");
    let key = Secret::new(URL_SAFE_NO_PAD.decode(&bare).unwrap());
    let tag = URL_SAFE_NO_PAD.encode(MacKey::new(&key).tag(message.as_bytes()));
    let told = scene.explain(&[], &["-H", &format!("Authorization: Bearer {message}.{tag}"), URL]);
    assert!(told.contains("decoded: use it as text"), "{told}");
}

#[test]
fn the_gate_s_base_is_shown_beside_one_s_own_with_the_first_difference_marked() {
    let scene = Scene::new();
    let signed = scene.signed();
    let problem = json!({
        "code": "signature-invalid",
        "signature_base": "\"@method\": POST\n\"@authority\": other.example",
    });
    let problem = scene.checkout.file("problem.json", &problem.to_string());
    let told = scene.explain_post(&["--problem", &problem], &signed, URL, "{}");
    for part in [
        "The gate answered 401 signature-invalid",
        "The two differ",
        "the request as given",
        "| what the gate saw",
        "| \"@authority\": other.example",
        "line 2, at character 15:",
        "its key is the key's secret of version 3 under SIGNING_SECRET.",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let headers: Vec<&str> = signed.iter().map(String::as_str).collect();
    let arguments = [&["explain", "--problem", "-", "--"], &headers[..], &[URL]].concat();
    let mut piped = scene.checkout.command(&arguments);
    piped.stdin(std::fs::File::open(&problem).unwrap());
    let told = Done::of(&mut piped).succeeded();
    assert!(told.contains("| \"@authority\": other.example"), "{told}");
    let base = scene.checkout.file("base", "\"@method\": POST\n\"@authority\": gate.example:443\n");
    let told = scene.explain_post(&["--base", &base], &signed, URL, "{}");
    assert!(told.contains("what was signed") && told.contains("gate.example:443"), "{told}");
}

#[test]
fn a_har_is_enough_and_without_a_root_the_bases_still_are() {
    let scene = Scene::new();
    let signed = scene.signed();
    let headers: Vec<_> = signed
        .chunks(2)
        .map(|pair| pair[1].split_once(": ").unwrap())
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let now = "2026-11-23T00:00:00Z";
    let entry = json!({
        "startedDateTime": now,
        "request": {"method": "POST", "url": URL, "headers": headers, "postData": {"text": "{}"}},
    });
    let har = json!({"log": {"entries": [entry]}}).to_string();
    let har = scene.checkout.file("log.har", &har);
    let told = scene.checkout.run(&["explain", "--har", &har]).succeeded();
    // The HAR's own time counts, not today's.
    assert!(
        told.contains("401 signature-stale") && told.contains(now.split('T').next().unwrap()),
        "{told}"
    );

    let caller = Checkout::new("");
    let problem = json!({"code": "signature-invalid", "signature_base": "\"@method\": POST"});
    let problem = caller.file("problem.json", &problem.to_string());
    let arguments = ["explain", "--problem", &problem, "--har", &har];
    let mut command = caller.command(&arguments);
    let told = Done::of(command.env("WRITEGATE_SK", scene.sk(3))).succeeded();
    assert!(told.contains("It cannot be judged here: SIGNING_SECRET"), "{told}");
    assert!(told.contains("line 2") && told.contains("its key is WRITEGATE_SK."), "{told}");
}

#[test]
fn what_cannot_be_read_is_a_usage_error() {
    let scene = Scene::new();
    let file = scene.checkout.file("not.json", "{");
    for arguments in [
        ["explain"].as_slice(),
        &["explain", "--", "-X", "GET"],
        &["explain", "--", "-H", "X", URL],
        &["explain", "--", "--upload-file", "x", URL],
        &["explain", "--problem", &file, "--", URL],
        &["explain", "--har", &file],
        &["explain", "--at", "yesterday", "--", URL],
    ] {
        let done = scene.checkout.run(arguments);
        assert_eq!((done.code, done.out.as_str()), (Some(2), ""), "{arguments:?}: {}", done.err);
    }
}
