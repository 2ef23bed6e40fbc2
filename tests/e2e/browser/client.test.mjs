/** `client.js` and its sessions, in a page of another origin, against the real gate; against answers of a stand-in only where the gate cannot be brought to give them. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { MINT, MINTED, OWN, call, client, fresh, post, withOwn } from "./client.mjs";
import { api, counted, elsewhere, gate, open, pages, session, withTurnstile } from "./harness.mjs";

test("a page of another origin writes with a session that the gate mints, and each mint has a widget of its own", async (t) => {
  const page = await open(t, pages);
  await withTurnstile(page);
  await page.clock.install();
  const mints = counted(page, MINT);
  const site = await client(page, MINTED);
  assert.equal(mints.length, 0, "nothing is sent until a call needs it");
  for (const round of [1, 2]) {
    const told = await call(page, site, fresh(), { ...post(), credentials: "include", headers: { "X-Mine": "1", Authorization: "Basic x" } });
    assert.equal(told.status, 200, JSON.stringify(told));
    const { headers, method, text } = JSON.parse(told.body);
    assert.deepEqual([method, text, headers["x-mine"]], ["POST", "hello", "1"]);
    assert.equal(mints.length, round);
    await page.clock.fastForward(291_000);
  }
  assert.notEqual(mints[0].postDataJSON().turnstile, mints[1].postDataJSON().turnstile);
  const log = await page.evaluate(() => turnstile.log);
  assert.deepEqual(log.map((entry) => Object.keys(entry)[0]), ["render", "execute", "remove", "render", "execute", "remove"]);
  const [{ render: _, ...options }] = log;
  const expected = { sitekey: "1x00000000000000000000AA", action: "writegate", appearance: "interaction-only", execution: "execute", inside: "body" };
  assert.deepEqual(options, expected);
  assert.equal(await page.evaluate(() => document.body.children.length), 0, "nothing is left in the page");
  assert.equal(await page.evaluate(() => document.querySelectorAll("script").length), 1, "the script is loaded once");
});

test("a page may choose where the widget shows", async (t) => {
  const page = await open(t, pages);
  await withTurnstile(page);
  await page.evaluate(() => document.body.append(Object.assign(document.createElement("div"), { id: "here" })));
  const site = await client(page, `{ ...${MINTED}, container: document.getElementById("here") }`);
  await page.evaluate(([{ ready }]) => ready(), [site]);
  const [{ inside }] = await page.evaluate(() => turnstile.log);
  assert.equal(inside, "here");
  assert.equal(await page.evaluate(() => document.getElementById("here").children.length), 0);
});

test("a widget that fails is a GateError with its cause, and the next call tries again", async (t) => {
  const page = await open(t, pages);
  await withTurnstile(page);
  const site = await client(page, MINTED);
  await page.evaluate(([{ ready }]) => ready(), [site]);
  const other = await client(page, MINTED);
  await page.evaluate(() => (turnstile.fails = "300030"));
  const { error } = await call(page, other, fresh(), post());
  assert.deepEqual([error.is, error.code, error.status, error.cause], [true, "challenge-failed", 0, "300030"]);
  assert.equal(await page.evaluate(() => turnstile.widgets.size), 0, "the widget is removed");
  await page.evaluate(() => (turnstile.fails = null));
  assert.equal((await call(page, other, fresh(), post())).status, 200);
});

test("a script of Turnstile that does not load is a GateError, and is loaded again by the next call", async (t) => {
  const page = await open(t, pages);
  await page.route("https://challenges.cloudflare.com/**", (route) => route.abort(), { times: 1 });
  const site = await client(page, MINTED);
  const { error } = await call(page, site, fresh(), post());
  assert.deepEqual([error.code, error.status], ["challenge-failed", 0]);
  await withTurnstile(page);
  assert.equal((await call(page, site, fresh(), post())).status, 200);
});

test("two tabs have each a session of their own", async (t) => {
  const first = await open(t, pages);
  await withTurnstile(first);
  const second = await open(t, pages, { beside: first });
  const tokens = [];
  for (const page of [first, second, first, second]) {
    page.site ??= await client(page, MINTED);
    const [request] = await Promise.all([
      page.waitForRequest((request) => request.method() === "POST" && request.url().includes("/posts/")),
      call(page, page.site, fresh(), post()),
    ]);
    tokens.push((await request.allHeaders()).authorization);
  }
  assert.equal(tokens[0], tokens[2]);
  assert.equal(tokens[1], tokens[3]);
  assert.notEqual(tokens[0], tokens[1]);
});

test("a page that slept asks for nothing meanwhile, and renews with its next call", async (t) => {
  const page = await open(t, pages);
  await withTurnstile(page);
  await page.clock.install();
  const mints = counted(page, MINT);
  const site = await client(page, MINTED);
  await call(page, site, fresh(), post());
  await page.clock.fastForward("08:00:00");
  assert.equal(mints.length, 1);
  assert.equal((await call(page, site, fresh(), post())).status, 200);
  assert.equal(mints.length, 2);
});

test("a session is used until ten seconds, or a tenth, before its end", async (t) => {
  for (const [expires_in, good] of [[300, 290], [50, 45], [undefined, 86_400]]) {
    const { page, made, site } = await withOwn(t, () => ({ ...session("pk_server"), expires_in }), OWN, (page) => page.clock.install());
    await call(page, site, fresh(), post());
    await page.clock.pauseAt((await page.evaluate(() => Date.now())) + 1000);
    await page.clock.fastForward((good - 3) * 1000);
    await call(page, site, fresh(), post());
    assert.equal(made.length, 1, `${expires_in} s`);
    await page.clock.fastForward(6000);
    await call(page, site, fresh(), post());
    assert.equal(made.length, expires_in ? 2 : 1, `${expires_in} s`);
  }
});

test("a bound session that the gate mints signs what it sends, with any clock", async (t) => {
  for (const hours of [0, 7, -7]) {
    const page = await open(t, pages);
    await withTurnstile(page);
    await page.clock.install({ time: Date.now() + hours * 3_600_000 });
    const site = await client(page, `{ key: "pk_bound", turnstile: "1x00000000000000000000AA" }`);
    const path = fresh();
    for (const [target, init] of [[`${path}?a=1&b=%2F`, post("größer")], [path, {}], [`${path}?`, { method: "PUT", body: "" }], [`${path}/empty`, { method: "POST" }]]) {
      const [request] = await Promise.all([
        page.waitForRequest((request) => request.url().includes(path) && request.method() !== "OPTIONS"),
        call(page, site, target, init).then((told) => assert.ok([200, 204].includes(told.status), JSON.stringify([hours, target, told]))),
      ]);
      const headers = await request.allHeaders();
      assert.match(headers["signature-input"], /^writegate=\("@method" "@authority" "@path" "@query" "authorization"( "content-digest")?\);created=\d+;keyid="s_[\w-]{22}";nonce="[^"]{22,}"$/);
      assert.equal("content-digest" in headers, Boolean(init.body));
    }
  }
});

test("a bound session of the page's own server is bound to its secret, and its digest is the body's", async (t) => {
  const { page, site } = await withOwn(t, () => session("pk_server", { bind: true }));
  const path = fresh();
  const [request] = await Promise.all([
    page.waitForRequest((request) => request.url().endsWith(path) && request.method() === "POST"),
    call(page, site, path, { ...post('{"a":1}'), headers: { "Content-Type": "application/json" } }),
  ]);
  const expected = createHash("sha256").update('{"a":1}').digest("base64");
  assert.equal((await request.allHeaders())["content-digest"], `sha-256=:${expected}:`);
  const form = await page.evaluate(
    async ([{ fetch }, path]) => {
      const body = new FormData();
      body.set("file", new Blob(["x".repeat(1000)]), "a.txt");
      return (await fetch(path, { method: "POST", body })).status;
    },
    [site, path],
  );
  assert.equal(form, 200, "a form");
  const request_ = await page.evaluate(
    async ([{ fetch }, url]) => (await fetch(new Request(url, { method: "POST", body: "text" }))).status,
    [site, gate + path],
  );
  assert.equal(request_, 200, "a Request");
});

test("without WebCrypto a bound session is a TypeError that says so", async (t) => {
  const page = await open(t, pages);
  await page.exposeFunction("ownSession", () => session("pk_server", { bind: true }));
  await page.evaluate(() => Object.defineProperty(Crypto.prototype, "subtle", { value: undefined }));
  const { error } = await call(page, await client(page, OWN), fresh());
  assert.equal(error.name, "TypeError");
  assert.match(error.message, /crypto\.subtle/);
});

test("a Turnstile token that was spent is refused with its reason, and a fresh one passes", async (t) => {
  const page = await open(t, pages);
  const tokens = ["tok-127.0.0.1-a", "tok-127.0.0.1-a", "tok-127.0.0.1-b"].map((token) => token + fresh().replaceAll("/", "-").slice(0, 12));
  await page.exposeFunction("nextToken", () => tokens.shift());
  const options = `{ key: "pk_site", turnstile: () => nextToken() }`;
  await page.evaluate(([{ ready }]) => ready(), [await client(page, options)]);
  const site = await client(page, options);
  const { error } = await call(page, site, fresh(), post());
  assert.deepEqual([error.code, error.status, error.problem.reason, error.is], ["challenge-failed", 403, "spent", true]);
  assert.equal((await call(page, site, fresh(), post())).status, 200);
});

test("nothing is sent to another origin, and no session is asked for", async (t) => {
  const { page, made, site } = await withOwn(t, () => session("pk_server"));
  const sent = [];
  page.on("request", (request) => sent.push(request.url()));
  for (const url of [`${api}/posts`, "https://gate.example.com/posts", "//evil.example/posts", "data:,x", gate.replace("http:", "https:")]) {
    const { error } = await call(page, site, url, post());
    assert.equal(error?.name, "TypeError", url);
  }
  const name = await page.evaluate(([{ fetch }, url]) => fetch(new Request(url)).catch(({ name }) => name), [site, `${api}/posts`]);
  assert.equal(name, "TypeError");
  assert.deepEqual([sent, made.length], [[], 0]);
});

test("wrong options are a TypeError at once", async () => {
  const { writegate } = await import("../../../public/_gate/client.js");
  const url = gate;
  for (const options of [
    undefined, {}, { url }, { url, key: "pk_site" }, { url, turnstile: "x" }, { url, key: 1, turnstile: "x" }, { url, key: "", turnstile: "x" },
    { url, key: "k", turnstile: "" }, { url, key: "k", turnstile: {} }, { url, session: "x" }, { url, session() {}, key: "k" }, { url: "nowhere", session() {} },
    { url: "ftp://gate.example.com", session() {} }, { session() {} },
  ])
    assert.throws(() => writegate(options), TypeError, JSON.stringify(options));
});

test("nothing is left behind in storage, cookies, the address or among the globals", async (t) => {
  const page = await open(t, elsewhere);
  await withTurnstile(page);
  const state = () =>
    page.evaluate(async () => [
      Object.getOwnPropertyNames(globalThis).filter((name) => name !== "turnstile").sort(), { ...localStorage }, { ...sessionStorage }, document.cookie,
      location.href, (await indexedDB.databases()).length, (await caches.keys()).length, history.length,
    ]);
  const before = await state();
  const site = await client(page, `{ key: "pk_bound", turnstile: "1x00000000000000000000AA" }`);
  assert.equal((await call(page, site, fresh(), post())).status, 200);
  assert.deepEqual(await state(), before);
  assert.deepEqual(await page.context().cookies(), []);
});

test("the files have the headers that pages of other origins need", async () => {
  const script = await fetch(`${gate}/_gate/client.js`);
  const types = await fetch(`${gate}/_gate/client.d.ts`);
  assert.match(script.headers.get("content-type"), /^text\/javascript/);
  assert.match(types.headers.get("content-type"), /^text\/plain/);
  for (const { status, headers } of [script, types]) {
    assert.equal(status, 200);
    assert.equal(headers.get("access-control-allow-origin"), "*");
    assert.equal(headers.get("cross-origin-resource-policy"), "cross-origin");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.match(headers.get("cache-control"), /must-revalidate/);
    assert.ok(headers.get("etag"));
  }
  assert.equal(script.headers.get("x-typescript-types"), "./client.d.ts");
});
