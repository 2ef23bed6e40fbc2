/** Calls by `client.js` in a page of another origin: what is sent again, refusals, uploads, and calls that are aborted. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { MINT, OWN, arrived, call, calls, client, fresh, post, withOwn } from "./client.mjs";
import { answer, counted, gate, open, pages, refusal, session } from "./harness.mjs";

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

test("a stream reports once, and 0 of 0", async (t) => {
  const { page, site } = await withOwn(t, () => session("pk_server"));
  await page.route(`${gate}/posts/**`, (route) => answer(route, 200, {}));
  const progress = await page.evaluate(
    async ([{ fetch }, path]) => {
      const progress = [];
      const { readable, writable } = new TransformStream();
      const writer = writable.getWriter();
      writer.write(new TextEncoder().encode("12345")).then(() => writer.close());
      await fetch(path, { method: "POST", body: readable, duplex: "half", onUploadProgress: (p) => progress.push(p) });
      return progress;
    },
    [site, fresh()],
  );
  assert.deepEqual(progress, [{ loaded: 0, total: 0 }]);
});

test("on the gate's own origin, the browser adds cookies to an upload only, and the gate removes them", async (t) => {
  const page = await open(t, pages);
  await page.route(`${gate}/page`, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
  await page.goto(`${gate}/page`);
  await page.evaluate(() => (document.cookie = "visitor=1; path=/"));
  const site = await client(page, `{ session: () => (${JSON.stringify(session("pk_server"))}) }`);
  const path = fresh();
  const requests = counted(page, path);
  const arriving = await page.evaluate(
    async ([{ fetch }, path]) => {
      const cookieOf = async (init) => (await (await fetch(path, { method: "POST", body: "1", ...init })).json()).headers.cookie ?? null;
      return [await cookieOf({}), await cookieOf({ onUploadProgress() {} })];
    },
    [site, path],
  );
  const sent = await Promise.all(requests.map(async (request) => (await request.allHeaders()).cookie));
  assert.deepEqual([sent, arriving], [[undefined, "visitor=1"], [null, null]]);
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
