//! Requests that real clients of other languages signed and sent: `http-message-signatures` of PyPI with `requests`, and
//! of npm `http-message-signatures` and `http-message-sig` with `fetch`.

use std::process::Command;

use serde_json::{Value, json};
use testkit::check::Check;
use testkit::gate::KEY;
use testkit::program::{npm, python, run};
use testkit::token::{fresh, sk};

/// Each program reads an order: `method`, `url`, `keyid`, `key`, `cover`, the body to be `signed` and the body to be
/// `sent`. It prints the status and the body of the answer.
const PYTHON: &str = r"
import json, sys, requests
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver, algorithms
order = json.load(sys.stdin)
keys = MappingKeyResolver(public_keys={}, private_keys={order['keyid']: order['key'].encode()})
signer = HTTPMessageSigner(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=keys)
body = order['signed'] and order['signed'].encode()
headers = {'Content-Type': 'application/json'}
request = requests.Request(order['method'], order['url'], headers=headers, data=body).prepare()
cover = {'covered_component_ids': order['cover']} if order['cover'] else {}
signer.sign(request, key_id=order['keyid'], body=body, **cover)
request.body = order['sent'] and order['sent'].encode()
session = requests.Session()
session.trust_env = False
answer = session.send(request)
print(json.dumps([answer.status_code, answer.text]))";

/// The beginning of both programs for Node.
const NODE: &str = r"
import { createHash, createHmac } from 'node:crypto';
let text = ''; for await (const part of process.stdin) text += part;
const { method, url, keyid, key, cover, signed, sent } = JSON.parse(text);
const headers = { 'content-type': 'application/json' };
if (signed) headers['content-digest'] = `sha-512=:${createHash('sha512').update(signed).digest('base64')}:`;
const own = ['@method', '@authority', '@path', '@query', ...(signed ? ['content-digest'] : [])];
const send = async (headers) => {
  const answer = await fetch(url, { method, headers, body: sent });
  console.log(JSON.stringify([answer.status, await answer.text()]));
};";

const NODE_SIGNATURES: &str = r"
import signatures from 'http-message-signatures';
const signer = signatures.createSigner(Buffer.from(key), 'hmac-sha256', keyid);
const message = { method, url, headers, body: signed };
const config = { key: signer, fields: cover ?? own };
await send((await signatures.httpbis.signMessage(config, message)).headers);";

/// This one names no `alg`.
const NODE_SIG: &str = r"
import { appendSignature, createSignature } from 'http-message-sig';
const signer = { algorithm: 'hmac-sha256', sign: (base) => new Uint8Array(createHmac('sha256', key).update(base).digest()) };
const request = new Request(url, { method, headers, body: signed });
const parameters = { keyid, created: Math.floor(Date.now() / 1000) };
const fields = await createSignature(request, { components: cover ?? own, parameters, signer });
await send(appendSignature(new Headers(headers), fields));";

/// Asserts that the gate takes what this client signs, as long as it is right.
fn assert_accepted(client: impl Fn(&Value) -> String) {
    let mut table = Check::of(|setup| setup.site(json!({"schemes": ["signature"]})));
    let (port, key) = (table.gate.port, sk(&table.gate.signing_secret, KEY, 1));
    let order = |method: &str, target: &str, cover: Value| {
        let body = (method == "POST").then_some(r#"{"a":1}"#);
        json!({"method": method, "url": format!("http://127.0.0.1:{port}{target}"), "keyid": KEY, "key": key,
               "cover": cover, "signed": body, "sent": body})
    };
    let outcome = |order: &Value| -> (u64, String, String) {
        let answer: Value = serde_json::from_str(&client(order)).unwrap();
        let text = answer[1].as_str().unwrap().to_owned();
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        let code = problem["code"].as_str().unwrap_or_default().to_owned();
        (answer[0].as_u64().unwrap(), code, text)
    };
    let pieces = json!(["@method", "@authority", "@path", "@query", "content-type"]);
    let mut with_digest = pieces.clone();
    with_digest.as_array_mut().unwrap().push("content-digest".into());
    let whole = json!(["@target-uri", "@method", "content-digest"]);
    for (what, order) in [
        ("by default", order("POST", "/x", Value::Null)),
        ("without a body", order("GET", "/x", Value::Null)),
        ("a query", order("POST", "/a/b?b=2&a=%2f+x&c=", Value::Null)),
        ("an empty query", order("GET", "/x?", Value::Null)),
        ("piece by piece", order("POST", "/a?b=c", with_digest)),
        ("a read, piece by piece", order("GET", "/a?b=c", pieces)),
        ("the whole URL", order("POST", "/a?b=c", whole.clone())),
        ("the whole URL of the root", order("POST", "/", whole)),
    ] {
        let before = table.upstream.seen().len();
        let (status, _, text) = outcome(&order);
        table.that((status, text.as_str()) == (200, "done"), || format!("{what}: {status} {text}"));
        let seen = table.upstream.seen();
        table.that(seen.len() == before + 1, || {
            format!("{what}: should have reached the upstream once")
        });
        if let Some(seen) = seen.get(before) {
            let body = order["sent"].as_str().unwrap_or_default();
            table.that(seen.body == body.as_bytes(), || format!("{what}: another body"));
            table.that(seen.header("signature-input").is_none(), || {
                format!("{what}: the signature arrived")
            });
        }
    }
    let right = order("POST", "/a?b=c", Value::Null);
    for (what, member, value, code) in [
        ("another key", "key", json!(fresh()), "signature-invalid"),
        ("another id", "keyid", json!("pk_none"), "key-unknown"),
        ("another body", "sent", json!(r#"{"a":2}"#), "digest-mismatch"),
        ("too little", "cover", json!(["@method", "@path"]), "signature-incomplete"),
    ] {
        let mut wrong = right.clone();
        wrong[member] = value;
        let before = table.upstream.seen().len();
        let (status, got, text) = outcome(&wrong);
        table.that((status, got.as_str()) == (401, code), || {
            format!("{what}: expected {code}, got {status} {text}")
        });
        let after = table.upstream.seen().len();
        table.that(after == before, || format!("{what}: reached the upstream"));
    }
}

fn node(program: &str) -> impl Fn(&Value) -> String {
    let (folder, program) = (npm(), format!("{NODE}{program}"));
    move |order| {
        let mut node = Command::new("node");
        node.args(["--input-type=module", "-e", &program])
            .env("NO_PROXY", "127.0.0.1")
            .current_dir(folder);
        run(&mut node, &order.to_string())
    }
}

#[test]
fn pypi_s_http_message_signatures_is_accepted() {
    let Some(programs) = python("http-message-signatures") else {
        return;
    };
    assert_accepted(|order| {
        run(Command::new(programs.join("python")).args(["-c", PYTHON]), &order.to_string())
    });
}

#[test]
fn npm_s_http_message_signatures_is_accepted() {
    assert_accepted(node(NODE_SIGNATURES));
}

#[test]
fn npm_s_http_message_sig_is_accepted() {
    assert_accepted(node(NODE_SIG));
}
