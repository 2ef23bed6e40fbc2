// Request bodies that are read whole: their bytes, digests, bounds, and the budget of all of them. Run by javascript.rs.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mock } from "node:test";
import { bufferedBytes, read, releaseAll } from "../../src/edge/body.js";

mock.timers.enable({ apis: ["setTimeout", "Date"] });

/** The platform's stream that digests. A write ends later than it begins, as there. */
crypto.DigestStream = class extends WritableStream {
  constructor(name) {
    const hash = createHash(name.replace("-", ""));
    let ends;
    const digest = new Promise((done) => (ends = done));
    super({
      write: async (chunk) => {
        const copy = chunk.slice();
        await null;
        assert.deepEqual(chunk, copy, "the memory was used again too early");
        hash.update(copy);
      },
      close: () => ends(hash.digest()),
    });
    this.digest = digest;
  }
};

const MOST = 1_000_000;
const pattern = (size) => Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) % 251);
const digestOf = (name, bytes) => createHash(name.replace("-", "")).update(bytes).digest("hex");
const hex = (bytes) => Buffer.from(bytes).toString("hex");

/** A request with this body in chunks of this size; `cancelled` counts how often the rest was given up. */
const requestOf = (bytes, { isStated = true, chunk = 10_000 } = {}) => {
  let at = 0;
  const request = { cancelled: 0, headers: new Headers(isStated ? { "content-length": String(bytes.length) } : {}) };
  request.body = new ReadableStream({
    type: "bytes",
    pull(controller) {
      if (at === bytes.length) controller.close();
      else controller.enqueue(bytes.slice(at, (at = Math.min(at + chunk, bytes.length))));
      controller.byobRequest?.respond(0);
    },
    cancel() {
      request.cancelled += 1;
      throw new Error("nobody hears of this");
    },
  });
  request.arrayBuffer = async () => new Response(request.body).arrayBuffer();
  return request;
};

// Rust digests a small body if it needs SHA-256 only; every other digest is made here.
for (const [size, isStated, names, made] of [
  [0, true, "", []],
  [10, true, "", []],
  [10, true, "SHA-256", []],
  [10, true, "SHA-512", ["SHA-512"]],
  [8192, true, "SHA-256", []],
  [8193, true, "SHA-256", ["SHA-256"]],
  [10, false, "SHA-256", ["SHA-256"]],
  [65_536, false, "SHA-256,SHA-512", ["SHA-256", "SHA-512"]],
  [300_000, true, "SHA-512,SHA-256", ["SHA-512", "SHA-256"]],
  [300_000, false, "SHA-256", ["SHA-256"]],
  [8192, true, "SHA-256,SHA-512", ["SHA-256", "SHA-512"]],
]) {
  const bytes = pattern(size);
  const body = await read(requestOf(bytes, { isStated }), MOST, 1000, names);
  assert.equal(hex(body.bytes), hex(bytes), `${size} bytes, ${names}`);
  assert.deepEqual(body.digests.map(hex), made.map((name) => digestOf(name, bytes)));
  assert.ok(body.digests.every((digest) => digest instanceof Uint8Array));
  const reserved = isStated ? size : size < 65_536 ? 65_536 : 2 ** Math.ceil(Math.log2(size + 1));
  assert.equal(bufferedBytes(), reserved, `${size} bytes, ${isStated}`);
  body.release();
  assert.equal(bufferedBytes(), 0);
}

// No body at all has a digest, too.
const none = await read({ body: null, headers: new Headers(), arrayBuffer: async () => new ArrayBuffer(0) }, MOST, 1000, "SHA-512");
assert.deepEqual(none.digests.map(hex), [digestOf("SHA-512", "")]);

// A body as long as it may be is read; one byte more is too much, and the rest is given up.
const longest = await read(requestOf(pattern(100_000), { isStated: false }), 100_000, 1000, "");
assert.equal(longest.bytes.length, 100_000);
longest.release();
const long = requestOf(pattern(200_000), { isStated: false });
assert.equal(await read(long, 99_999, 1000, ""), "too large");
assert.deepEqual([long.cancelled, bufferedBytes()], [1, 0]);

// A caller who breaks off leaves nothing reserved, also if the body was given up before.
const broken = () => {
  let source;
  const body = new ReadableStream({ type: "bytes", start: (controller) => void (source = controller) });
  return { body, headers: new Headers(), fail: () => source.error(new Error("gone")) };
};
const gone = broken();
const reading = read(gone, MOST, 1000, "");
gone.fail();
await assert.rejects(reading, /gone/);
assert.equal(bufferedBytes(), 0);
const late = broken();
const given = read(late, MOST, 1000, "");
mock.timers.tick(999);
assert.equal(bufferedBytes(), 65_536);
mock.timers.tick(1);
assert.equal(await given, "too slow");
late.fail();
await new Promise((done) => setImmediate(done));

// The budget, to the byte: for a body of a stated length, short or long, and for one that grows.
const BUDGET = 50_331_648;
const big = await read(requestOf(new Uint8Array(BUDGET - 8192), { chunk: BUDGET }), BUDGET, 1000, "");
const last = await read(requestOf(pattern(8192)), MOST, 1000, "");
assert.equal(bufferedBytes(), BUDGET);
for (const size of [1, 8193]) assert.equal(await read(requestOf(pattern(size)), MOST, 1000, ""), "overloaded");
last.release();
big.release();
const most = await read(requestOf(new Uint8Array(BUDGET - 131_071), { chunk: BUDGET }), BUDGET, 1000, "");
assert.equal(await read(requestOf(pattern(65_537), { isStated: false }), MOST, 1000, ""), "overloaded");
assert.equal(bufferedBytes(), BUDGET - 131_071);
// It may arrive for its time, and then be sent for as long.
mock.timers.tick(1999);
assert.equal(await read(requestOf(new Uint8Array(140_000)), MOST, 1000, ""), "overloaded");
mock.timers.tick(1);
const room = await read(requestOf(new Uint8Array(140_000)), MOST, 1000, "");
assert.deepEqual([room.size, most.isReleased], [140_000, true]);

// After a panic all are released.
releaseAll();
assert.deepEqual([bufferedBytes(), room.isReleased], [0, true]);
