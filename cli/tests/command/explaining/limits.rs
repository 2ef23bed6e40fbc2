//! The reason of a refusal by a limit: whose limit it is, and its values.

use super::*;

#[test]
fn the_limits_of_routes_keys_and_sessions_are_named_with_their_values() {
    let checkout = Checkout::keyed(
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
    let by = |id: &str| {
        let mint = checkout.run(&format!("session mint --key {id} --ttl 60"));
        format!("-H 'Authorization: Bearer {}'", mint.succeeded().trim())
    };
    let (site, old, sign, admin) = (by("pk_site"), by("pk_old"), by("pk_sign"), by("pk_admin"));
    let answered =
        |code: &str| checkout.file(&format!("{code}.json"), &format!("{{\"code\":\"{code}\"}}"));
    let (rate, quota) = (answered("rate-limited"), answered("quota-exceeded"));
    let gate = "https://gate.example";
    for (line, words) in rows(&format!(
        r#"
        -- {site} {gate}/x                        → no-route … the routes are: /posts/*
        -- {site} {gate}/posts/1                  → method-not-allowed … the route's methods are: POST
        -- {site} -d abcd {gate}/posts/1          → body-too-large … max_body_bytes of the route /posts/* is 3
        -- {site} -d a {gate}/posts/1?debug=1     → bad-request … deny_query
        -- {site} -X GET -d a {gate}/posts/1      → bad-request … a GET must not have a body
        -- {site} -H 'Upgrade: h2c' {gate}/posts/1 → bad-request … there is Upgrade
        -- {site} https://gate_.example/posts/1   → bad-request … a host of letters
        -- {site} {gate}/posts//1                 → bad-path … an empty segment
        -- {site} {gate}/posts/a%2Fb              → bad-path … an encoded slash
        -- {site} {gate}/posts/%2e%2e             → bad-path … a dot segment
        -- {site} '{gate}/posts/a b'              → bad-path … a space or a control
        -- {old} -d a {gate}/posts/1              → key-revoked … wrangler.toml has revoked = true
        -- {sign} -d a {gate}/posts/1             → proof-missing … the key's nonce is "required"
        --at 2030-01-01 -- {site} -d a {gate}/posts/1 → session-expired … s ago)
        -- {site} {gate}/_gate/keys               → path-denied … the key is not an admin key
        -- {admin} {gate}/_gate/session           → method-not-allowed … here are: POST
        -- {admin} {gate}/_gate/x                 → no-route … no such path of its own
        -- {admin} {gate}/_gate/usage             → bad-request … key: expected the id
        -- {gate}/_gate/health                    → is accepted, and the gate answers it itself
        --problem {rate} -- {site} -d a {gate}/posts/1 → rate-limited … 100 requests in 60 s
        --problem {quota} -- {site} -d a {gate}/posts/1 → the key's quota is: per = "day", requests = 7
        "#
    )) {
        let shown = explained(&checkout.run(&format!("explain {line}")));
        assert!(words.iter().all(|word| shown.contains(word)), "{words:?}: {shown}");
    }
}

#[test]
fn the_limit_that_refused_is_named_with_its_values() {
    let scene = Scene::new();
    let narrow = scene.mint("--method POST --path /posts/7 --origin https://a.example");
    let narrow = format!("-H '{narrow}' -H 'Origin: https://a.example' {URL}");
    let other = narrow.replace("a.example'", "b.example'");
    let (wide, link) = (scene.mint(""), scene.link());
    for (request, words) in rows(&format!(
        "
        {narrow}               → session … GET; the session's methods are: POST
        -X PUT -H '{wide}' {URL} → key … PUT; the key's methods are: GET, POST
        -d x {narrow}          → session … /posts; the session's paths are: /posts/7
        -H '{wide}' https://gate.example/x → key … the key's paths are: /posts, /posts/*
        -d x {other}           → session … the session's origin is: https://a.example
        -X POST '{link}'       → scheme … allows only GET and HEAD
        "
    )) {
        let [limit, values] = words.try_into().unwrap();
        scene.explains(&format!("-- {request} → The limit is the {limit}'s. … {values}"));
        let printed = scene.checkout.run(&format!("explain --json -- {request}"));
        let printed: Value = serde_json::from_str(&printed.out).unwrap();
        assert_eq!((&printed["judged"], &printed["limit"]), (&json!("refused"), &json!(limit)));
        assert!(printed["why"].to_string().contains(values), "{printed}");
    }
}
