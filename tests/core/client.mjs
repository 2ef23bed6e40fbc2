// The page's client: sessions, refusals, URLs and options, against played answers. Run by javascript.rs; Chromium has the rest.

import assert from "node:assert/strict";

const GATE = "https://gate.example.com";
let now = 1_800_000_000_000;
Date.now = () => now;

/** The requests that were sent, and the answers to the next ones; without one, the API's. */
let sent = [];
let answers = [];
const ok = () => new Response("ok", { status: 200 });
globalThis.fetch = async (input, init) => {
  sent.push(new Request(input, init));
  return (answers.shift() ?? ok)();
};
const { writegate, GateError } = await import("../../public/_gate/client.js");

const problem = { type: "/_gate/problems#a-code", title: "A title", detail: "A detail.", request_id: "r-1", reason: "spent" };
const PROBLEM = "application/problem+json";
const json = (status, body, type = "application/json", headers = {}) => () =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": type, ...headers } });
const refusal = (code, status = 401) => json(status, { ...problem, code, status }, PROBLEM);

/** A client with sessions of its own server: the tokens are `t1`, `t2` and so on. */
const withOwn = (fields = {}, options = {}) => {
  [sent, answers] = [[], []];
  const site = { made: 0 };
  const session = async () => ({ token: `t${++site.made}`, ...fields });
  return Object.assign(site, writegate({ url: GATE, session, ...options }));
};
/** A client with sessions that the gate mints. */
const minted = (...played) => {
  [sent, answers] = [[], played];
  const site = { solved: 0 };
  const turnstile = async () => `solved-${++site.solved}`;
  return Object.assign(site, writegate({ url: `${GATE}/base/`, key: "pk_site", turnstile }));
};
const tokens = () => sent.map(({ headers }) => headers.get("authorization"));

// A session is used until a tenth of its time, at most 10 s, before its end.
for (const [expires_in, ms] of [[300, 290_000], [101, 91_000], [50, 45_000], [undefined, 1e12]]) {
  const site = withOwn({ expires_in });
  await site.ready();
  now += ms - 1;
  assert.equal(await site.ready(), undefined);
  assert.equal(site.made, 1, `${expires_in} s`);
  now += 1;
  await site.fetch("/");
  assert.equal(site.made, expires_in ? 2 : 1, `${expires_in} s`);
}

{
  // Calls share a mint.
  const site = minted(json(201, { token: "t", expires_in: 300 }));
  await Promise.all([site.ready(), site.fetch("/a"), site.fetch("/b")]);
  const [mint] = sent;
  assert.deepEqual([mint.method, mint.url, mint.credentials], ["POST", `${GATE}/_gate/session`, "omit"]);
  assert.deepEqual(await mint.json(), { key: "pk_site", turnstile: "solved-1" });
  assert.deepEqual(tokens(), [null, "Bearer t", "Bearer t"]);
}

// They fail together, and the next one tries again.
for (const [answer, error] of [
  [refusal("challenge-failed", 403), { name: "GateError", code: "challenge-failed" }],
  [json(403, { ...problem, type: "about:blank" }, PROBLEM), { name: "TypeError", message: /no gate answered the mint \(403\)/ }],
  [json(500, { token: "t" }), { message: /\(500\)/ }],
  [json(201, {}), { message: /\(201\)/ }],
  [json(201, null), { message: /\(201\)/ }],
  [() => new Response("<html>"), { name: "TypeError", message: /\(200\)/ }],
  [json(201, { token: 1 }), { name: "TypeError", message: /no token/ }],
]) {
  const site = minted(answer, json(201, { token: "t" }));
  await Promise.all([site.fetch("/a"), site.ready()].map((call) => assert.rejects(call, error)));
  assert.equal(sent.length, 1);
  await site.fetch("/a");
  assert.deepEqual([site.solved, sent.length], [2, 3]);
}

// A GateError tells what the gate said.
for (const [retry, retryAfter] of [[{ "retry-after": "7" }, 7], [{ "retry-after": "0" }, 0], [{}, undefined]]) {
  const site = withOwn();
  const document = { ...problem, code: "rate-limited", status: 429 };
  answers = [json(429, document, `${PROBLEM}; charset=utf-8`, retry)];
  const error = await site.fetch("/").catch((error) => error);
  assert.ok(error instanceof GateError && error instanceof Error);
  const { name, message, code, status, title, detail, requestId, response } = error;
  assert.deepEqual([name, message, code, status], ["GateError", "rate-limited: A detail.", "rate-limited", 429]);
  assert.deepEqual([title, detail, requestId, error.retryAfter], ["A title", "A detail.", "r-1", retryAfter]);
  assert.deepEqual(error.problem, document);
  assert.deepEqual(await response.json(), document, "its body is unread");
}

// An answer of the API is returned, its body unread.
for (const [status, type, body] of [
  [200, PROBLEM, problem],
  [401, "application/json", { ...problem, code: "session-expired" }],
  [401, PROBLEM, { ...problem, type: "https://api.example.com/_gate/problems#a" }],
  [401, PROBLEM, { type: 1 }],
  [401, PROBLEM, {}],
  [401, PROBLEM, null],
]) {
  const site = withOwn();
  answers = [json(status, body, type)];
  const response = await site.fetch("/");
  assert.deepEqual([response.status, await response.json(), sent.length], [status, body, 1]);
}
for (const headers of [{}, { "content-type": PROBLEM }]) {
  const site = withOwn();
  answers = [() => new Response(new TextEncoder().encode("{"), { status: 500, headers })];
  assert.equal(await (await site.fetch("/")).text(), "{");
}

// Only an expired session is renewed, and only once. After another 401 the next call has a new one.
for (const [code, status, used, later] of [
  ["session-expired", 401, "t1 t2", "t3"],
  ["credential-unknown", 401, "t1", "t2"],
  ["signature-stale", 401, "t1", "t2"],
  ["origin-denied", 403, "t1", "t1"],
  ["rate-limited", 429, "t1", "t1"],
  ["upstream-failed", 502, "t1", "t1"],
]) {
  const site = withOwn();
  answers = [refusal(code, status), refusal(code, status)];
  await assert.rejects(site.fetch("/"), { code });
  assert.equal(tokens().join(" "), used.replaceAll("t", "Bearer t"), code);
  answers = [];
  await site.fetch("/");
  assert.equal(tokens().at(-1), `Bearer ${later}`, code);
}
{
  const site = withOwn();
  answers = [() => { throw new TypeError("broken"); }];
  await assert.rejects(site.fetch("/"), { message: "broken" });
  assert.equal(sent.length, 1);
}
{
  // A refusal that comes late does not end the session that came meanwhile.
  const site = withOwn();
  let late;
  const waits = new Promise((resolve) => (late = () => resolve(refusal("session-expired")())));
  answers = [() => waits, refusal("session-expired")];
  const first = site.fetch("/");
  await site.fetch("/");
  late();
  await first;
  assert.deepEqual([site.made, tokens().at(-1)], [2, "Bearer t2"]);
}

// A request that is sent again is the same; a stream is sent once.
const stream = () => ({ body: new Blob(["text"]).stream(), duplex: "half" });
const form = new FormData();
form.set("field", "text");
for (const [input, init, times] of [
  ["/", { body: "text" }, 2],
  ["/", { body: new Blob(["text"]) }, 2],
  ["/", { body: form }, 2],
  [new Request(`${GATE}/`, { method: "POST", body: "text" }), {}, 2],
  ["/", stream(), 1],
  [new Request(`${GATE}/`, { method: "POST", ...stream() }), {}, 1],
]) {
  const site = withOwn();
  answers = [refusal("session-expired"), refusal("session-expired")];
  const headers = { "x-mine": "1", authorization: "Basic x" };
  await assert.rejects(site.fetch(input, { method: "POST", credentials: "include", headers, ...init }), { code: "session-expired" });
  const bodies = await Promise.all(sent.map((request) => request.text()));
  assert.equal(sent.length, times);
  assert.match(bodies[0], /text/);
  assert.ok(bodies.every((body) => body === bodies[0]));
  for (const request of sent) {
    assert.deepEqual([request.method, request.credentials, request.headers.get("x-mine")], ["POST", "omit", "1"]);
    assert.equal(request.headers.get("content-type"), sent[0].headers.get("content-type"));
    assert.equal(request.headers.has("signature"), false);
  }
  assert.deepEqual(tokens(), ["Bearer t1", "Bearer t2"].slice(0, times));
}

// A signal ends its call: at once, while the session comes, and before the request is sent again.
for (const [when, made, requests] of [["at once", 0, 0], ["session", 1, 0], ["again", 1, 1]]) {
  const stop = new AbortController();
  let came;
  const session = () => (site.made++, when === "session" ? new Promise((resolve) => (came = resolve)) : { token: "t" });
  const site = withOwn({}, { session });
  const abort = () => stop.abort("mine");
  answers = [() => (abort(), refusal("session-expired")())];
  if (when === "at once") abort();
  const call = site.fetch("/", { signal: stop.signal }).catch((reason) => reason);
  if (when === "session") setImmediate(abort);
  const reason = await call;
  assert.ok(reason === "mine" || reason.name === "AbortError", String(reason));
  assert.deepEqual([site.made, sent.length], [made, requests], when);
  came?.({ token: "t" });
}

// URLs are the gate's.
for (const [input, url] of [
  ["/posts?a=1", `${GATE}/posts?a=1`],
  ["posts", `${GATE}/v1/posts`],
  [`${GATE}:443/posts`, `${GATE}/posts`],
  [new URL(`${GATE}/posts`), `${GATE}/posts`],
  [new Request(`${GATE}/posts`), `${GATE}/posts`],
]) {
  const site = withOwn({}, { url: new URL(`${GATE}/v1/`) });
  await site.fetch(input);
  assert.equal(sent[0].url, url);
}
const foreign = "https://api.example.com/";
for (const input of [foreign, "//api.example.com/", "http://gate.example.com/", `${GATE}:8443/`, "data:,x", new Request(foreign)]) {
  const site = withOwn();
  await assert.rejects(site.fetch(input), { name: "TypeError", message: /is not the gate/ });
  assert.deepEqual([site.made, sent.length], [0, 0]);
}

// Wrong options.
const session = () => ({});
const key = "pk_site";
for (const options of [
  {}, { key }, { turnstile: "0x" }, { key: "", turnstile: "0x" }, { key: 1, turnstile: "0x" }, { key, turnstile: 1 }, { key, turnstile: "" },
  { session: "s" }, { session, key }, { session, turnstile: "0x" }, { session, key, turnstile: "0x" },
])
  assert.throws(() => writegate({ url: GATE, ...options }), { name: "TypeError", message: /give key and turnstile/ });
for (const url of [undefined, "ftp://gate.example.com"]) assert.throws(() => writegate({ url, session }), { message: /url is not the gate's/ });
writegate({ url: GATE, key, turnstile: "0x" });

{
  // With `throws: false`, a refusal is returned, but nothing else is.
  const site = withOwn({}, { throws: false });
  answers = [refusal("origin-denied", 403)];
  const response = await site.fetch("/");
  assert.deepEqual([response.status, (await response.json()).code], [403, "origin-denied"]);
  answers = [() => { throw new TypeError("broken"); }];
  await assert.rejects(site.fetch("/"), { message: "broken" });
  const other = Object.assign(new Error("not a GateError"), { response });
  await assert.rejects(withOwn({}, { throws: false, session: () => { throw other; } }).fetch("/"), other);
  // A widget that failed has no response.
  globalThis.turnstile = { render: (_, options) => options["error-callback"]("300030"), execute() {}, remove() {} };
  const widget = writegate({ url: GATE, key, turnstile: "0x", container: {}, throws: false });
  const error = await widget.fetch("/").catch((error) => error);
  assert.deepEqual([error.code, error.status, error.cause, error.title], ["challenge-failed", 0, "300030", "The challenge failed"]);
  assert.equal(error.detail, "Turnstile's widget failed (300030).");
}

// Without XMLHttpRequest, or for a stream, progress is reported once, after the API's answer.
globalThis.XMLHttpRequest = class { constructor() { throw new Error("by XMLHttpRequest"); } };
const browser = await import("../../public/_gate/client.js?browser");
for (const [module, init, size] of [
  [{ writegate }, { body: "text" }, 4],
  [{ writegate }, { body: new Blob(["text"]) }, 4],
  [{ writegate }, {}, 0],
  [browser, stream(), 0],
]) {
  const reports = [];
  [sent, answers] = [[], [refusal("origin-denied", 403)]];
  const site = module.writegate({ url: GATE, session: () => ({ token: "t" }) });
  const onUploadProgress = (progress) => reports.push(progress);
  await assert.rejects(site.fetch("/", { method: "POST", onUploadProgress }), /origin-denied|by XMLHttpRequest/);
  answers = [];
  assert.deepEqual(reports, []);
  await site.fetch("/", { method: "POST", onUploadProgress, ...init });
  assert.deepEqual(reports, [{ loaded: size, total: size }]);
}
await assert.rejects(browser.writegate({ url: GATE, session: () => ({ token: "t" }) }).fetch("/", { onUploadProgress() {} }), /by XMLHttpRequest/);
