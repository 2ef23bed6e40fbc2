// The answers that callers can make an isolate remember are bounded. Run by javascript.rs.

import assert from "node:assert/strict";
import { bufferedBytes, read } from "../../src/edge/body.js";
import { recall, remember, remembered } from "../../src/edge/memory_cache.js";
import { find, keep } from "../../src/edge/store.js";

let now = 1_000_000;
Date.now = () => now;

const answer = (name, bytes, lines) => ({ name, body: new ArrayBuffer(bytes), lines, requestedAt: now });

// Empty answers are counted, too.
for (let i = 0; i < 5000; i++) remember(answer(`empty ${i}`, 0, ""));
assert.ok(remembered()[0] <= 2048, `${remembered()[0]} empty answers`);
assert.equal(recall("empty 4999"), "");
assert.equal(recall("empty 0"), undefined);

// Headers are counted.
for (let i = 0; i < 200; i++) remember(answer(`long ${i}`, 0, "x".repeat(60_000)));
assert.ok(remembered()[1] <= 4_194_304, `${remembered()[1]} bytes`);
assert.ok(remembered()[0] < 100);

// An expired entry goes when another one comes, even if nobody asks for it again.
now += 1000;
remember(answer("last", 10, "y"));
assert.equal(remembered()[0], 1);

// Copies for the store, of callers that read slowly: no more than 32 MiB of all of them, the newest.
const kept = [];
const waiting = [];
// The answer of the store, which takes this long, in milliseconds.
let delay = 0;
const match = async (place) => {
  now += delay;
  return typeof place === "string" ? undefined : new Response("ok", { headers: { "content-length": "2" } });
};
globalThis.caches = { open: async () => ({ put: async (place) => void kept.push(place), match }) };
const ctx = { waitUntil: (promise) => waiting.push(promise) };
const copies = Array.from({ length: 40 }, (_, i) => keep(`copy${i}`, new Response(null), { drop: "", set: [] }, ctx));
for (const copy of copies) copy.write(new Uint8Array(1_048_576));
for (const copy of copies) await copy.close();
await Promise.all(waiting);
assert.deepEqual(kept, Array.from({ length: 32 }, (_, i) => `https://writegate.invalid/copy${i + 8}`));

// A copy that is longer than 10 MiB is given up, and one that breaks off is not stored.
kept.length = 0;
const [long, broken, whole] = ["long", "broken", "whole"].map((name) => keep(name, new Response(null), { drop: "", set: [] }, ctx));
for (let i = 0; i < 11; i++) long.write(new Uint8Array(1_048_576));
await long.close();
broken.write(new Uint8Array(1));
broken.abort();
whole.write(new Uint8Array(1));
await whole.close();
assert.deepEqual(kept, ["https://writegate.invalid/whole"]);

// A body that was given up as too slow reserves nothing more, whatever still comes of it.
let source;
const body = new ReadableStream({ type: "bytes", start: (controller) => void (source = controller) });
assert.equal(await read({ headers: new Headers(), body }, 1_000_000, 0, ""), "too slow");
assert.equal(bufferedBytes(), 0);
source.enqueue(new Uint8Array(65_536));
// Everything that waits for that has run when a later timer does.
await new Promise((done) => setTimeout(done));
assert.equal(bufferedBytes(), 0);

// One that is given up and one that is released count once.
const quick = new ReadableStream({ type: "bytes", start: (controller) => void (controller.enqueue(new Uint8Array(10)), controller.close()) });
const held = await read({ headers: new Headers(), body: quick }, 1_000_000, 60_000, "");
assert.equal(held.bytes.byteLength, 10);
assert.equal(bufferedBytes(), 65_536);
held.release();
held.release();
assert.equal(bufferedBytes(), 0);

// A body whose request the platform ended makes room when its time is over, also behind one that has more time.
const sized = (bytes) => ({
  headers: new Headers([["content-length", String(bytes)]]),
  body: new ReadableStream({ type: "bytes", start: (controller) => void (controller.enqueue(new Uint8Array(bytes)), controller.close()) }),
});
const slow = await read(sized(30_000_000), 50_000_000, 60_000, "");
await read(sized(20_000_000), 50_000_000, 1_000, "");
assert.equal(await read(sized(20_000_000), 50_000_000, 1_000, ""), "overloaded");
now += 2_000;
const next = await read(sized(20_000_000), 50_000_000, 1_000, "");
assert.equal(next.size, 20_000_000);
assert.equal(bufferedBytes(), 50_000_000);
[slow, next].forEach((body) => body.release());
assert.equal(bufferedBytes(), 0);

// A length that is said twice, which the platform joins, is not a number, and spoils no sum.
const twice = new Headers([["content-length", "2"], ["content-length", "2"]]);
const said = new Response("ok", { headers: twice });
const bytes = new ReadableStream({
  type: "bytes",
  start(controller) {
    controller.enqueue(new Uint8Array(2));
    controller.close();
  },
});
const gathered = await read({ headers: twice, body: bytes }, 1_000_000, 1_000, "");
assert.equal(gathered.bytes.byteLength, 2);
gathered.release();
assert.equal(bufferedBytes(), 0);
kept.length = 0;
const copy = keep("twice", said, { drop: "", set: [] }, ctx);
copy.write(new Uint8Array(2));
await copy.close();
assert.deepEqual(kept, ["https://writegate.invalid/twice"]);

// A store that answers after a purge may have been answered meanwhile counts as a miss: its markers are too old.
const asked = { headers: new Headers() };
assert.equal((await find("name,route,url", asked))?.status, 200);
delay = 999;
assert.equal((await find("name,route,url", asked))?.status, undefined, "three questions of a second each");
delay = 333;
assert.equal((await find("name,route,url", asked))?.status, 200);
