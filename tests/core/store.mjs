// Cached reads: what is asked of the store and put there, and what the isolate remembers of it. Run by javascript.rs.

import assert from "node:assert/strict";
import { mock } from "node:test";
import { RECENT_MS, forget, isSmall, recall, remember, remembered, serve } from "../../src/edge/memory_cache.js";
import { find, keep, purge } from "../../src/edge/store.js";

mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
const tasks = () => new Promise((done) => setImmediate(done));
const never = () => new Promise(() => {});

/** The store: its answer to each name, and its put. `matched` has what it was asked. */
const matched = [];
let answers = {};
let put;
const match = async (place) => {
  const url = new URL(place.url ?? place);
  assert.equal(url.host, "writegate.invalid");
  const [name, range] = [url.pathname.slice(1), place.headers?.get("range") ?? null];
  matched.push([name, range]);
  return answers[name]?.(range);
};
let opened = 0;
globalThis.caches = { open: async (name) => (assert.equal(name, "writegate"), (opened += 1), { match, put: (place, response) => put(place, response) }) };

/** The platform's stream of a known length: a write ends when it is read, or is given up. */
globalThis.FixedLengthStream = class {
  constructor(length) {
    lengths.push(length);
    let to;
    let pulled;
    const wanted = new Promise((done) => (pulled = done));
    this.readable = new ReadableStream({ start: (controller) => void (to = controller), pull: () => pulled() }, { highWaterMark: 0 });
    const writer = {
      closed: Promise.reject(new Error("nobody hears of this")),
      write: async (chunk) => (await wanted, to.enqueue(chunk)),
      close: async () => to.close(),
      abort: async (error) => {
        to.error(error);
        throw error;
      },
    };
    this.writable = { getWriter: () => writer };
  }
};
const lengths = [];
/** This option of the responses that have it: `manual` leaves a body encoded as it is. */
const manual = [];
globalThis.Response = class extends Response {
  constructor(body, init) {
    super(body, init);
    if (init?.encodeBody) manual.push(init.encodeBody);
  }
};

const asked = { headers: new Headers({ range: "bytes=0-1" }) };
const sized = (text, headers) => () => new Response(text, { headers: { "content-length": String(text.length), ...headers } });
const marker = (time) => () => new Response("purged", { headers: { "writegate-purged": String(time) } });

/** Returns the value or the message with which a call ends at this time; it must not end earlier. */
const after = async (ms, call) => {
  let outcome = "waits";
  call().then((value) => (outcome = value), (error) => (outcome = error.message));
  await tasks();
  mock.timers.tick(ms - 1);
  await tasks();
  assert.equal(outcome, "waits");
  mock.timers.tick(1);
  await tasks();
  return outcome;
};

{
  // A store that cannot be opened is a miss, and is opened again by the next lookup, once.
  const { open } = caches;
  caches.open = async () => Promise.reject(new Error("failed"));
  answers = { name: sized("ok") };
  assert.equal(await find("name,route,url", asked), undefined);
  caches.open = open;
  for (const time of [1, 2]) assert.equal((await find("name,route,url", asked))?.status, 200, `${time}`);
  matched.length = 0;
}

{
  // A small entry is whole and has its name; the last purge counts, of the route or of the URL.
  answers = { name: sized("ok") };
  const entry = await find("name,route,url", asked);
  const { headers, body, ...rest } = entry;
  const lines = "content-length\n2\ncontent-type\ntext/plain;charset=UTF-8";
  assert.deepEqual([headers.get("content-length"), Buffer.from(body).toString()], ["2", "ok"]);
  assert.deepEqual(rest, { status: 200, lines, purged: 0, name: "name", requestedAt: 1_000_000 });
  assert.deepEqual(matched.splice(0), [["name", null], ["route", null], ["url", null]]);
  for (const [route, url] of [[5, 7], [7, 5]]) {
    answers = { name: sized("ok"), route: marker(route), url: marker(url) };
    assert.equal((await find("name,route,url", asked)).purged, 7);
  }
  // One that is not small streams, and has no name.
  answers = { name: sized("x".repeat(65_537)) };
  const large = await find("name,route,url", asked);
  assert.deepEqual([large.name, large.requestedAt, large.body instanceof ReadableStream], [undefined, undefined, true]);
  answers = {};
  assert.equal(await find("name,route,url", asked), undefined);
}

{
  // A range is asked for only if the lookup says so; the whole entry serves one that the store cannot answer.
  const part = (range) => (range === null ? sized("whole")() : new Response("wh", { status: 206, headers: { "content-length": "2" } }));
  answers = { name: part };
  matched.length = 0;
  const found = await find("name,route,url,range", asked);
  assert.deepEqual([found.status, found.name, found.body instanceof ReadableStream], [206, undefined, true]);
  assert.deepEqual(matched.splice(0), [["name", "bytes=0-1"], ["route", null], ["url", null]]);
  answers = { name: (range) => (range === null ? sized("whole")() : undefined) };
  assert.equal((await find("name,route,url,range", asked)).status, 200);
  assert.deepEqual(matched.splice(0).at(-1), ["name", null]);
  answers = {};
  assert.equal(await find("name,route,url,range", asked), undefined);
}

{
  // A store that fails or is slow is a miss, at each of the three questions; so is one that is slower than a purge waits.
  answers = { name: async () => Promise.reject(new Error("failed")) };
  assert.equal(await find("name,route,url", asked), undefined);
  const stuck = () => ({ status: 200, headers: new Headers({ "content-length": "2" }), arrayBuffer: never });
  for (const [name, range] of [[never, ""], [stuck, ""], [(range) => (range === null ? never() : undefined), ",range"]]) {
    answers = { name };
    assert.equal(await after(2000, () => find(`name,route,url${range}`, asked)), undefined);
  }
  let cancelled = 0;
  for (const [ms, expected] of [[999, 200], [1000, undefined]]) {
    const body = new ReadableStream({ cancel: () => void (cancelled += 1) });
    answers = { name: () => new Promise((done) => setTimeout(done, ms, new Response(body))) };
    const finding = find("name,route,url", asked);
    await tasks();
    mock.timers.tick(ms);
    assert.equal((await finding)?.status, expected);
  }
  assert.equal(cancelled, 1);
}

{
  // A copy has the response's status and edited headers, and stays as compressed as it came.
  const kept = [];
  put = async (place, response) => void kept.push([place, response.status, [...response.headers], (await response.arrayBuffer()).byteLength]);
  const waits = [];
  const ctx = { waitUntil: (wait) => waits.push(wait) };
  const edits = { drop: "x-private", set: ["x-set", "1"] };
  const copyOf = (length) => {
    const headers = { "x-private": "1", ...(length !== undefined && { "content-length": String(length) }) };
    return keep("name,route,url", new Response(null, { status: 203, headers }), edits, ctx);
  };
  const write = async (copy, ...sizes) => {
    for (const size of sizes) await copy.write(new Uint8Array(size));
    return copy;
  };
  const stored = async () => (await Promise.all(waits.splice(0)), kept.splice(0));
  const place = "https://writegate.invalid/name";
  await (await write(copyOf(), 2, 3)).close();
  assert.deepEqual(await stored(), [[place, 203, [["x-set", "1"]], 5]]);
  assert.deepEqual(manual, ["manual"]);
  // As long as it said, and no other length.
  for (const [length, isStored] of [[4, false], [5, true], [6, false]]) {
    await (await write(copyOf(length), 5)).close();
    assert.equal((await stored()).length, Number(isStored), `${length}`);
  }
  // One that was given up takes nothing more, and counts for nothing.
  const [first, second] = [await write(copyOf(), 1), await write(copyOf(), 1)];
  first.abort();
  first.abort();
  await write(first, 1);
  await first.close();
  await second.close();
  assert.equal((await stored()).length, 1);
  // 10 MiB is the most, and 32 MiB of all copies; what was given up makes room.
  const MIB = 1_048_576;
  for (const [more, isStored] of [[0, true], [1, false]]) {
    await (await write(copyOf(), 10 * MIB, more)).close();
    assert.equal((await stored()).length, Number(isStored));
  }
  for (const [more, count] of [[0, 4], [1, 3]]) {
    const copies = [];
    for (const size of [10 * MIB, 10 * MIB, 10 * MIB, 2 * MIB + more]) copies.push(await write(copyOf(), size));
    for (const copy of copies) await copy.close();
    assert.equal((await stored()).length, count);
  }
  // A store that fails does no harm.
  put = async () => Promise.reject(new Error("failed"));
  await (await write(copyOf(), 1)).close();
  assert.deepEqual(await stored(), []);
}

{
  // A longer copy is stored while it streams, because its length is known. It is given up if it breaks off, or the store is slow.
  const waits = [];
  const ctx = { waitUntil: (wait) => waits.push(wait) };
  const response = new Response(null, { headers: { "content-length": "10485761" } });
  const longCopy = () => keep("name,route,url", response, { drop: "", set: [] }, ctx);
  let read;
  put = async (place, response) => (read = (await response.arrayBuffer()).byteLength);
  const whole = longCopy();
  await whole.write(new Uint8Array(7));
  assert.equal(read, undefined);
  await whole.close();
  await Promise.all(waits);
  assert.deepEqual([read, lengths], [7, [10_485_761]]);
  read = undefined;
  const broken = longCopy();
  await broken.write(new Uint8Array(7));
  await broken.abort();
  await Promise.all(waits);
  assert.equal(read, undefined);
  put = async (place, response) => response.body.cancel();
  const left = longCopy();
  await Promise.all(waits);
  assert.equal(await left.close(), undefined, "the store that left does no harm");
  put = never;
  const slow = longCopy();
  assert.equal(await after(2000, async () => (await slow.write(new Uint8Array(1)), "goes on")), "goes on");
  await slow.write(new Uint8Array(1));
  assert.equal(slow.close(), false);
  put = async () => Promise.reject(new Error("failed"));
  const failed = longCopy();
  await Promise.all(waits.slice(-1));
  await failed.write(new Uint8Array(1));
  assert.equal(failed.close(), false);
}

{
  // A purge is a marker with the time; it forgets what is remembered, and ends when every isolate has.
  const puts = [];
  put = async (place, response) => void puts.push([place, response.headers.get("cache-control"), response.headers.get("writegate-purged")]);
  answers = { marker: marker(1) };
  remember({ name: "a", body: new ArrayBuffer(1), lines: "", requestedAt: Date.now() });
  const now = Date.now();
  assert.equal(await after(RECENT_MS, () => purge("marker")), true);
  assert.deepEqual(puts, [["https://writegate.invalid/marker", "max-age=31536000", String(now)]]);
  assert.deepEqual(remembered(), [0, 0]);
  answers = {};
  await assert.rejects(purge("marker"), /not stored/);
  answers = { marker: never };
  assert.equal(await after(2000, () => purge("marker")), "took too long");
  put = never;
  assert.equal(await after(2000, () => purge("marker")), "took too long");
  assert.equal(opened, 1, "the store is opened once");
}

// The memory cache.
const small = (size, headers = {}) => isSmall(new Headers({ "content-length": String(size), ...headers }));
assert.deepEqual([small(65_536), small(65_537), small(1, { "content-encoding": "gzip" }), isSmall(new Headers())], [true, false, false, false]);

const entryOf = (name, bytes, lines = "") => {
  const headers = new Headers({ "x-private": "1" });
  return { name, body: new ArrayBuffer(bytes), lines, status: 203, headers, requestedAt: Date.now() };
};

{
  // Each entry counts once, with its body, its headers and lines, and its name.
  const entry = entryOf("abc", 10, "12345");
  for (const other of [entry, entry, entryOf("abc", 10, "12345"), { ...entryOf("abc", 10), name: undefined }]) remember(other);
  assert.deepEqual(remembered(), [1, 23]);
  remember(entryOf("abc", 20, ""));
  assert.deepEqual(remembered(), [1, 23]);
  // It is used for a second, and not at all if the clock is set back.
  assert.equal(recall("other"), undefined);
  mock.timers.tick(999);
  assert.equal(recall("abc"), "");
  mock.timers.tick(1);
  assert.equal(recall("abc"), undefined);
  assert.deepEqual(remembered(), [0, 0]);
  remember({ ...entryOf("abc", 1), requestedAt: Date.now() + 1 });
  assert.equal(recall("abc"), undefined);
  assert.deepEqual(remembered(), [0, 0]);
}

{
  // The oldest goes when there is too much, and not before.
  for (const [count, size] of [[2048, 0], [64, 65_534]]) {
    const name = (i) => String.fromCodePoint(0x4e00 + i).padEnd(2, ".");
    for (let i = 0; i < count; i++) remember(entryOf(name(i), size));
    assert.equal(remembered()[0], count);
    remember(entryOf(name(count), size));
    assert.equal(remembered()[0], count);
    assert.deepEqual([recall(name(0)), recall(name(1))], [undefined, ""]);
    forget();
    assert.deepEqual(remembered(), [0, 0]);
  }
}

{
  // It is served as the step says.
  const lines = [];
  console.log = (line) => lines.push(line);
  remember({ ...entryOf("abc", 2), body: new TextEncoder().encode("ok").buffer });
  const step = (status) => `pass\naudit\n\n\n${status}\nx-private\n1\nx-gate\n1`;
  for (const [isHead, status, expected] of [[false, "", [203, "ok"]], [true, "", [203, ""]], [false, "304", [304, ""]]]) {
    const response = serve("abc", isHead, step(status));
    assert.deepEqual([response.status, await response.text()], expected);
    assert.deepEqual([response.headers.get("x-private"), response.headers.get("x-gate")], [null, "1"]);
  }
  assert.deepEqual(lines, ["audit", "audit", "audit"]);
}
