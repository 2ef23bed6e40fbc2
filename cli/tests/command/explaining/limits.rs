//! The reason of a refusal by a limit: whose limit it is, and its values.

use super::*;

#[test]
fn the_limits_of_routes_keys_and_sessions_are_named_with_their_values() {
    let checkout = Checkout::new(
        "[vars]\nRATES = { standard = { limit = 100, period = 60 } }\n\
         [[vars.ROUTES]]\npath = \"/posts/*\"\nupstream = \"https://api.example\"\nmethods = [\"POST\"]\n\
         max_body_bytes = 3\ndeny_query = [\"debug\"]\n\
         [[vars.KEYS]]\nid = \"pk_site\"\nrate = \"standard\"\nquota = { requests = 7, per = \"day\" }\n\
         [[vars.KEYS]]\nid = \"pk_old\"\nrevoked = true\n\
         [[vars.KEYS]]\nid = \"pk_sign\"\nschemes = [\"session\", \"signature\"]\nnonce = \"required\"\n\
         [[vars.KEYS]]\nid = \"pk_admin\"\nadmin = true\n\
         [[ratelimits]]\nname = \"RATE_STANDARD\"\n[[durable_objects.bindings]]\nname = \"REPLAY\"\n\
         [[durable_objects.bindings]]\nname = \"LEDGER\"\n",
    );
    checkout.secret(&random_secret());
    let by = |id: &str| {
        let mint = checkout.run(&["session", "mint", "--key", id, "--ttl", "60"]);
        format!("Authorization: Bearer {}", mint.succeeded().trim())
    };
    let url = "https://gate.example/posts/1";
    let (site, old, sign, admin) = (by("pk_site"), by("pk_old"), by("pk_sign"), by("pk_admin"));
    let answered = |code: &str| checkout.file("answer.json", &format!("{{\"code\":\"{code}\"}}"));
    for (options, request, code, fault) in [
        (
            vec![],
            vec!["-H", &site, "https://gate.example/x"],
            "no-route",
            "the routes are: /posts/*",
        ),
        (vec![], vec!["-H", &site, url], "method-not-allowed", "the route's methods are: POST"),
        (
            vec![],
            vec!["-H", &site, "-d", "abcd", url],
            "body-too-large",
            "max_body_bytes of the route /posts/* is 3",
        ),
        (
            vec![],
            vec!["-H", &site, "-d", "a", "https://gate.example/posts/1?debug=1"],
            "bad-request",
            "deny_query",
        ),
        (
            vec![],
            vec!["-H", &site, "-X", "GET", "-d", "a", url],
            "bad-request",
            "a GET must have no body",
        ),
        (vec![], vec!["-H", &site, "-H", "Upgrade: h2c", url], "bad-request", "there is Upgrade"),
        (
            vec![],
            vec!["-H", &site, "https://gate_.example/posts/1"],
            "bad-request",
            "a host of letters",
        ),
        (
            vec![],
            vec!["-H", &site, "https://gate.example/posts//1"],
            "bad-path",
            "an empty segment",
        ),
        (
            vec![],
            vec!["-H", &site, "https://gate.example/posts/a%2Fb"],
            "bad-path",
            "an encoded slash",
        ),
        (
            vec![],
            vec!["-H", &site, "https://gate.example/posts/%2e%2e"],
            "bad-path",
            "a dot segment",
        ),
        (
            vec![],
            vec!["-H", &site, "https://gate.example/posts/a b"],
            "bad-path",
            "a space or a control",
        ),
        (
            vec![],
            vec!["-H", &old, "-d", "a", url],
            "key-revoked",
            "wrangler.toml has revoked = true",
        ),
        (
            vec![],
            vec!["-H", &sign, "-d", "a", url],
            "proof-missing",
            "the key's nonce is \"required\"",
        ),
        (
            vec!["--at", "2030-01-01"],
            vec!["-H", &site, "-d", "a", url],
            "session-expired",
            "s ago)",
        ),
        (
            vec![],
            vec!["-H", &site, "https://gate.example/_gate/keys"],
            "path-denied",
            "the key is no admin's",
        ),
        (
            vec![],
            vec!["-H", &admin, "https://gate.example/_gate/session"],
            "method-not-allowed",
            "here are: POST",
        ),
        (
            vec![],
            vec!["-H", &admin, "https://gate.example/_gate/x"],
            "no-route",
            "no such path of its own",
        ),
        (
            vec![],
            vec!["-H", &admin, "https://gate.example/_gate/usage"],
            "bad-request",
            "key: expected the id",
        ),
        (
            vec!["--problem", &answered("rate-limited")],
            vec!["-H", &site, "-d", "a", url],
            "rate-limited",
            "100 requests in 60 s",
        ),
    ] {
        let arguments = [&["explain"], &options[..], &["--"], &request].concat();
        let shown = checkout.run(&arguments).out;
        assert!(shown.contains(code) && shown.contains(fault), "{fault}: {shown}");
    }
    let file = answered("quota-exceeded");
    let arguments = ["explain", "--problem", &file, "--", "-H", &site, "-d", "a", url];
    let shown = checkout.run(&arguments).out;
    assert!(shown.contains("the key's quota is: per = \"day\", requests = 7"), "{shown}");
    let health = ["explain", "--", "https://gate.example/_gate/health"];
    let shown = checkout.run(&health).succeeded();
    assert!(shown.contains("is accepted, and the gate answers it itself"), "{shown}");
}

#[test]
fn the_limit_that_refused_is_named_with_its_values() {
    let scene = Scene::new();
    let narrow =
        scene.mint(&["--method", "POST", "--path", "/posts/7", "--origin", "https://a.example"]);
    let wide = scene.mint(&[]);
    let link = scene.checkout.run(&["url", "sign", "--key", "pk_site", URL]).succeeded();
    let origin = "Origin: https://a.example";
    for (request, limit, values) in [
        (vec!["-H", &narrow, "-H", origin, URL], "session", "GET; the session's methods are: POST"),
        (vec!["-X", "PUT", "-H", &wide, URL], "key", "PUT; the key's methods are: GET, POST"),
        (
            vec!["-d", "x", "-H", &narrow, "-H", origin, URL],
            "session",
            "/posts; the session's paths are: /posts/7",
        ),
        (
            vec!["-H", &wide, "https://gate.example/x"],
            "key",
            "the key's paths are: /posts, /posts/*",
        ),
        (
            vec!["-d", "x", "-H", &narrow, "-H", "Origin: https://b.example", URL],
            "session",
            "the session's origin is: https://a.example",
        ),
        (vec!["-X", "POST", link.trim()], "scheme", "allows only GET and HEAD"),
    ] {
        let shown = scene.explain(&[], &request);
        assert!(
            shown.contains(&format!("The limit is the {limit}'s.")) && shown.contains(values),
            "{values}: {shown}"
        );
        let printed = scene.checkout.run(&[&["explain", "--json", "--"], &request[..]].concat());
        let printed: serde_json::Value = serde_json::from_str(&printed.out).unwrap();
        assert_eq!((&printed["judged"], &printed["limit"]), (&json!("refused"), &json!(limit)));
        assert!(printed["why"].to_string().contains(&values.replace('"', "\\\"")), "{printed}");
    }
}
