// The page's client with a bound session: what a signature covers, its digest, times and key. Run by javascript.rs.

import assert from "node:assert/strict";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { mock } from "node:test";

const GATE = "https://gate.example.com:8443";
let now = 1_800_000_000_000;
Date.now = () => now;
let sent = [];
let answers = [];
globalThis.fetch = async (request) => (sent.push(request), (answers.shift() ?? (() => new Response("ok")))());
const { writegate } = await import("../../public/_gate/client.js");

const secret = `ss_${randomBytes(32).toString("base64url")}`;
/** A token whose base64url has more than one of each letter that base64 has not. */
const token = (claims) => `e30.${Buffer.from(JSON.stringify({ sub: "~~~???~~~???", cnf: { kid: "s_1" }, ...claims })).toString("base64url")}.mac`;
for (const letter of ["-", "_"]) assert.ok(token({}).split(letter).length > 2);
const bound = (claims, fields = {}) => {
  [sent, answers] = [[], []];
  const site = { made: 0 };
  const session = () => (site.made++, { token: token(claims), session_key: secret, ...fields });
  return Object.assign(site, writegate({ url: GATE, session }));
};

/** Checks a request's signature by RFC 9421, and returns its components and parameters. */
const verify = (request) => {
  const { host, pathname, search } = new URL(request.url);
  const derived = { "@method": request.method, "@authority": host, "@path": pathname, "@query": search || "?" };
  const [, params, names, rest] = /writegate=(\(([^)]*)\)(.*))$/.exec(request.headers.get("signature-input"));
  const components = names.split(" ").map((name) => JSON.parse(name));
  const lines = components.map((name) => `"${name}": ${derived[name] ?? request.headers.get(name)}`);
  const base = [...lines, `"@signature-params": ${params}`].join("\n");
  const mac = createHmac("sha256", secret).update(base).digest("base64");
  const signature = request.headers.get("signature");
  assert.ok(signature.endsWith(`writegate=:${mac}:`), signature);
  const [, created, keyid, nonce] = /^;created=(\d+);keyid="([^"]+)";nonce="([^"]+)"$/.exec(rest);
  assert.equal(Buffer.from(nonce, "base64").length, 16);
  return { components, created: Number(created), keyid, nonce };
};

// The URL in its normal form and the session are covered, and a digest of each body that is no stream and not too large.
const URL_AND_SESSION = ["@method", "@authority", "@path", "@query", "authorization"];
const MAX = 10 * 1024 * 1024;
for (const [path, init, digested] of [
  ["/", {}],
  ["/posts/%C3%A9?", { method: "DELETE" }],
  ["/posts?a=1&b=%20", { method: "POST", body: "hello" }, "hello"],
  ["/posts", { method: "PUT", body: new Blob(["hello"]) }, "hello"],
  ["/posts", { method: "PATCH", body: "" }],
  ["/posts", { method: "POST", body: Buffer.alloc(MAX, "x") }, "x".repeat(MAX)],
  ["/posts", { method: "POST", body: Buffer.alloc(MAX + 1, "x") }],
  ["/posts", { method: "POST", body: new Blob(["hello"]).stream(), duplex: "half" }],
]) {
  await bound().fetch(path, init);
  const digest = digested && `sha-256=:${createHash("sha256").update(digested).digest("base64")}:`;
  const { components, keyid } = verify(sent[0]);
  assert.deepEqual(components, digest ? [...URL_AND_SESSION, "content-digest"] : URL_AND_SESSION, path);
  assert.equal(sent[0].headers.get("content-digest"), digest ?? null);
  assert.equal(keyid, "s_1");
}

{
  // A signature of the page's own stays, and its digest does not.
  const headers = { signature: "mine=:AA==:", "signature-input": "mine=()", "content-digest": "sha-256=:AA==:" };
  await bound().fetch("/", { method: "POST", body: "hello", headers });
  verify(sent[0]);
  assert.match(sent[0].headers.get("signature"), /^mine=:AA==:, writegate=/);
  assert.match(sent[0].headers.get("signature-input"), /^mine=\(\), writegate=/);
}

// `created` is the gate's time: the session's `iat` and what has passed since, whatever the clock.
for (const ahead of [0, 7 * 3_600, -7 * 3_600]) {
  const gateTime = Math.floor(now / 1000) - ahead;
  const site = bound({ iat: gateTime });
  await site.fetch("/");
  now += 61_900;
  await site.fetch("/");
  const [first, second] = sent.map(verify);
  assert.deepEqual([first.created, second.created, site.made], [gateTime, gateTime + 61, 1]);
  assert.notEqual(first.nonce, second.nonce);
  now -= 1_900;
}
// Without `iat`, it is the page's time.
now += 999;
await bound().fetch("/");
assert.equal(verify(sent[0]).created, Math.floor(now / 1000));

// A stale signature or an expired session is renewed once, and signed anew; a stream is not sent again.
for (const [code, body, times] of [
  ["signature-stale", "hello", 2],
  ["session-expired", "hello", 2],
  ["signature-invalid", "hello", 1],
  ["signature-stale", new Blob(["hello"]).stream(), 1],
]) {
  const site = bound();
  const headers = { "content-type": "application/problem+json" };
  const refusal = () => Response.json({ type: `/_gate/problems#${code}`, code, status: 401 }, { status: 401, headers });
  answers = [refusal, refusal];
  await assert.rejects(site.fetch("/", { method: "POST", body, duplex: "half" }), { code });
  assert.deepEqual([sent.length, site.made], [times, times], code);
  assert.equal(new Set(sent.map((request) => verify(request).nonce)).size, times);
}

{
  // The secret becomes a key that scripts cannot read.
  const spy = mock.method(crypto.subtle, "importKey");
  await bound().ready();
  const key = await spy.mock.calls[0].result;
  assert.deepEqual([key.extractable, key.usages, key.algorithm.hash.name], [false, ["sign"], "SHA-256"]);
}

// A page that is not secure has no crypto.subtle: it can use a session, but not a bound one.
Object.defineProperty(globalThis, "crypto", { value: undefined });
const insecure = await import("../../public/_gate/client.js?insecure");
await insecure.writegate({ url: GATE, session: () => ({ token: "t" }) }).ready();
const site = insecure.writegate({ url: GATE, session: () => ({ token: token({}), session_key: secret }) });
await assert.rejects(site.ready(), { name: "TypeError", message: /needs crypto.subtle/ });
