//! `explain`: that it names the rule and the reason, finds the usual mistakes, marks the first
//! difference of two bases, and shows no secret.

mod input;
mod limits;
mod reasons;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use writegate::{KeyId, MacKey, Secret, derive_sk};

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
        let shown = explained(&self.checkout.run(&arguments));
        assert!(!shown.contains(&self.root));
        shown
    }

    fn mint(&self, more: &[&str]) -> String {
        let mint = [&["session", "mint", "--key", "pk_site"], more].concat();
        format!("Authorization: Bearer {}", self.checkout.run(&mint).succeeded().trim())
    }

    fn sk(&self, version: u32) -> String {
        let id = KeyId::parse("pk_site").unwrap();
        let sk = derive_sk(&Secret::new(self.root.as_str()), &id, version);
        sk.expose_str().unwrap().to_owned()
    }

    /// Returns a signed POST of `{}`, as arguments of curl.
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

/// Returns the explanation. Its exit code says whether the request is accepted.
#[track_caller]
fn explained(done: &Done) -> String {
    let is_accepted = done.out.contains("is accepted") && !done.out.contains("The gate answered");
    assert_eq!(done.code, Some(if is_accepted { 0 } else { 1 }), "{}{}", done.out, done.err);
    assert_eq!(done.err, "");
    done.out.clone()
}

#[test]
fn what_is_right_is_accepted() {
    let scene = Scene::new();
    let shown = scene.explain_post(&[], &scene.signed(), URL, "{}");
    assert!(shown.starts_with("With this configuration it is accepted"), "{shown}");
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
    for (shown, code, reason) in [
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
        (scene.explain(&["--at", "2030-01-01"], &[link.trim()]), "401 url-expired", "exp is 20"),
        (
            scene.explain(&[], &["-H", &other, URL]),
            "401 key-unknown",
            "wrangler.toml has these keys: pk_site",
        ),
    ] {
        assert!(
            shown.contains(&format!("it is refused: {code}")) && shown.contains(reason),
            "{code}: {shown}"
        );
    }
    let input = signed[3].replace("\"@query\" ", "").replace(";created=", ";x=");
    let less = [signed[..3].to_vec(), vec![input], signed[4..].to_vec()].concat();
    let shown = scene.explain_post(&[], &less, URL, "{}");
    assert!(shown.contains("signature-incomplete"), "{shown}");
    assert!(
        shown.contains("the target is not covered") && shown.contains("there is no created"),
        "{shown}"
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
        let shown = scene.explain_post(&[], &headers, URL, "{}");
        assert!(
            shown.contains("it is refused: 401 signature-invalid") && shown.contains(found),
            "{found}: {shown}"
        );
        assert!(!shown.contains(&bare), "{shown}");
    }
    // A session signed with the secret decoded, as some libraries are made to.
    let claims = URL_SAFE_NO_PAD.encode(json!({"exp": 4_000_000_000_u64}).to_string());
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "kid": "pk_site"}).to_string());
    let message = format!("{header}.{claims}");
    let key = Secret::new(URL_SAFE_NO_PAD.decode(&bare).unwrap());
    let tag = URL_SAFE_NO_PAD.encode(MacKey::new(&key).tag(message.as_bytes()));
    let shown = scene.explain(&[], &["-H", &format!("Authorization: Bearer {message}.{tag}"), URL]);
    assert!(shown.contains("decoded: use it as text"), "{shown}");
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
    let shown = scene.explain_post(&["--problem", &problem], &signed, URL, "{}");
    for part in [
        "The gate answered 401 signature-invalid",
        "The two differ",
        "the request as given",
        "| what the gate saw",
        "| \"@authority\": other.example",
        "line 2, at character 15:",
        "its key is the key's secret of version 3 under SIGNING_SECRET.",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let headers: Vec<&str> = signed.iter().map(String::as_str).collect();
    let arguments = [&["explain", "--problem", "-", "--"], &headers[..], &[URL]].concat();
    let mut piped = scene.checkout.command(&arguments);
    piped.stdin(std::fs::File::open(&problem).unwrap());
    let shown = explained(&Done::of(&mut piped));
    assert!(shown.contains("| \"@authority\": other.example"), "{shown}");
    let base = scene.checkout.file("base", "\"@method\": POST\n\"@authority\": gate.example:443\n");
    let shown = scene.explain_post(&["--base", &base], &signed, URL, "{}");
    assert!(shown.contains("what was signed") && shown.contains("gate.example:443"), "{shown}");
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
    let shown = explained(&scene.checkout.run(&["explain", "--har", &har]));
    // The HAR's own time counts, not today's.
    assert!(
        shown.contains("401 signature-stale") && shown.contains(now.split('T').next().unwrap()),
        "{shown}"
    );

    let caller = Checkout::new("");
    let problem = json!({"code": "signature-invalid", "signature_base": "\"@method\": POST"});
    let problem = caller.file("problem.json", &problem.to_string());
    let arguments = ["explain", "--problem", &problem, "--har", &har];
    let mut command = caller.command(&arguments);
    let shown = explained(&Done::of(command.env("WRITEGATE_SK", scene.sk(3))));
    assert!(shown.contains("Without the gate's configuration"), "{shown}");
    assert!(shown.contains("401 signature-stale"), "{shown}");
    assert!(shown.contains("line 2") && shown.contains("its key is WRITEGATE_SK."), "{shown}");
}

#[test]
fn a_caller_with_only_a_key_s_secret_has_the_credential_judged() {
    let scene = Scene::new();
    let folder = std::env::temp_dir().join(random_secret());
    std::fs::create_dir_all(&folder).unwrap();
    let explain = |sk: Option<&str>, options: &[&str], request: &[&str]| {
        let arguments = [&["explain"], options, &["--"], request].concat();
        let mut command = crate::checkout::writegate(&arguments);
        command.current_dir(&folder);
        if let Some(sk) = sk {
            command.env("WRITEGATE_SK", sk);
        }
        let shown = explained(&Done::of(&mut command));
        assert!(!shown.contains("openssl") && !shown.contains(&scene.sk(3)), "{shown}");
        shown
    };
    let sk = scene.sk(3);
    let bearer = scene.mint(&[]);
    let link = scene.checkout.run(&["url", "sign", "--key", "pk_site", URL]).succeeded();
    let signed = scene.signed();
    let signed: Vec<&str> = signed.iter().map(String::as_str).collect();
    let post = [&["-X", "POST"], &signed[..], &["-d", "{}", URL]].concat();
    let bound = scene.checkout.run(&["session", "mint", "--key", "pk_site", "--bind"]).succeeded();
    let bound: serde_json::Value = serde_json::from_str(&bound).unwrap();
    let sign = ["request", "sign", "--session", bound["token"].as_str().unwrap(), "GET", URL];
    let sign = headers(&scene.checkout.run(&sign).succeeded());
    let sign: Vec<String> =
        sign.iter().flat_map(|(n, v)| ["-H".to_owned(), format!("{n}: {v}")]).collect();
    let sign: Vec<&str> = sign.iter().map(String::as_str).chain([URL]).collect();
    let tracked = format!("{}&fbclid=1", link.trim());
    for request in
        [vec!["-H", &bearer, URL], vec![link.trim()], vec![&tracked], post.clone(), sign.clone()]
    {
        let shown = explain(Some(&sk), &[], &request);
        assert!(shown.contains("is accepted"), "{request:?}: {shown}");
        let shown = explain(Some(&sk), &["--at", "2030-01-01"], &request);
        let codes = ["session-expired", "url-expired", "signature-stale"];
        assert!(codes.iter().any(|code| shown.contains(code)), "{request:?}: {shown}");
        let shown = explain(Some(&scene.sk(2)), &[], &request);
        assert!(shown.contains("401 signature-invalid"), "{request:?}: {shown}");
        let shown = explain(None, &[], &request);
        assert!(
            shown.contains("cannot be judged here") && shown.contains("WRITEGATE_SK"),
            "{shown}"
        );
    }
    let shown = explain(Some(&sk), &[], &["-H", "Authorization: Bearer undefined", URL]);
    assert!(shown.contains("the word undefined"), "{shown}");
    std::fs::remove_dir(folder).unwrap();
}

#[test]
fn the_registry_is_asked_for_a_key_that_is_elsewhere() {
    let admin = "[[vars.KEYS]]\nid = \"pk_admin\"\nadmin = true\n";
    let scene =
        Scene { checkout: Checkout::new(&format!("{WRANGLER}{admin}")), root: random_secret() };
    scene.checkout.secret(&scene.root);
    let mint = ["session", "mint", "--key", "pk_other", "--unknown-key"];
    let bearer = format!("Authorization: Bearer {}", scene.checkout.run(&mint).succeeded().trim());
    let shown = scene.explain(&[], &["-H", &bearer, URL]);
    assert!(shown.contains("key-unknown") && shown.contains("--gate URL asks that"), "{shown}");
    let (listener, gate) = crate::registry::listener();
    let record = r#"{"id":"pk_other","methods":["PUT"]}"#;
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{record}", record.len());
    let (shown, asked) = std::thread::scope(|scope| {
        let asked = scope.spawn(|| crate::registry::answer(&listener, &answer));
        (scene.explain(&["--gate", &gate], &["-H", &bearer, URL]), asked.join().unwrap())
    });
    assert!(asked.starts_with("GET /_gate/keys/pk_other HTTP/1.1"), "{asked}");
    assert!(
        shown.contains("403 method-denied") && shown.contains("the key's methods are: PUT"),
        "{shown}"
    );
}
