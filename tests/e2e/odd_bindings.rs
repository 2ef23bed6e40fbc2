//! Bindings that are not what their names say, and odd answers of a rate limiter: whatever asks for one is refused, and
//! the isolate goes on (docs/wire-contract.md, section 1).

use serde_json::json;
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::KEY;
use testkit::process::Script;

/// The gate with such bindings.
const ODD: &str = "import gate from './built.js';
export * from './built.js';
class Other {}
class Limiter {
  constructor(limit) { this.limit = limit; }
}
const odd = {
  KEY_REGISTRY: new Other(), WRITE_TOKEN: new Other(), RATE_OTHER: new Other(), LEDGER: new Other(), REPLAY: new Other(),
  RATE_THROWS: new Limiter(() => { throw new Error('broken'); }), RATE_NOTHING: new Limiter(() => undefined),
  RATE_EMPTY: new Limiter(() => ({})), RATE_WORD: new Limiter(async () => ({ success: 'true' })),
};
export default {
  fetch: (request, env, ctx) => gate.fetch(request, { ...env, ...odd }, ctx),
  scheduled: (event, env, ctx) => gate.scheduled(event, { ...env, ...odd }, ctx),
};";

#[test]
fn a_binding_of_another_kind_is_refused_like_a_missing_one() {
    let mut table = Check::of(|setup| {
        ["other", "throws", "nothing", "empty", "word"]
            .iter()
            .fold(setup.site(json!({})), |setup, rate| {
                setup.key(json!({"id": format!("pk_{rate}"), "rate": rate}))
            })
            .key(json!({"id": "pk_quota", "quota": {"requests": 1, "per": "day"}}))
            .key(json!({"id": "pk_nonce", "schemes": ["signature"], "nonce": "required"}))
            .env("FINE", "another.token")
            .route("/*", json!({}))
            .route("/fine", json!({"upstream_auth": {"scheme": "bearer", "secret": "FINE"}}))
            .script(Script::Around(ODD))
    });
    let by = |path: &str, id: &str| Request::post(path).bearer(&table.gate.session_of(id).mint());
    let signed = table.gate.signature_of("pk_nonce").nonce("12345678");
    let fine = by("/fine", KEY);
    let mut odd = vec![
        ("the registry", by("/fine", "pk_registered")),
        ("the token", by("/x", KEY)),
        ("the ledger", by("/fine", "pk_quota")),
        ("the replay guard", signed.sign(Request::post("/fine"))),
    ];
    for rate in ["other", "throws", "nothing", "empty", "word"] {
        odd.push((rate, by("/fine", &format!("pk_{rate}"))));
    }
    for (what, request) in odd {
        table.refused(what, &request, 503, "feature-unavailable");
        table.passes("one that needs none of them", &fine);
    }
    // The daily check reads the token, too.
    Request::get("/").send_to(table.gate.cron).passed();
    let lines = table.gate.logs.events("rotation", 2);
    let state = |secret: &str| {
        let of = |line: &&(_, serde_json::Value)| line.1["secret"] == secret;
        lines.iter().find(of).map(|(_, line)| line["state"].clone())
    };
    assert_eq!(
        [state("WRITE_TOKEN"), state("FINE")],
        [Some("missing".into()), Some("unknown".into())]
    );
}
