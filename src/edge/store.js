// The store of cached reads: a cache of its own in this data centre's Cache API. Names are cache keys,
// which Rust computes (src/cache/).

import { inTime } from "./bindings.js";
import { RECENT_MS, forget, isSmall } from "./memory_cache.js";
import { editHeaders, readLength, readLookup, writeHeaders } from "./wire.js";

/** Longest wait for the store, in milliseconds; after that the lookup counts as a miss. */
const STORE_MS = 2000;
/** Lifetime, in seconds, of a purge marker: as long as any entry. */
const MARKER_S = 31_536_000;
/** Header of a purge marker with the time of the purge. */
const MARKER = "writegate-purged";

let opened;

async function store() {
  opened ??= await caches.open("writegate");
  return opened;
}

/** Returns the URL of a name in the store. No host has this name, so nothing else is stored under it. */
function place(name) {
  return `https://writegate.invalid/${name}`;
}

/**
 * Finds an entry, and the last purge of its route or URL. Returns nothing if there is no entry, or no
 * store, or it is too slow. A small entry is read whole, so that it can be remembered.
 */
export async function find(lookup, request) {
  const { name, markers, isRange } = readLookup(lookup);
  const headers = isRange ? { range: request.headers.get("range") } : {};
  const requestedAt = Date.now();
  try {
    const cache = await store();
    let [response, ...marks] = await inTime(
      Promise.all([cache.match(new Request(place(name), { headers })), ...markers.map((marker) => cache.match(place(marker)))]),
      STORE_MS,
    );
    // If the store cannot answer a range, such as one beyond the end, the whole entry will do: the upstream is not asked.
    if (isRange && response?.status !== 206) response = await inTime(cache.match(place(name)), STORE_MS);
    if (response === undefined) return undefined;
    const purged = Math.max(...marks.map((marker) => Number(marker?.headers.get(MARKER) ?? 0)));
    const isWhole = !isRange && isSmall(response.headers);
    const body = isWhole ? await inTime(response.arrayBuffer(), STORE_MS) : response.body;
    // A purge waits for no slower answer than this, so the markers are too old.
    if (Date.now() - requestedAt >= RECENT_MS) {
      body?.cancel?.();
      return undefined;
    }
    const entry = { status: response.status, headers: response.headers, lines: writeHeaders(response.headers), purged, body };
    return isWhole ? { ...entry, name, requestedAt } : entry;
  } catch {
    return undefined;
  }
}

/** Longest body, in bytes, that is gathered before it is stored. */
const MAX_GATHERED = 10_485_760;
/** Most bytes that are gathered at once in the isolate. */
const MAX_GATHERING = 33_554_432;

/** The copies that are being gathered, the oldest first. */
const gatherings = new Set();
let gathering = 0;

/**
 * Stores a copy of a response, with these edits. The caller writes the chunks to the returned object. A
 * copy that breaks off is not stored.
 */
export function keep(lookup, response, { drop, set }, ctx) {
  const { status } = response;
  const headers = new Headers(response.headers);
  editHeaders(headers, drop, set);
  const { name } = readLookup(lookup);
  const put = async (body) => {
    const cache = await store();
    // It stays as compressed as it came.
    await cache.put(place(name), new Response(body, { status, headers, encodeBody: "manual" }));
  };
  const length = readLength(response.headers);
  return length > MAX_GATHERED ? streaming(length, put, ctx) : new Gathering(length, put, ctx);
}

/** A copy that is stored when it is complete: the store might take a copy that broke off for a complete one. */
class Gathering {
  chunks = [];
  size = 0;

  constructor(length, put, ctx) {
    this.length = length;
    this.put = put;
    ctx.waitUntil(new Promise((done) => (this.done = done)));
    gatherings.add(this);
  }

  write(chunk) {
    if (!gatherings.has(this)) return;
    this.chunks.push(chunk);
    this.size += chunk.byteLength;
    gathering += chunk.byteLength;
    if (this.size > MAX_GATHERED) this.abort();
    // The oldest copy belongs to the slowest caller, or to a request that the platform has ended.
    for (const oldest of gatherings) {
      if (gathering <= MAX_GATHERING) break;
      oldest.abort();
    }
  }

  async close() {
    const isWhole = this.length === undefined || this.size === this.length;
    try {
      if (gatherings.has(this) && isWhole) await this.put(await new Blob(this.chunks).arrayBuffer());
    } catch {
      // The copy is not stored.
    }
    this.abort();
  }

  abort() {
    if (gatherings.delete(this)) gathering -= this.size;
    this.chunks = [];
    this.done();
  }
}

/** Returns a copy that is too long to gather. It is stored while it streams, because its length is known. */
function streaming(length, put, ctx) {
  const { readable, writable } = new FixedLengthStream(length);
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  let isStored = true;
  const abort = () => {
    isStored = false;
    return writer.abort(new Error("not stored")).catch(() => {});
  };
  ctx.waitUntil(put(readable).catch(abort));
  return {
    async write(chunk) {
      // A slow store must not delay the caller.
      if (isStored) await inTime(writer.write(chunk), STORE_MS).catch(abort);
    },
    close: () => isStored && writer.close().catch(() => {}),
    abort,
  };
}

/** Stores a purge marker with the current time. */
export async function purge(marker) {
  const headers = { "cache-control": `max-age=${MARKER_S}`, [MARKER]: String(Date.now()) };
  const cache = await store();
  await inTime(cache.put(place(marker), new Response("purged", { headers })), STORE_MS);
  // Where there is no cache, as on *.workers.dev, a put silently does nothing.
  const stored = await inTime(cache.match(place(marker)), STORE_MS);
  if (stored === undefined) throw new Error("the purge marker was not stored");
  forget();
  // After this time, other isolates serve and remember no entry from before the marker either.
  await new Promise((done) => setTimeout(done, RECENT_MS));
  return true;
}
