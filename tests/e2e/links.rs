//! Signed URLs and WAF-token URLs on workerd: one matrix, a line for each rule and refusal. Their form is in
//! `tests/core/signed_urls/`, `tests/core/waf_urls/`.

use serde_json::{Value, json};
use testkit::check::Check;
use testkit::client::{HOST, Request};
use testkit::gate::{Gate, Setup};
use testkit::links::{before_sig, encoded_waf_link, signed, waf_link};
use testkit::token::{fresh, now, sk};

/// A week: how long a link of the default key may be good.
const WEEK: u64 = 604_800;

/// Makes a link to a target, good from now on or over.
type Make = Box<dyn Fn(&str, bool) -> String>;

/// Returns a kind of link: its name, how it is made, and how it is made by somebody else.
fn kinds(gate: &Gate, waf_secret: &str) -> [(&'static str, Make, Make); 3] {
    let by_key = |secret: String| -> Make {
        Box::new(move |target, is_good| {
            let exp = if is_good { now() + 300 } else { now() - 300 };
            signed(&secret, HOST, &before_sig(target, "pk_url", exp))
        })
    };
    let by_secret = |secret: String, make: fn(&str, &str, u64) -> String| -> Make {
        Box::new(move |target, is_good| {
            let joint = if target.contains('?') { '&' } else { '?' };
            let issued = if is_good { now() } else { now() - WEEK - 300 };
            make(&secret, &format!("{target}{joint}key=pk_waf"), issued)
        })
    };
    let own = || waf_secret.to_owned();
    [
        ("url", by_key(sk(&gate.signing_secret, "pk_url", 1)), by_key(fresh())),
        ("waf-url", by_secret(own(), waf_link), by_secret(fresh(), waf_link)),
        ("waf-url", by_secret(own(), encoded_waf_link), by_secret(fresh(), encoded_waf_link)),
    ]
}

fn links(setup: Setup, more: &Value) -> Setup {
    let key = |id: &str, scheme: &str| {
        let mut record = json!({"id": id, "schemes": [scheme]});
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record
    };
    setup.key(key("pk_url", "url")).key(key("pk_waf", "waf-url"))
}

#[test]
fn every_rule_of_every_kind_of_link() {
    let secret = fresh();
    let mut table = Check::of(|setup| {
        let narrow =
            json!({"paths": ["/x", "/x/*"], "allowed_origins": ["https://www.example.com"]});
        links(setup, &narrow)
            .env("WAF_SECRET", secret.as_str())
            .route("/*", json!({}))
            .route("/named/*", json!({"waf_key": "pk_named"}))
            .key(json!({"id": "pk_named", "schemes": ["waf-url"]}))
            .key(json!({"id": "pk_session"}))
    });
    for (kind, make, forge) in kinds(&table.gate, &secret) {
        let good = make("/x?a=%7e&b", true);
        for method in ["GET", "HEAD"] {
            let answer = table.passes(&format!("{kind}: {method}"), &Request::new(method, &good));
            let arrived = table.upstream.last().target;
            table.that(arrived == "/x?a=%7e&b", || format!("{kind}: arrived as {arrived}"));
            let line = table.gate.logs.audit(&answer.request_id());
            table.that(line["scheme"] == kind && line["verified"] == true, || line.to_string());
        }
        let shared = format!("{good}&utm_source=letter&fbclid=abc");
        table.passes(&format!("{kind}: with trackers"), &Request::get(&shared));
        let to = |request: Request, status, code| (request, status, code);
        for (request, status, code) in [
            to(Request::post(&good), 403, "method-denied"),
            to(Request::get(&make("/y", true)), 403, "path-denied"),
            to(Request::get(&good).origin("https://evil.example"), 403, "origin-denied"),
            to(Request::get(&make("/x", false)), 401, "url-expired"),
            to(Request::get(&forge("/x", true)), 401, "signature-invalid"),
            to(Request::get(&good.replace("/x?", "/x/2?")), 401, "signature-invalid"),
            to(Request::get(&good.replace("=pk_", "=pk_not_")), 401, "key-unknown"),
            to(Request::get(&format!("{good}&c=1")), 400, "bad-credential"),
            to(Request::get(&format!("{good}&key=pk_url")), 400, "ambiguous-credential"),
            to(
                Request::get(&good).bearer(&table.gate.session_of("pk_session").mint()),
                400,
                "ambiguous-credential",
            ),
        ] {
            table.refused(&format!("{kind}: {code}"), &request, status, code);
        }
    }
    let named = waf_link(&secret, "/named/x", now());
    table.passes("the route's key", &Request::get(&named));
    let elsewhere = Request::get(&named).header("Host", "other.example");
    table.passes("a WAF-token URL says no host", &elsewhere);
    let own = signed(
        &sk(&table.gate.signing_secret, "pk_url", 1),
        HOST,
        &before_sig("/x", "pk_url", now() + 300),
    );
    let elsewhere = Request::get(&own).header("Host", "other.example");
    table.refused("a signed URL does", &elsewhere, 401, "signature-invalid");
}

#[test]
fn without_its_secret_no_waf_token_url_is_good() {
    let mut table = Check::of(|setup| links(setup, &json!({})));
    let link = Request::get(&waf_link(&fresh(), "/x?key=pk_waf", now()));
    table.refused("no WAF_SECRET", &link, 503, "feature-unavailable");
    table.gate.logs.until("line about WAF_SECRET", |lines| {
        let mut alarms = lines.iter().filter(|line| line.is_event("feature_unavailable"));
        alarms.any(|line| line.text.contains("WAF_SECRET")).then_some(())
    });
    let own = kinds(&table.gate, "").into_iter().next().unwrap().1;
    table.passes("a signed URL needs none", &Request::get(&own("/x", true)));
}
