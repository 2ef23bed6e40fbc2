//! `explain`: that it names the rule and the reason, finds the usual mistakes, marks the first
//! difference of two bases, and shows no secret.

mod input;
mod limits;
mod reasons;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use testkit::upstream::{Reply, Upstream};
use writegate::{MacKey, Secret};

use crate::checkout::{Checkout, Done, Empty, random_secret, rows, words, writegate};

const URL: &str = "https://gate.example/posts?x=1";
const WRANGLER: &str = "[vars]\nUPSTREAM = \"https://api.example\"\n[[vars.KEYS]]\nid = \"pk_site\"\nversion = 3\n\
    schemes = [\"session\", \"signature\", \"url\"]\nmethods = [\"GET\", \"POST\"]\npaths = [\"/posts\", \"/posts/*\"]\n";

struct Scene {
    checkout: Checkout,
    root: String,
}

impl Scene {
    fn new() -> Self {
        Self::of(WRANGLER)
    }

    fn of(wrangler: &str) -> Self {
        let (checkout, root) = (Checkout::new(wrangler), random_secret());
        checkout.secret(&root);
        Self { checkout, root }
    }

    /// Returns the explanation: what is before `--` are options, and the rest is as curl takes it.
    #[track_caller]
    fn explain(&self, line: &str) -> String {
        let shown = explained(&self.checkout.run(&format!("explain {line}")));
        assert!(!shown.contains(&self.root));
        shown
    }

    /// Explains each line of a table, and asserts that the explanation has the words behind the arrow.
    #[track_caller]
    fn explains(&self, table: &str) {
        for (line, words) in rows(table) {
            let shown = self.explain(line);
            for word in words {
                assert!(shown.contains(word), "{word}: {line}\n{shown}");
            }
        }
    }

    /// Returns the header with a session.
    fn mint(&self, more: &str) -> String {
        let session = self.checkout.prints(&format!("session mint --key pk_site {more}"));
        format!("Authorization: Bearer {session}")
    }

    fn link(&self) -> String {
        self.checkout.prints(&format!("url sign --key pk_site {URL}"))
    }

    fn sk(&self, version: u64) -> String {
        testkit::token::sk(&self.root, "pk_site", version)
    }

    /// Returns the headers of a signed POST of `{}`, as arguments of curl.
    fn signed(&self) -> String {
        self.checkout.prints(&format!("request sign --key pk_site --body '{{}}' POST {URL}"))
    }

    /// Signs with a MAC of the test's own, over what `message` makes of the base.
    fn signed_by(&self, key: &str, message: impl Fn(&str) -> String) -> String {
        let mut words = words(&self.signed());
        let input = words[3].split_once("sig1=").unwrap().1;
        let digest = words[1].split_once(": ").unwrap().1;
        let base = format!(
            "\"@method\": POST\n\"@authority\": gate.example\n\"@path\": /posts\n\"@query\": ?x=1\n\
             \"content-digest\": {digest}\n\"@signature-params\": {input}"
        );
        let tag = MacKey::new(&Secret::new(key)).tag(message(&base).as_bytes());
        words[5] = format!("Signature: sig1=:{}:", STANDARD.encode(tag));
        shlex::try_join(words.iter().map(String::as_str)).unwrap()
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
fn the_rule_and_the_reason_are_named() {
    let scene = Scene::new();
    let (signed, bearer, link) = (scene.signed(), scene.mint(""), scene.link());
    let other = scene.checkout.prints("session mint --key pk_other --unknown-key");
    let less = signed.replace("\"@query\" ", "").replace(";created=", ";x=");
    scene.explains(&format!(
        "
        -- -X POST {signed} -d '{{}}' {URL} → With this configuration it is accepted
        -- -X POST {signed} -d [] {URL} → it is refused: 401 digest-mismatch … its digest is sha-256=:
        --at 2030-01-01T00:00:00Z -- -X POST {signed} -d '{{}}' {URL} → it is refused: 401 signature-stale … at most 300 s old
        -- {URL} → it is refused: 401 credential-missing … credential is required
        -- -H '{bearer}' https://gate.example/other → it is refused: 403 path-denied … /other; the key's paths are: /posts, /posts/*
        -- -X PUT -H '{bearer}' {URL} → it is refused: 403 method-denied … PUT; the key's methods are: GET, POST
        --at 2030-01-01 -- -H '{bearer}' {URL} → it is refused: 401 session-expired … exp is 20
        --at 2030-01-01 -- '{link}' → it is refused: 401 url-expired … exp is 20
        -- -H 'Authorization: Bearer {other}' {URL} → it is refused: 401 key-unknown … wrangler.toml has these keys: pk_site
        -- -X POST {less} -d '{{}}' {URL} → signature-incomplete … the target is not covered … there is no created
        "
    ));
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
        let shown = scene.explain(&format!("-- -X POST {headers} -d '{{}}' {URL}"));
        assert!(shown.contains("it is refused: 401 signature-invalid"), "{found}: {shown}");
        assert!(shown.contains(found) && !shown.contains(&bare), "{found}: {shown}");
    }
    // A session signed with the secret decoded, as some libraries are made to.
    let claims = URL_SAFE_NO_PAD.encode(json!({"exp": 4_000_000_000_u64}).to_string());
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "kid": "pk_site"}).to_string());
    let message = format!("{header}.{claims}");
    let key = Secret::new(URL_SAFE_NO_PAD.decode(&bare).unwrap());
    let tag = URL_SAFE_NO_PAD.encode(MacKey::new(&key).tag(message.as_bytes()));
    let shown = scene.explain(&format!("-- -H 'Authorization: Bearer {message}.{tag}' {URL}"));
    assert!(shown.contains("decoded: use it as text"), "{shown}");
}

#[test]
fn the_gate_s_base_is_shown_beside_one_s_own_with_the_first_difference_marked() {
    let scene = Scene::new();
    let signed = scene.signed();
    let base = "\"@method\": POST\n\"@authority\": other.example";
    let problem = json!({"code": "signature-invalid", "signature_base": base}).to_string();
    let problem = scene.checkout.file("problem.json", &problem);
    let base = scene.checkout.file("base", "\"@method\": POST\n\"@authority\": gate.example:443\n");
    scene.explains(&format!(
        "
        --problem {problem} -- -X POST {signed} -d '{{}}' {URL} → The gate answered 401 signature-invalid … The two differ
        --problem {problem} -- -X POST {signed} -d '{{}}' {URL} → the request as given … | what the gate saw … | \"@authority\": other.example
        --problem {problem} -- -X POST {signed} -d '{{}}' {URL} → line 2, at character 15:
        --problem {problem} -- -X POST {signed} -d '{{}}' {URL} → its key is the key's secret of version 3 under SIGNING_SECRET.
        --base {base} -- -X POST {signed} -d '{{}}' {URL} → what was signed … gate.example:443
        "
    ));
    let mut piped = scene.checkout.command(&format!("explain --problem - -- {signed} {URL}"));
    piped.stdin(std::fs::File::open(&problem).unwrap());
    let shown = explained(&Done::of(&mut piped));
    assert!(shown.contains("| \"@authority\": other.example"), "{shown}");
}

#[test]
fn a_har_is_enough_and_without_a_root_the_bases_still_are() {
    let scene = Scene::new();
    let words = words(&scene.signed());
    let pairs = words.chunks(2).map(|pair| pair[1].split_once(": ").unwrap());
    let headers: Vec<_> =
        pairs.map(|(name, value)| json!({"name": name, "value": value})).collect();
    let entry = json!({
        "startedDateTime": "2026-11-23T00:00:00Z",
        "request": {"method": "POST", "url": URL, "headers": headers, "postData": {"text": "{}"}},
    });
    let har = json!({"log": {"entries": [entry]}}).to_string();
    let har = scene.checkout.file("log.har", &har);
    // The HAR's own time counts, not today's.
    scene.explains(&format!("--har {har} → 401 signature-stale … 2026-11-23"));

    let caller = Checkout::new("");
    let problem = json!({"code": "signature-invalid", "signature_base": "\"@method\": POST"});
    let problem = caller.file("problem.json", &problem.to_string());
    let mut command = caller.command(&format!("explain --problem {problem} --har {har}"));
    let shown = explained(&Done::of(command.env("WRITEGATE_SK", scene.sk(3))));
    for part in [
        "Without the gate's configuration",
        "401 signature-stale",
        "line 2",
        "its key is WRITEGATE_SK.",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn a_caller_with_only_a_key_s_secret_has_the_credential_judged() {
    let scene = Scene::new();
    let empty = Empty::new();
    let explain = |sk: Option<&str>, line: &str| {
        let mut command = writegate(&format!("explain {line}"));
        command.current_dir(&empty.0).envs(sk.map(|sk| ("WRITEGATE_SK", sk)));
        let shown = explained(&Done::of(&mut command));
        assert!(!shown.contains("openssl") && !shown.contains(&scene.sk(3)), "{shown}");
        shown
    };
    let (sk, link) = (scene.sk(3), scene.link());
    let bound = scene.checkout.json("session mint --key pk_site --bind");
    let token = bound["token"].as_str().unwrap();
    let bound = scene.checkout.prints(&format!("request sign --session {token} GET {URL}"));
    for request in [
        format!("-H '{}' {URL}", scene.mint("")),
        format!("'{link}'"),
        format!("'{link}&fbclid=1'"),
        format!("-X POST {} -d '{{}}' {URL}", scene.signed()),
        format!("{bound} {URL}"),
    ] {
        let shown = explain(Some(&sk), &format!("-- {request}"));
        assert!(shown.contains("is accepted"), "{request:?}: {shown}");
        let shown = explain(Some(&sk), &format!("--at 2030-01-01 -- {request}"));
        let codes = ["session-expired", "url-expired", "signature-stale"];
        assert!(codes.iter().any(|code| shown.contains(code)), "{request:?}: {shown}");
        let shown = explain(Some(&scene.sk(2)), &format!("-- {request}"));
        assert!(shown.contains("401 signature-invalid"), "{request:?}: {shown}");
        let shown = explain(None, &format!("-- {request}"));
        assert!(shown.contains("cannot be judged here"), "{request:?}: {shown}");
        assert!(shown.contains("WRITEGATE_SK"), "{request:?}: {shown}");
    }
    let shown = explain(Some(&sk), &format!("-- -H 'Authorization: Bearer undefined' {URL}"));
    assert!(shown.contains("the word undefined"), "{shown}");
}

#[test]
fn the_registry_is_asked_for_a_key_that_is_elsewhere() {
    let scene = Scene::of(&format!("{WRANGLER}[[vars.KEYS]]\nid = \"pk_admin\"\nadmin = true\n"));
    let session = scene.checkout.prints("session mint --key pk_other --unknown-key");
    let request = format!("-- -H 'Authorization: Bearer {session}' {URL}");
    scene.explains(&format!("{request} → key-unknown … add --gate URL"));
    let gate = Upstream::queue(vec![Reply::ok(r#"{"id":"pk_other","methods":["PUT"]}"#)]);
    let asks = format!("--gate {} {request}", gate.url());
    scene.explains(&format!("{asks} → 403 method-denied … the key's methods are: PUT"));
    let asked = gate.only();
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("GET", "/_gate/keys/pk_other"));
}
