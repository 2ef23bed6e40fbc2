// The calls of bindings and of siteverify: requests, time limits and answers; and the code that waits for them. Run by javascript.rs.

import assert from "node:assert/strict";
import { mock } from "node:test";
import * as bindings from "../../src/edge/bindings.js";
import { bufferedBytes, read } from "../../src/edge/body.js";
import { flush } from "../../src/edge/flush.js";
import { instanceGuard, log, panicked, respond, runTask, variable } from "../../src/edge/glue.js";
import { siteverify } from "../../src/edge/siteverify.js";
import { editHeaders, readLength, toRecord, writeRequest } from "../../src/edge/wire.js";

mock.timers.enable({ apis: ["setTimeout"] });
const tasks = () => new Promise((done) => setImmediate(done));
const never = () => new Promise(() => {});

/** Rejects after this time and not before it. */
const inTime = async (ms, call) => {
  let outcome = "waits";
  const ended = call().then(() => (outcome = "answers"), (error) => (outcome = error.message));
  await tasks();
  mock.timers.tick(ms - 1);
  await tasks();
  assert.equal(outcome, "waits");
  mock.timers.tick(1);
  await ended;
  assert.equal(outcome, "took too long");
};

// Time limits of the platform's signals, which no test waits for.
const limits = [];
AbortSignal.timeout = (ms) => (limits.push(ms), undefined);

/** A Durable Object's namespace. `asked` has the object's name and its requests. */
const objects = (answer) => {
  const asked = [];
  const get = (name) => ({ fetch: async (url, init) => (asked.push([name, url, init.method, init.body]), answer(url)) });
  return { asked, idFromName: (name) => name, get };
};
const text = (body, status = 200) => () => new Response(body, { status });

{
  // KV.
  const asked = [];
  let listed = { keys: [], list_complete: true };
  const texts = new Map([["key/a", "1"], ["key/gone", null]]);
  const KEY_REGISTRY = {
    get: async (names, options) => (asked.push(names), Array.isArray(names) ? texts : `${names} ${options.cacheTtl}`),
    list: async (options) => (asked.push(options), listed),
  };
  const env = { KEY_REGISTRY };
  assert.equal(await bindings.record(env, "key/a"), "key/a 60");
  asked.length = 0;
  assert.equal(await bindings.page(env, "c"), '{"records":[],"cursor":null}');
  assert.deepEqual(asked, [{ prefix: "key/", limit: 100, cursor: "c" }], "no names, no question");
  listed = { keys: [{ name: "key/a" }, { name: "key/gone" }], list_complete: false, cursor: "d" };
  assert.equal(await bindings.page(env, "c"), '{"records":[["key/a","1"]],"cursor":"d"}');
  assert.deepEqual(asked.at(-1), ["key/a", "key/gone"]);
  assert.equal(await bindings.names(env, "c", 7), '[["key/a","key/gone"],"d"]');
  assert.equal(asked.at(-1).limit, 7);
  const slow = { KEY_REGISTRY: { get: never, list: never } };
  await inTime(5000, () => bindings.record(slow, "key/a"));
  await inTime(5000, () => bindings.names(slow, "", 1));
  await inTime(5000, () => bindings.page({ KEY_REGISTRY: { ...KEY_REGISTRY, get: never } }, ""));
}

{
  // The writer, the nonces and the ledgers: each answers with a status of its own, and all else is a failure.
  const writer = objects(text("[null]"));
  assert.equal(await bindings.records({ KEY_WRITER: writer }, "a\nb"), "[null]");
  await bindings.writeRecords({ KEY_WRITER: writer }, '[["a",null,"1"]]');
  const url = "https://key-writer/";
  assert.deepEqual(writer.asked, [["keys", url, "POST", '{"read":["a","b"]}'], ["keys", url, "POST", '{"write":[["a",null,"1"]]}']]);
  await assert.rejects(bindings.records({ KEY_WRITER: objects(text("", 500)) }, "a"), /500/);

  for (const [status, isNew] of [[201, true], [409, false]]) {
    const guard = objects(() => new Response(null, { status }));
    assert.equal(await bindings.remember({ REPLAY: guard }, "shard", "a+&", 5), isNew);
    assert.deepEqual(guard.asked, [["shard", "https://replay/?nonce=a%2B%26&until=5", "POST", undefined]]);
  }
  await assert.rejects(bindings.remember({ REPLAY: objects(text("")) }, "shard", "a", 5), /200/);

  const ledger = objects((at) => new Response(at === "https://ledger/" ? "{}" : "[]"));
  assert.equal(await bindings.usage({ LEDGER: ledger }, "a\nrows\nb\n", "1", "2"), "{}\n[]\n\n[]");
  const list = "https://ledger/?from=1&to=2";
  const expected = [["a", "https://ledger/", "POST", "rows"], ["a", list, undefined, undefined], ["b", list, undefined, undefined]];
  assert.deepEqual(ledger.asked.sort(), expected.sort());
  assert.equal(await bindings.usage({ LEDGER: ledger }, "", "1", "2"), "");
  await assert.rejects(bindings.submitUsage({ LEDGER: objects(text("", 500)) }, "a", ""), /500/);
  assert.deepEqual([...new Set(limits)], [15_000, 5000], "the writer waits for KV twice");
}

{
  // A Secrets Store and a limiter.
  assert.equal(await bindings.secret({ S: { get: async () => "value" } }, "S"), "value");
  await inTime(5000, () => bindings.secret({ S: { get: never } }, "S"));
  for (const success of [true, false]) {
    const limit = async ({ key }) => ({ success: key === "k" && success });
    assert.equal(await bindings.withinRate({ L: { limit } }, "L", "k"), success);
  }
  await inTime(2000, () => bindings.withinRate({ L: { limit: never } }, "L", "k"));
}

{
  // siteverify: a form, followed nowhere; an answer that is UTF-8 and not too long; and no connection that outlives the answer.
  let asked;
  const answers = (answer) => (globalThis.fetch = async (url, init) => ((asked = { url, ...init }), answer));
  answers(new Response('{"a":"\u00e4"}', { status: 400 }));
  assert.equal(await siteverify("https://verify.example/", "a=b"), '400\n{"a":"\u00e4"}');
  const { url, method, headers, body, signal, redirect, cache } = asked;
  assert.deepEqual([url, method, body, redirect, cache], ["https://verify.example/", "POST", "a=b", "manual", "no-store"]);
  assert.deepEqual(headers, { "content-type": "application/x-www-form-urlencoded" });
  assert.equal(signal.aborted, true);
  answers(new Response(null, { status: 204 }));
  assert.equal(await siteverify("", ""), "204\n");
  answers(new Response("x".repeat(16_384)));
  assert.equal((await siteverify("", "")).length, 16_388);
  answers(new Response("x".repeat(16_385)));
  await assert.rejects(siteverify("", ""), /too long/);
  const parts = (...chunks) => new Response(new ReadableStream({ start: (to) => (chunks.forEach((chunk) => to.enqueue(new Uint8Array(chunk))), to.close()) }));
  answers(parts([0xc3], [0xa4]));
  assert.equal(await siteverify("", ""), "200\n\u00e4");
  answers(parts([0xc3]));
  await assert.rejects(siteverify("", ""), TypeError, "half a character");
  answers(parts([0xff], [0x61]));
  await assert.rejects(siteverify("", ""), TypeError);
  globalThis.fetch = never;
  await inTime(5000, () => siteverify("", ""));
}

/** Lines of the log, each with the method that wrote it. */
const lines = [];
for (const name of ["log", "warn", "error"]) console[name] = (line) => lines.push([name, line]);

{
  // An alarm is an error unless it is a warning.
  const texts = [["a", ""], ["b", '{"level":"warn"}'], ["c", '{"level":"error","detail":"\\"level\\":\\"warn\\""}']];
  texts.forEach(([audit, alarm]) => log(audit, alarm));
  assert.deepEqual(lines.splice(0), [["log", "a"], ["log", "b"], ["warn", texts[1][1]], ["log", "c"], ["error", texts[2][1]]]);
  const answer = respond("403\naudit\nalarm\nbody\nx-a\n1");
  assert.deepEqual([answer.status, await answer.text(), answer.headers.get("x-a")], [403, "body", "1"]);
  assert.equal(respond("304\naudit\n\n").body, null, "a status without a body takes none");
  assert.deepEqual(lines.splice(0).map(([name]) => name), ["log", "error", "log"]);
}

{
  // Variables by kind: text, plain data as JSON, and bindings, which are not read.
  class Binding {}
  const plain = [[{ a: [1] }, 'j{"a":[1]}'], [[1], "j[1]"], [1, "j1"], [false, "jfalse"], [null, "jnull"]];
  const kinds = [["a", "ta"], ["", "t"], ...plain, [new Binding(), "r"], [() => {}, "r"], [undefined, undefined]];
  for (const [value, expected] of kinds) assert.equal(variable({ name: value }, "name"), expected);
}

{
  // A task goes on with what it waited for, or with the news that this failed, until it has a response.
  const resumed = [];
  const waited = [async () => "one", async () => Promise.reject(new Error("two")), async () => "three"];
  let freed = 0;
  const task = {
    awaited: () => waited.shift()(),
    resume: (value, rejected) => (resumed.push([value, rejected]), resumed.length < 3 ? undefined : "response"),
    free: () => (freed += 1),
  };
  const waits = [];
  const response = runTask(task, { waitUntil: (wait) => waits.push(wait) });
  assert.equal(await response, "response");
  assert.deepEqual(waits, [response]);
  assert.deepEqual(resumed, [["one", false], [undefined, true], ["three", false]]);
  assert.equal(freed, 1);
  const resume = () => assert.fail("this memory was given up");
  await assert.rejects(runTask({ awaited: async () => panicked(), resume }, { waitUntil: () => {} }), /a panic/);
  const sameInstance = instanceGuard();
  sameInstance();
  await read({ body: null, headers: new Headers([["content-length", "5"]]), arrayBuffer: async () => new ArrayBuffer(5) }, 5, 1000, "");
  assert.equal(bufferedBytes(), 5);
  panicked();
  assert.throws(sameInstance, /a panic/);
  assert.equal(bufferedBytes(), 0, "requests that ended hold nothing");
}

{
  // Usage is sent after a rest, and again as long as a batch is not taken, four times at most.
  const flushing = (taken, answer = async () => new Response("{}")) => {
    const told = [];
    const usage = {
      batches: (now, isLast) => (told.push(["batches", isLast]), "a\n1\nb\n2"),
      settle: (key, text) => (told.push(["settle", key, text]), taken()),
      endAttempt: (failed) => (told.push(["end", failed]), failed === 0),
      free: () => told.push(["free"]),
    };
    const LEDGER = { idFromName: (name) => name, get: (name) => ({ fetch: () => answer(name) }) };
    let ended;
    flush(usage, { LEDGER }, { waitUntil: (wait) => (ended = wait) });
    ended.catch(() => {});
    return { told, ended };
  };
  const rest = async () => {
    mock.timers.tick(1999);
    await tasks();
    mock.timers.tick(1);
    await tasks();
  };
  const once = flushing(() => true);
  mock.timers.tick(1999);
  await tasks();
  assert.deepEqual(once.told, []);
  mock.timers.tick(1);
  await once.ended;
  assert.deepEqual(once.told, [["batches", false], ["settle", "a", "{}"], ["settle", "b", "{}"], ["end", 0], ["free"]]);

  const never = flushing(() => false);
  for (let attempt = 0; attempt < 4; attempt++) await rest();
  await never.ended;
  assert.deepEqual(never.told.filter(([name]) => name === "batches"), [false, false, false, true].map((isLast) => ["batches", isLast]));
  assert.deepEqual(never.told.at(-2), ["end", 2]);

  // A ledger that fails settles nothing, and the other one does.
  const one = flushing(() => true, async (name) => (name === "a" ? new Response("", { status: 500 }) : new Response("{}")));
  await rest();
  assert.deepEqual(one.told, [["batches", false], ["settle", "b", "{}"], ["end", 1]]);
  panicked();
  mock.timers.tick(2000);
  await assert.rejects(one.ended, /a panic/);
  assert.equal(one.told.length, 3);

  // After a panic while ledgers answer, `usage` is not called again, also if a ledger fails.
  for (const answer of [async () => (panicked(), new Response("{}")), async () => (panicked(), new Response("", { status: 500 }))]) {
    const broken = flushing(() => true, answer);
    await rest();
    await assert.rejects(broken.ended, /a panic/);
    assert.deepEqual(broken.told, [["batches", false]]);
  }
}

{
  // Lists of headers may have several members. A length is not used beside `Transfer-Encoding`.
  const headers = new Headers([["a", "1"], ["b", "2"], ["c", "3"]]);
  editHeaders(headers, "a,b", ["d", "4", "e", "5"]);
  assert.deepEqual([...headers], [["c", "3"], ["d", "4"], ["e", "5"]]);
  assert.deepEqual(toRecord(["a", "1", "b", "2"]), { a: "1", b: "2" });
  const fields = [["content-length", "5"], ["transfer-encoding", "chunked"]];
  assert.deepEqual([readLength(new Headers(fields.slice(0, 1))), readLength(new Headers(fields))], [5, undefined]);
  // `cf` costs more than all headers, so it is not read if they state the location. The room that is asked for is enough.
  const request = {
    method: "GET", url: "https://gate.example/", headers: new Map([["cf-ipcountry", "DE"], ["x-wide", "\u20ac".repeat(200)]]), body: null,
    get cf() { return assert.fail("read for nothing"); },
  };
  const room = -writeRequest(request, new Uint8Array(8));
  assert.ok(writeRequest(request, new Uint8Array(room)) > 0);
}
