/** `client.js` in a page of another origin, against the real gate; against answers of a stand-in only where the gate cannot be brought to give them. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { answer, api, counted, elsewhere, gate, open, pages, refusal, session, withTurnstile } from "./harness.mjs";

const MINT = "/_gate/session";

/** Returns the number of requests that the API had for this path. */
const arrived = async (path) => Number(await (await fetch(`${api}/seen${path}`)).text());

let last = 0;
const fresh = () => `/posts/${process.pid}-${last++}`;

/** The client in the page. `options` are its source: functions may use what `exposeFunction` put there. */
const client = (page, options) =>
  page.evaluateHandle(`(async () => {
    const { writegate, GateError } = await import("${gate}/_gate/client.js");
    return { ...writegate(${options}), GateError };
  })()`);

const MINTED = `{ key: "pk_site", turnstile: "1x00000000000000000000AA" }`;
const OWN = `{ session: () => ownSession() }`;

/** A call as a script of the page makes it; returns what the script saw. */
const call = async (page, site, path, init = {}) => (await calls(page, site, [[path, init]]))[0];

/** Returns what calls saw that begin together, before any of them can have an answer. */
const calls = (page, site, all) =>
  page.evaluate(
    ([{ fetch, GateError }, all]) => {
      const one = async ([path, init]) => {
        try {
          const response = await fetch(path, init);
          return { status: response.status, body: await response.text(), url: response.url };
        } catch (error) {
          const { name, message, code, status, title, detail, requestId, retryAfter, problem, cause } = error;
          const unread = error.response?.bodyUsed === false && (await error.response.text());
          const is = error instanceof GateError && error instanceof Error;
          return { error: { name, message, code, status, title, detail, requestId, retryAfter, problem, cause, unread, is } };
        }
      };
      return Promise.all(all.map(one));
    },
    [site, all],
  );

const post = (body = "hello") => ({ method: "POST", body });

/** A page with a client of sessions that `make` makes; `made` counts them. */
const withOwn = async (t, make, options = OWN, before = () => {}) => {
  const page = await open(t, pages);
  const made = [];
  await page.exposeFunction("ownSession", async () => {
    const next = await make(made.length);
    made.push(next);
    return next;
  });
  await before(page);
  return { page, made, site: await client(page, options) };
};

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

test("an expired session is renewed and the request sent again, once", async (t) => {
  const path = fresh();
  const { page, made, site } = await withOwn(t, (nth) => session("pk_server", { ttl: nth === 0 ? -5 : 300 }));
  assert.equal((await call(page, site, path, post())).status, 200);
  assert.deepEqual([made.length, await arrived(path)], [2, 1]);
  const never = await withOwn(t, () => session("pk_server", { ttl: -5 }));
  const { error } = await call(never.page, never.site, path, post());
  assert.equal(error.code, "session-expired");
  assert.deepEqual([never.made.length, await arrived(path)], [2, 1]);
});

test("a stale signature is renewed once, too", async (t) => {
  const { page, made, site } = await withOwn(t, (nth) => {
    const bound = session("pk_server", { bind: true });
    // A server that says nothing of its clock the first time.
    return nth === 0 ? session("pk_server", { bind: true, iat: undefined }) : bound;
  }, OWN, (page) => page.clock.install({ time: Date.now() - 3_600_000 }));
  assert.equal((await call(page, site, fresh(), post())).status, 200);
  assert.equal(made.length, 2);
});

test("five calls that fail together mint once", async (t) => {
  const { page, made, site } = await withOwn(t, (nth) => session("pk_server", { ttl: nth === 0 ? -5 : 300 }));
  const all = await calls(page, site, Array.from({ length: 5 }, () => [fresh(), post()]));
  assert.deepEqual(all.map(({ status }) => status), Array(5).fill(200));
  assert.equal(made.length, 2);
});

test("another 401 of the gate drops the session and is thrown; the next call begins anew", async (t) => {
  const { page, made, site } = await withOwn(t, (nth) => session("pk_server", nth === 0 ? { aud: "https://other.example" } : {}));
  const { error } = await call(page, site, fresh(), post());
  assert.equal(error.code, "audience-mismatch");
  assert.equal(made.length, 1);
  assert.equal((await call(page, site, fresh(), post())).status, 200);
  assert.equal(made.length, 2);
});

test("a mint that fails rejects those that wait, and is forgotten", async (t) => {
  const { page, made, site } = await withOwn(t, (nth) => {
    if (nth === 0 && !page_failed.done) {
      page_failed.done = true;
      throw new Error("the server is down");
    }
    return session("pk_server");
  });
  const all = await calls(page, site, Array.from({ length: 3 }, () => [fresh(), post()]));
  for (const { error } of all) assert.match(error.message, /the server is down/);
  assert.equal((await call(page, site, fresh(), post())).status, 200);
  assert.equal(made.length, 1);
});
const page_failed = { done: false };

test("a mint that something else than the gate answers is a TypeError that names the status", async (t) => {
  const page = await open(t, pages);
  const site = await client(page, `{ key: "pk_site", turnstile: () => "token" }`);
  for (const [status, body] of [[502, "<h1>Bad gateway</h1>"], [200, "<h1>Welcome</h1>"], [201, "{}"], [404, '{"type":"about:blank"}']]) {
    await page.route(gate + MINT, (route) => answer(route, status, body), { times: 1 });
    const { error } = await call(page, site, fresh(), post());
    assert.equal(error.name, "TypeError", error.message);
    assert.ok(error.message.includes(String(status)), error.message);
  }
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

test("GateError tells what the gate said; the API's own answers are returned untouched", async (t) => {
  const { page, site } = await withOwn(t, () => session("pk_server"));
  await page.route(`${gate}/posts/limited`, (route) =>
    answer(route, 429, refusal(429, "rate-limited", { more: 1 }), { "retry-after": "17" }));
  const { error } = await call(page, site, "/posts/limited");
  const { unread, problem, ...rest } = error;
  assert.deepEqual(problem, refusal(429, "rate-limited", { more: 1 }));
  assert.deepEqual(JSON.parse(unread), problem);
  assert.deepEqual(rest, {
    is: true, name: "GateError", message: "rate-limited: Detail of rate-limited.", code: "rate-limited", status: 429,
    title: "Title of rate-limited", detail: "Detail of rate-limited.", requestId: "req-1", retryAfter: 17, cause: undefined,
  });
  const denied = await call(page, site, "/_gate/keys");
  assert.deepEqual([denied.error.code, denied.error.status, denied.error.retryAfter], ["path-denied", 403, undefined]);
  assert.match(denied.error.requestId, /./);
  assert.equal((await call(page, site, `${fresh()}/broken`)).status, 418);
  await page.route(`${gate}/posts/own-problem`, (route) => answer(route, 401, { type: "https://api.example/problems", code: "session-expired" }));
  const own = await call(page, site, "/posts/own-problem");
  assert.deepEqual([own.status, JSON.parse(own.body).code], [401, "session-expired"]);
});

test("a 429, a 502 and a broken connection are not sent again", async (t) => {
  const { page, made, site } = await withOwn(t, () => session("pk_server"));
  for (const [status, code] of [[429, "rate-limited"], [502, "upstream-unreachable"], [503, "overloaded"], [0]]) {
    const path = fresh();
    const sent = counted(page, path);
    await page.route(gate + path, (route) => (status ? answer(route, status, refusal(status, code)) : route.abort("connectionreset")));
    const { error } = await call(page, site, path, post());
    assert.equal(status ? error.code : error.name, status ? code : "TypeError");
    assert.equal(sent.length, 1);
  }
  assert.equal(made.length, 1);
});

test("with throws: false a refusal is returned as it came, from the mint too", async (t) => {
  const { page, site } = await withOwn(t, () => session("pk_server"), `{ ...${OWN}, throws: false }`);
  const told = await call(page, site, "/_gate/keys");
  assert.deepEqual([told.status, JSON.parse(told.body).code], [403, "path-denied"]);
  const minting = await client(page, `{ key: "pk_site", turnstile: () => "not a token", throws: false }`);
  const refused = await call(page, minting, fresh(), post());
  assert.deepEqual([refused.status, JSON.parse(refused.body).code], [400, "bad-request"]);
  const broken = await client(page, `{ session: () => { throw Object.assign(new Error("mine"), { response: 1 }) }, throws: false }`);
  assert.equal((await call(page, broken, fresh())).error.message, "mine");
});

test("an upload by XMLHttpRequest tells its progress, and its answer is a Response like any other", async (t) => {
  const { page, site } = await withOwn(t, (nth) => session("pk_server", { bind: nth > 0 }));
  for (const round of ["bearer", "bound"]) {
    if (round === "bound") await page.evaluate(([{ fetch }]) => fetch("/x").catch(() => {}), [site]);
    const path = fresh();
    const told = await page.evaluate(
      async ([{ fetch }, path]) => {
        const progress = [];
        const body = new Blob([new Uint8Array(3 << 20)], { type: "image/png" });
        const response = await fetch(path, { method: "PUT", body, onUploadProgress: (p) => progress.push(p), headers: { "X-Mine": "1" } });
        return {
          progress, is: response instanceof Response, status: response.status, url: response.url, type: response.headers.get("content-type"),
          own: (await response.json()),
        };
      },
      [site, path],
    );
    assert.deepEqual([told.is, told.status, told.url, told.type], [true, 200, gate + path, "application/json"]);
    assert.deepEqual([told.own.bytes, told.own.headers["content-type"], told.own.headers["x-mine"]], [3 << 20, "image/png", "1"]);
    assert.deepEqual(told.progress.at(-1), { loaded: 3 << 20, total: 3 << 20 });
    assert.equal(await arrived(path), 1);
    const empty = await call(page, site, `${path}/empty`, post());
    assert.equal(empty.status, 204);
  }
});

test("an upload whose session expired is sent again, and one that is refused is a GateError", async (t) => {
  const { page, made, site } = await withOwn(t, (nth) => session("pk_server", { ttl: nth === 0 ? -5 : 300 }));
  const path = fresh();
  const upload = (path) =>
    page.evaluate(
      async ([{ fetch }, path]) => {
        const body = new Blob([new Uint8Array(1 << 16)]);
        try {
          return (await fetch(path, { method: "POST", body, onUploadProgress() {} })).status;
        } catch (error) {
          return [error.name, error.code, await error.response.text()];
        }
      },
      [site, path],
    );
  assert.equal(await upload(path), 200);
  assert.deepEqual([made.length, await arrived(path)], [2, 1]);
  const [name, code, text] = await upload("/_gate/keys");
  assert.deepEqual([name, code, JSON.parse(text).code], ["GateError", "path-denied", "path-denied"]);
});

test("a body that is no Blob, and one without XMLHttpRequest, tell their progress as well", async (t) => {
  const { page } = await withOwn(t, () => session("pk_server"));
  await page.evaluate(() => delete globalThis.XMLHttpRequest);
  const site = await client(page, OWN);
  const progress = await page.evaluate(
    async ([{ fetch }, path]) => {
      const progress = [];
      await fetch(path, { method: "POST", body: "12345", onUploadProgress: (p) => progress.push(p) });
      return progress;
    },
    [site, fresh()],
  );
  assert.deepEqual(progress, [{ loaded: 5, total: 5 }]);
});

test("a call that is aborted while its body is read asks for no session", async (t) => {
  const { page, made, site } = await withOwn(t, () => session("pk_page"));
  const told = await page.evaluate(async ({ fetch }) => {
    const stopped = new AbortController();
    const unhandled = [];
    addEventListener("unhandledrejection", ({ reason }) => unhandled.push(reason.name));
    const form = new FormData();
    form.set("file", new File(["x".repeat(1_000_000)], "x"));
    const call = fetch("/posts", { method: "POST", body: form, signal: stopped.signal });
    stopped.abort();
    return [await call.catch(({ name }) => name), ...unhandled];
  }, site);
  assert.deepEqual(told, ["AbortError"]);
  assert.deepEqual(made, []);
});

test("a signal aborts a call that waits, uploads or is sent, and nobody else's", async (t) => {
  const { page, made, site } = await withOwn(t, () => session("pk_server"));
  const told = await page.evaluate(
    async ([{ fetch }, path]) => {
      const name = (promise) => promise.then((response) => response.status, (error) => error.name);
      const waiting = new AbortController(), uploading = new AbortController();
      const both = [name(fetch(path, { signal: waiting.signal })), name(fetch(path))];
      waiting.abort();
      const body = new Blob([new Uint8Array(1 << 20)]);
      const upload = name(fetch(path, { method: "POST", body, signal: uploading.signal, onUploadProgress: () => uploading.abort() }));
      return [...(await Promise.all(both)), await upload, await name(fetch(path, { signal: AbortSignal.abort() }))];
    },
    [site, fresh()],
  );
  assert.deepEqual(told, ["AbortError", 200, "AbortError", "AbortError"]);
  assert.equal(made.length, 1);
});

test("an upload whose answer ends in an empty field has an answer", async (t) => {
  const { page, site } = await withOwn(t, () => session("pk_server"));
  await page.route(`${gate}/posts/**`, (route) => answer(route, 200, {}, { "x-empty": "", "zz-last": "" }));
  const told = await page.evaluate(
    async ([{ fetch }, path]) => {
      const never = new Promise((_, reject) => setTimeout(reject, 10_000, new Error("no answer")));
      const { headers } = await Promise.race([fetch(path, { method: "POST", body: "1", onUploadProgress() {} }), never]);
      return ["x-empty", "zz-last", "content-type"].map((name) => headers.get(name));
    },
    [site, fresh()],
  );
  assert.deepEqual(told, ["", "", "application/json"]);
});

test("a browser keeps no answer of a cached route for a time of its own choice", async (t) => {
  const { page, site } = await withOwn(t, () => session("pk_server"));
  const ids = await page.evaluate(
    async ([{ fetch }, path]) => {
      const read = async () => {
        const response = await fetch(path);
        await response.text();
        return response.headers.get("x-request-id");
      };
      return [await read(), await read()];
    },
    [site, fresh().replace("/posts", "/kept")],
  );
  assert.equal(new Set(ids).size, 2, `the gate was not asked again: ${ids}`);
});

test("a stream is sent once, and a Request that has no stream is sent again", async (t) => {
  const { page, made, site } = await withOwn(t, (nth) => session("pk_server", { ttl: nth % 2 === 0 ? -5 : 300 }));
  const path = fresh();
  // Chromium sends streams only over HTTP/2, so the gate's answer is played.
  const sent = counted(page, "/posts/stream");
  await page.route(`${gate}/posts/stream`, (route) => answer(route, 401, refusal(401, "session-expired")));
  const codes = await page.evaluate(
    async ([{ fetch }, url]) => {
      const stream = () => new Blob(["streamed"]).stream();
      const init = () => ({ method: "POST", body: stream(), duplex: "half" });
      const code = (promise) => promise.then((response) => response.status, (error) => error.code);
      return [await code(fetch(url, init())), await code(fetch(new Request(url, init())))];
    },
    [site, `${gate}/posts/stream`],
  );
  assert.deepEqual(codes, ["session-expired", "session-expired"]);
  assert.deepEqual([sent.length, made.length], [2, 2]);
  const again = await page.evaluate(
    async ([{ fetch }, url]) => {
      const response = await fetch(new Request(url, { method: "POST", body: "text", headers: { "X-Mine": "1" } }));
      return response.json();
    },
    [site, gate + path],
  );
  assert.deepEqual([again.text, again.headers["x-mine"], again.headers["content-type"]], ["text", "1", "text/plain;charset=UTF-8"]);
  assert.deepEqual([made.length, await arrived(path)], [4, 1]);
});

test("a stream reaches the real gate once, from Node", async () => {
  const { writegate } = await import("../../../public/_gate/client.js");
  let made = 0;
  const path = fresh();
  const site = writegate({ url: gate, session: () => session("pk_server", { ttl: made++ === 0 ? -5 : 300 }) });
  const streamed = () => site.fetch(path, { method: "POST", body: new Blob(["streamed"]).stream(), duplex: "half" });
  await assert.rejects(streamed, { code: "session-expired" });
  assert.deepEqual([made, await arrived(path)], [1, 0]);
  assert.equal((await (await streamed()).json()).text, "streamed");
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
