// Forwarding beside an exchange, an upstream and a caller that do what the test says. Run by javascript.rs.

import assert from "node:assert/strict";
import { mock } from "node:test";
import { gzipSync } from "node:zlib";
import { forward, probe } from "../../src/edge/forward.js";
import { panicked } from "../../src/edge/glue.js";
import { remembered } from "../../src/edge/memory_cache.js";

mock.timers.enable({ apis: ["setTimeout"] });
const tasks = () => new Promise((done) => setImmediate(done));
const logged = [];
console.log = (line) => logged.push(line);

/** The store: the entry that it has, without purge markers, and what it was given. */
let found;
const stored = [];
const put = async (place, response) => void stored.push(await response.text());
globalThis.caches = { open: async () => ({ put, match: async (place) => (typeof place === "string" ? undefined : found) }) };

/** The option of the last response that has it: `manual` leaves a body as compressed as it is. */
let encodeBody;
globalThis.Response = class extends Response {
  constructor(body, init) {
    super(body, init);
    encodeBody = init?.encodeBody ?? encodeBody;
  }
};

const RESPONSE = "502\naudit\n\nrefused";
const pass = ({ metered = "", status = "", set = [], copy = [] } = {}) =>
  ["pass", "audit", "", metered, status, "x-upstream", set.length / 2, ...set, ...copy].join("\n");

/** An exchange that answers with these steps, one after the other. `told` has its calls. */
const exchangeOf = (...steps) => {
  const told = [];
  const tell = (name, answer) => (...values) => (told.push([name, ...values]), answer?.());
  const next = () => steps.shift();
  const names = { answered: next, failed: next, cached: next, gone: () => RESPONSE, rejected: () => RESPONSE, passed: undefined, free: undefined };
  const exchange = Object.fromEntries(Object.entries(names).map(([name, answer]) => [name, tell(name, answer)]));
  return { ...exchange, told, names: () => told.map(([name]) => name), of: (name) => told.filter(([other]) => other === name).map(([, ...values]) => values) };
};

/** Begins to forward a request. `fetches` has what the upstream was sent, each with what answers it. */
const begin = (exchange, { travel = "none", lookup = "", timeout = 1000, method = "GET", body = null, buffered } = {}) => {
  const fetches = [];
  globalThis.fetch = (url, init) =>
    new Promise((answers, fails) => {
      init.signal?.addEventListener("abort", () => fails(init.signal.reason));
      fetches.push({ url, ...init, answers, fails });
    });
  const caller = new AbortController();
  const waits = [];
  const request = { method, body, headers: new Headers({ "x-caller": "1", "x-gone": "1" }), signal: caller.signal };
  const plan = ["https://upstream.example/a", travel, timeout, "x-gone", lookup, "x-set", "2"].join("\n");
  const response = forward(request, plan, exchange, { waitUntil: (wait) => waits.push(wait) }, buffered);
  return { fetches, response, caller, waits };
};

/** A body whose chunks come when the test says so. `cancelled` has the reasons for which it was given up. */
const source = () => {
  const cancelled = [];
  let controller;
  const body = new ReadableStream({ start: (made) => void (controller = made), cancel: (reason) => void cancelled.push(reason) });
  return { body, cancelled, send: (bytes) => controller.enqueue(new Uint8Array(bytes)), end: () => controller.close(), fail: () => controller.error("broken") };
};

{
  // The upstream gets the edited headers, and follows, caches and compresses nothing.
  const exchange = exchangeOf(pass({ set: ["x-gate", "1"] }));
  let released = 0;
  const bytes = new Uint8Array(3);
  const { fetches, response, waits } = begin(exchange, { method: "POST", buffered: { bytes, release: () => (released += 1) } });
  await tasks();
  const [{ url, method, body, redirect, cache, encodeResponseBody, headers, answers }] = fetches;
  assert.deepEqual([url, method, redirect, cache, encodeResponseBody], ["https://upstream.example/a", "POST", "manual", "no-store", "manual"]);
  assert.equal(body, bytes);
  assert.deepEqual([...headers], [["x-caller", "1"], ["x-set", "2"]]);
  answers(new Response("ok", { status: 201, statusText: "a reason", headers: { "x-upstream": "1" } }));
  const answer = await response;
  assert.deepEqual([answer.status, answer.statusText, await answer.text()], [201, "", "ok"]);
  assert.deepEqual([answer.headers.get("x-upstream"), answer.headers.get("x-gate"), encodeBody], [null, "1", "manual"]);
  assert.deepEqual(exchange.names(), ["answered", "free"]);
  assert.deepEqual(exchange.of("answered")[0].slice(0, 3), [201, "content-type\ntext/plain;charset=UTF-8\nx-upstream\n1", 3]);
  assert.deepEqual([released, logged], [1, ["audit"]]);
  assert.deepEqual(waits, [response]);
  // Its timer is over, too.
  mock.timers.tick(1000);
  assert.deepEqual(exchange.names(), ["answered", "free"]);
}

{
  // Every failure has a name: the time limit and a caller who is gone have their own.
  for (const [happens, problem, options] of [
    [({ fetches }) => fetches[0].fails(new Error("no host")), "undefined"],
    [() => mock.timers.tick(1000), "timeout"],
    [() => mock.timers.tick(1000), "timeout", { travel: "10", body: source().body }],
    [({ fetches, caller }) => (caller.abort(), fetches[0].fails(new Error("no host"))), "gone"],
  ]) {
    const exchange = exchangeOf(`respond\n${RESPONSE}`);
    const begun = begin(exchange, options);
    await tasks();
    happens(begun);
    const answer = await begun.response;
    assert.deepEqual([answer.status, await answer.text()], [502, "refused"]);
    assert.deepEqual([exchange.of("failed")[0][0], ...exchange.names()], [problem, "failed", "free"]);
    const { signal } = begun.fetches[0];
    if (signal) assert.equal(signal.reason, "timeout", "the upload does not go on");
  }
}

{
  // A time limit that ends in a pause ends the next attempt before it begins, and no earlier.
  const exchange = exchangeOf("again\n1500", `respond\n${RESPONSE}`);
  const { fetches, response } = begin(exchange);
  await tasks();
  mock.timers.tick(999);
  await tasks();
  assert.deepEqual(exchange.told, []);
  fetches[0].fails(new Error("no host"));
  await tasks();
  mock.timers.tick(1500);
  assert.equal((await response).status, 502);
  assert.deepEqual([fetches.length, exchange.of("failed").map(([problem]) => problem)], [1, ["undefined", "timeout"]]);
}

{
  // Another attempt comes after the pause, with headers of its own, and the former answer is given up.
  const exchange = exchangeOf("again\n10", pass());
  const { fetches, response } = begin(exchange);
  await tasks();
  const former = source();
  fetches[0].answers(new Response(former.body, { status: 503 }));
  await tasks();
  assert.deepEqual([former.cancelled.length, fetches.length], [1, 1]);
  mock.timers.tick(10);
  await tasks();
  assert.notEqual(fetches[0].headers, fetches[1].headers);
  fetches[1].answers(new Response("ok"));
  assert.equal(await (await response).text(), "ok");
  assert.deepEqual(exchange.names(), ["answered", "answered", "free"]);
}

{
  // There is no other attempt for a caller who went in the pause.
  const exchange = exchangeOf("again\n10");
  const { fetches, response, caller } = begin(exchange);
  await tasks();
  fetches[0].answers(new Response(null, { status: 503 }));
  await tasks();
  caller.abort();
  mock.timers.tick(10);
  assert.equal((await response).status, 502);
  assert.deepEqual([fetches.length, ...exchange.names()], [1, "answered", "gone", "free"]);
}

{
  // Of an answer that refuses the token, the beginning is read, as text, and the rest is given up.
  const inspected = async (answer, happens = () => {}) => {
    const exchange = exchangeOf("inspect");
    const { fetches, response } = begin(exchange);
    await tasks();
    fetches[0].answers(answer);
    await tasks();
    await happens();
    assert.equal((await response).status, 502);
    assert.deepEqual(exchange.names(), ["answered", "rejected", "free"]);
    const [[status, text]] = exchange.of("rejected");
    assert.equal(status, answer.status);
    return text;
  };
  const options = (encoding) => ({ status: 401, headers: { "content-encoding": encoding } });
  assert.equal(await inspected(new Response("b\u00e4d", { status: 401 })), "b\u00e4d");
  assert.equal(await inspected(new Response(null, { status: 401 })), "");
  assert.equal(await inspected(new Response(gzipSync("packed"), options("gzip"))), "packed");
  assert.equal(await inspected(new Response("plain", options("unknown"))), "plain");
  assert.equal(await inspected(new Response(null, options("gzip"))), "");
  const inspectedInTime = async ({ send, body }) => {
    mock.timers.tick(1999);
    await tasks();
    assert.ok(body.locked);
    send([0xc3]);
    await tasks();
    send([0xa4]);
    await tasks();
    mock.timers.tick(1);
  };
  // Half a character is no end, and a body that breaks off or stays away is no obstacle.
  for (const ends of [(sent) => sent.fail(), inspectedInTime]) {
    const slow = source();
    const text = await inspected(new Response(slow.body, { status: 401 }), async () => {
      slow.send([0xc3]);
      await tasks();
      slow.send([0xa4]);
      await tasks();
      await ends(slow);
    });
    assert.equal(text, ends === inspectedInTime ? "\u00e4\u00e4" : "\u00e4");
  }
  // However it is cut into chunks.
  assert.equal((await inspected(new Response("x".repeat(9000), { status: 401 }))).length, 8192);
  const long = source();
  for (const size of [8191, 1, 1]) long.send(size);
  assert.equal((await inspected(new Response(long.body, { status: 401 }))).length, 8192);
  assert.equal(long.cancelled.length, 1);
}

{
  // A store that is slow holds a long body back, so nothing piles up in the isolate, but not for longer than 2 s.
  const writer = { closed: Promise.resolve(), write: () => new Promise(() => {}), abort: async () => {} };
  globalThis.FixedLengthStream = class {
    writable = { getWriter: () => writer };
  };
  const { fetches, response } = begin(exchangeOf(pass({ copy: ["x-private"] })), { lookup: "name,route,url" });
  await tasks();
  const upstream = source();
  fetches[0].answers(new Response(upstream.body, { headers: { "content-length": "10485761" } }));
  const reader = (await response).body.getReader();
  upstream.send(3);
  let passed = 0;
  reader.read().then(({ value }) => (passed = value.byteLength));
  for (const [ms, expected] of [[1999, 0], [1, 3]]) {
    await tasks();
    mock.timers.tick(ms);
    await tasks();
    assert.equal(passed, expected);
  }
}

{
  // A body of unknown length passes up to its bound, and breaks the upstream's request off after it, or with the caller.
  for (const [happens, problem] of [
    [(upload) => upload.send(1), "too large"],
    [(upload) => upload.fail(), "gone"],
  ]) {
    const exchange = exchangeOf(`respond\n${RESPONSE}`);
    const upload = source();
    const { fetches, response } = begin(exchange, { travel: "10", body: upload.body, method: "POST" });
    await tasks();
    const reader = fetches[0].body.getReader();
    upload.send(10);
    assert.equal((await reader.read()).value.byteLength, 10);
    assert.equal(fetches[0].signal.aborted, false);
    const rest = reader.read();
    happens(upload);
    if (problem === "too large") await assert.rejects(async () => rest);
    assert.equal((await response).status, 502);
    assert.deepEqual(exchange.of("failed")[0].slice(0, 2), [problem, problem === "gone" ? 10 : 11]);
  }
  // Bounds begin with any digit.
  for (const travel of ["09", "9"]) {
    const { fetches } = begin(exchangeOf(), { travel, body: source().body, method: "POST" });
    await tasks();
    assert.ok(fetches[0].signal);
  }
  // One of a known length goes as it is.
  const { fetches } = begin(exchangeOf(), { travel: "stream", body: "as it is", method: "POST" });
  await tasks();
  assert.deepEqual([fetches[0].body, fetches[0].signal], ["as it is", undefined]);
}

/** Begins an exchange whose answer is charged while it passes. */
async function meteredOf() {
  const exchange = exchangeOf(pass({ metered: "m" }));
  const { fetches, response } = begin(exchange);
  await tasks();
  const upstream = source();
  fetches[0].answers(new Response(upstream.body));
  const reader = (await response).body.getReader();
  return { exchange, upstream, reader };
}

{
  // Bytes after the head are charged in portions, and the rest at the end; then the exchange is over.
  const { exchange, upstream, reader } = await meteredOf();
  for (const size of [65_535, 1, 7]) {
    upstream.send(size);
    assert.equal((await reader.read()).value.byteLength, size);
  }
  await tasks();
  assert.deepEqual(exchange.of("passed"), [[0, 65_536]]);
  assert.deepEqual(exchange.of("free"), []);
  upstream.end();
  assert.equal((await reader.read()).done, true);
  assert.deepEqual(exchange.of("passed"), [[0, 65_536], [0, 7]]);
  assert.equal(exchange.of("free").length, 1);
}

{
  // So are those of a body that breaks off, or that the caller gives up; the upstream hears of it, and the end counts once.
  for (const gives of [false, true]) {
    const { exchange, upstream, reader } = await meteredOf();
    upstream.send(5);
    await reader.read();
    if (gives) {
      // The next chunk is asked for already.
      void reader.read();
      await tasks();
      await reader.cancel("enough");
      assert.deepEqual(upstream.cancelled, ["enough"]);
    } else {
      upstream.fail();
      await assert.rejects(() => reader.read());
    }
    await tasks();
    assert.deepEqual(exchange.names(), ["answered", "passed", "free"]);
    assert.deepEqual(exchange.of("passed"), [[0, 5]]);
  }
}

{
  // An upload that goes on after the answer is charged too, and the exchange ends with the later of the two.
  const exchange = exchangeOf(pass({ metered: "m" }));
  const upload = source();
  const { fetches, response, waits } = begin(exchange, { travel: "100", body: upload.body, method: "POST" });
  await tasks();
  const reader = fetches[0].body.getReader();
  upload.send(3);
  await reader.read();
  fetches[0].answers(new Response("ok"));
  const answer = await response;
  assert.equal(waits.length, 2, "the platform waits for the upload");
  assert.equal(exchange.of("answered")[0][2], 3);
  assert.equal(await answer.text(), "ok");
  assert.deepEqual(exchange.of("passed"), [[0, 2]]);
  assert.deepEqual(exchange.of("free"), []);
  upload.send(4);
  await reader.read();
  upload.end();
  await waits[1];
  assert.deepEqual(exchange.of("passed"), [[0, 2], [4, 0]]);
  assert.equal(exchange.of("free").length, 1);
}

{
  // One that ended before the answer is over: nothing waits for it.
  const exchange = exchangeOf(pass());
  const upload = source();
  const { fetches, response, waits } = begin(exchange, { travel: "100", body: upload.body, method: "POST" });
  await tasks();
  upload.send(3);
  upload.end();
  await new Response(fetches[0].body).arrayBuffer();
  await tasks();
  fetches[0].answers(new Response("ok"));
  await response;
  assert.deepEqual([waits.length, ...exchange.names()], [1, "answered", "free"]);
}

{
  // A response without a body, as the gate or HEAD has it, gives the upstream's up and is over at once.
  for (const [method, step, status] of [["HEAD", pass({ metered: "m" }), 200], ["GET", pass({ metered: "m", status: "304" }), 304]]) {
    const exchange = exchangeOf(step);
    const { fetches, response } = begin(exchange, { method });
    await tasks();
    const upstream = source();
    fetches[0].answers(new Response(upstream.body));
    const answer = await response;
    assert.deepEqual([answer.status, answer.body, upstream.cancelled.length], [status, null, 1]);
    assert.deepEqual(exchange.names(), ["answered", "free"]);
  }
}

{
  // A copy is stored if the body is whole, also if it is empty, and not if it breaks off.
  for (const [ends, expected] of [
    [(upstream) => upstream.end(), ["\0\0"]],
    [(upstream) => upstream.fail(), []],
    [undefined, [""]],
    ["cancel", []],
  ]) {
    stored.length = 0;
    const { fetches, response, waits } = begin(exchangeOf(pass({ copy: ["x-private"] })), { lookup: "name,route,url" });
    await tasks();
    const upstream = source();
    fetches[0].answers(new Response(ends ? upstream.body : null));
    const answer = await response;
    assert.deepEqual([waits.length, waits[0]], [2, response], "the platform waits for the response and for one copy");
    if (ends === "cancel") await answer.body.cancel();
    else if (ends) {
      upstream.send(2);
      ends(upstream);
    }
    await answer.arrayBuffer().catch(() => {});
    await Promise.all(waits);
    assert.equal(waits.length, 2);
    assert.deepEqual(stored, expected);
  }
}

{
  // However often the upstream is asked, one answer is copied; what the cache has is not copied again.
  const exchange = exchangeOf("again\n10", "again\n10", pass({ copy: ["x-private"] }));
  const { fetches, response, waits } = begin(exchange, { lookup: "name,route,url" });
  for (const number of [0, 1, 2]) {
    await tasks();
    fetches[number].answers(new Response("ok"));
    await tasks();
    mock.timers.tick(10);
  }
  await (await response).text();
  assert.equal(waits.length, 2);
  found = new Response("ok");
  const hit = begin(exchangeOf(pass()), { lookup: "name,route,url" });
  await (await hit.response).text();
  assert.deepEqual([hit.fetches.length, hit.waits.length], [0, 1]);
  found = undefined;
}

{
  // An entry that the exchange takes is served, and remembered for the next; one that it does not is given up.
  const entry = (body) => new Response(body, { headers: { "x-upstream": "1" } });
  const before = remembered()[0];
  found = entry(source().body);
  const exchange = exchangeOf(pass());
  const { fetches, response } = begin(exchange, { lookup: "entry,route,url" });
  const answer = await response;
  assert.deepEqual([fetches.length, answer.headers.get("x-upstream"), ...exchange.names()], [0, null, "cached", "free"]);
  assert.equal(encodeBody, "automatic");
  assert.deepEqual(exchange.of("cached")[0].slice(0, 3), [200, "x-upstream\n1", 0]);
  assert.equal(remembered()[0], before, "a body of unknown length is not remembered");
  found = new Response("ok", { headers: { "content-length": "2" } });
  assert.equal(await (await begin(exchangeOf(pass()), { lookup: "entry,route,url" }).response).text(), "ok");
  assert.equal(remembered()[0], before + 1);
  const refused = source();
  found = entry(refused.body);
  const missed = begin(exchangeOf(undefined, pass()), { lookup: "entry,route,url" });
  await tasks();
  assert.equal(refused.cancelled.length, 1);
  missed.fetches[0].answers(new Response("fresh"));
  assert.equal(await (await missed.response).text(), "fresh");
}

{
  // After a panic nobody asks the exchange any more, at whichever await it happened; a body under way goes on.
  const ended = async (step, happens) => {
    const exchange = exchangeOf(...step);
    const begun = begin(exchange);
    begun.response.catch(() => {});
    await tasks();
    await happens(begun);
    await tasks();
    const before = exchange.told.length;
    await assert.rejects(() => begun.response, /panic/);
    assert.equal(exchange.told.length, before);
    return exchange.names();
  };
  assert.deepEqual(await ended([], ({ fetches }) => (panicked(), fetches[0].answers(new Response("ok")))), []);
  assert.deepEqual(
    await ended(["again\n10"], async ({ fetches }) => {
      fetches[0].answers(new Response("no"));
      await tasks();
      panicked();
      mock.timers.tick(10);
    }),
    ["answered"],
  );
  const slow = source();
  assert.deepEqual(
    await ended(["inspect"], async ({ fetches }) => {
      fetches[0].answers(new Response(slow.body, { status: 401 }));
      await tasks();
      panicked();
      slow.end();
    }),
    ["answered"],
  );
  found = new Response("ok");
  const looked = exchangeOf(pass());
  const looking = begin(looked, { lookup: "name,route,url" });
  panicked();
  await assert.rejects(looking.response, /panic/);
  assert.deepEqual(looked.told, []);
  const exchange = exchangeOf(pass({ metered: "m" }));
  const { fetches, response } = begin(exchange);
  await tasks();
  fetches[0].answers(new Response("goes on"));
  const answer = await response;
  panicked();
  assert.equal(await answer.text(), "goes on");
  assert.deepEqual(exchange.names(), ["answered"]);
}

{
  // Probes are requests of their own, six at once, whose answers' beginnings come back in the order of the plans.
  const asked = [];
  globalThis.fetch = (url, init) => new Promise((answers, fails) => asked.push({ url, init, answers, fails }));
  AbortSignal.timeout = (ms) => ms;
  const numbers = [0, 1, 2, 3, 4, 5, 6, 7];
  const probed = probe(numbers.map((number) => `https://upstream.example/${number}\n700\nx-set\n2`));
  await tasks();
  assert.equal(asked.length, 6);
  assert.deepEqual(asked[0].init, { headers: { "x-set": "2" }, signal: 700, redirect: "manual", cache: "no-store" });
  asked[4].fails(new Error("took too long"));
  for (const number of [5, 3, 2, 1, 0]) asked[number].answers(new Response(`p${number}`, { status: 400 + number }));
  await tasks();
  assert.deepEqual(asked.map(({ url }) => url), numbers.map((number) => `https://upstream.example/${number}`));
  asked[7].answers(new Response("p7", { status: 407 }));
  asked[6].answers(new Response(null, { status: 406 }));
  assert.deepEqual(await probed, ["400\np0", "401\np1", "402\np2", "403\np3", undefined, "405\np5", "406\n", "407\np7"]);
  assert.deepEqual(await probe([]), []);
}
