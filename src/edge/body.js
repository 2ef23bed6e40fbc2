// Request bodies that the gate reads whole before it acts on a request. All requests share the isolate's
// memory, so one budget bounds the bodies that are buffered at once.

import { readLength } from "./wire.js";

/** Most bytes of buffered bodies: the isolate has 128 MB for everything. */
const BUDGET = 50_331_648;
/** Longest body, in bytes, whose digest costs less in Wasm than a round trip to the platform's own. */
const SMALL = 8192;
/** First size of the buffer for a body of unknown length, in bytes; it doubles as often as needed. */
const FIRST = 65_536;

/** The buffered bodies. */
const buffered = new Set();
let total = 0;

/** A body in memory, or on its way into it. It counts against the budget until it is released. */
class BufferedBody {
  bytes = new Uint8Array(0);
  digests = [];
  size = 0;
  isReleased = false;

  /** `ms` is the longest time, in milliseconds, for the body to arrive, and again for it to be sent. */
  constructor(ms) {
    this.until = Date.now() + 2 * ms;
  }

  /** Reserves this many bytes for the body. Returns true if the budget has room for them. */
  reserve(size) {
    // Released while it was still being read.
    if (this.isReleased) return false;
    const grown = size - this.size;
    if (total + grown > BUDGET) releaseOverdue();
    if (total + grown > BUDGET) return false;
    if (size > 0) buffered.add(this);
    total += grown;
    this.size = size;
    return true;
  }

  release() {
    this.isReleased = true;
    if (buffered.delete(this)) total -= this.size;
  }
}

/**
 * Releases bodies of requests whose context the platform ended, because these never do it themselves. Routes differ in their
 * `timeout_ms`, so the oldest body is not the first that is overdue.
 */
function releaseOverdue() {
  const now = Date.now();
  for (const body of buffered) if (body.until <= now) body.release();
}

/** Returns the number of bytes that are buffered. */
export function bufferedBytes() {
  return total;
}

/** Releases all bodies after a panic, which ended their requests. */
export function releaseAll() {
  for (const body of buffered) body.release();
}

/**
 * Reads a body. Returns a `BufferedBody` with the digests of these WebCrypto names, or a word: `too
 * large`, `too slow`, `overloaded`. The promise is rejected when the caller breaks off. Rust computes
 * the digest of a small body if it is the only body and SHA-256.
 */
export async function read(request, maxBytes, ms, names) {
  const body = new BufferedBody(ms);
  let timer;
  const late = new Promise((done) => (timer = setTimeout(done, ms, "too slow")));
  let problem = "gone";
  try {
    const reading = readInto(body, request, maxBytes, names === "" ? [] : names.split(","));
    reading.catch(() => {});
    problem = await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
    if (problem !== undefined) body.release();
  }
  return problem ?? body;
}

async function readInto(body, request, maxBytes, names) {
  const length = readLength(request.headers);
  if (request.body === null || length <= SMALL) {
    if (!body.reserve(length ?? 0)) return "overloaded";
    body.bytes = new Uint8Array(await request.arrayBuffer());
    if (names.join() !== "SHA-256") body.digests = await Promise.all(names.map((name) => digest(name, body.bytes)));
    return undefined;
  }
  const hashes = names.map((name) => new crypto.DigestStream(name));
  const writers = hashes.map((hash) => hash.getWriter());
  const reader = request.body.getReader({ mode: "byob" });
  let size = length ?? FIRST;
  if (!body.reserve(size)) return "overloaded";
  let buffer = new ArrayBuffer(size);
  let filled = 0;
  for (;;) {
    if (filled === size) {
      if (length !== undefined) break;
      size *= 2;
      if (!body.reserve(size)) return "overloaded";
      const larger = new Uint8Array(size);
      larger.set(new Uint8Array(buffer));
      buffer = larger.buffer;
    }
    const { done, value } = await reader.read(new Uint8Array(buffer, filled));
    // Reading detached the buffer; this is the same memory.
    buffer = value.buffer;
    if (done) break;
    filled += value.byteLength;
    if (filled > maxBytes) {
      reader.cancel().catch(() => {});
      return "too large";
    }
    await Promise.all(writers.map((writer) => writer.write(value)));
  }
  await Promise.all(writers.map((writer) => writer.close()));
  body.bytes = new Uint8Array(buffer, 0, filled);
  body.digests = await Promise.all(hashes.map(async (hash) => new Uint8Array(await hash.digest)));
  return undefined;
}

async function digest(name, bytes) {
  return new Uint8Array(await crypto.subtle.digest(name, bytes));
}
