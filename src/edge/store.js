// The store of answers: a cache of the gate's own in this data centre's Cache API. Names are hashes; what
// they are of was decided in Rust (src/cache/).

import { inTime } from "./bindings.js";
import { RECENT_MS, forget, isSmall } from "./memory_cache.js";
import { editHeaders, readLookup, writeHeaders } from "./wire.js";

/** How long, in milliseconds, the store may take until its answer counts as a miss. */
const STORE_MS = 2000;
/** How long, in seconds, the moment of a purge is kept: as long as any answer. */
const MARK_S = 31_536_000;
/** In what header of a mark the moment stands. */
const MARK = "writegate-purged";

let opened;

async function store() {
  opened ??= await caches.open("writegate");
  return opened;
}

/** What a name is called there. No host has this name, so nothing else is kept under it. */
function place(name) {
  return `https://writegate.invalid/${name}`;
}

/**
 * The answer that is kept, and when its route or URL was last purged; nothing if there is none, or no
 * store. A small one comes whole, so that it can be remembered.
 */
export async function find(lookup, request) {
  const { name, markers, isRange } = readLookup(lookup);
  const headers = isRange ? { range: request.headers.get("range") } : {};
  const asked = Date.now();
  try {
    const cache = await store();
    let [response, ...marks] = await inTime(
      Promise.all([cache.match(new Request(place(name), { headers })), ...markers.map((marker) => cache.match(place(marker)))]),
      STORE_MS,
    );
    // A range that the store cannot answer, as one beyond the end, is no reason to ask the upstream.
    if (isRange && response?.status !== 206) response = await inTime(cache.match(place(name)), STORE_MS);
    if (response === undefined) return undefined;
    const purged = Math.max(...marks.map((mark) => Number(mark?.headers.get(MARK) ?? 0)));
    const kept = { status: response.status, headers: response.headers, lines: writeHeaders(response.headers), purged };
    if (isRange || !isSmall(response.headers)) return { ...kept, body: response.body };
    return { ...kept, body: await inTime(response.arrayBuffer(), STORE_MS), name, asked };
  } catch {
    return undefined;
  }
}

/** Longest body, in bytes, that is kept only when all of it is there. */
const MAX_GATHERED = 10_485_760;
/** Most bytes that are gathered, of all answers that pass through the isolate at once. */
const MAX_GATHERING = 33_554_432;

/** The copies that are gathered, the oldest first. */
const gatherings = new Set();
let gathering = 0;

/**
 * Keeps a copy of an answer, with these edits, of the chunks that are written to what is returned. One that
 * breaks off is not kept.
 */
export function keep(lookup, response, { drop, set }, ctx) {
  const { status } = response;
  const headers = new Headers(response.headers);
  editHeaders(headers, drop, set);
  const { name } = readLookup(lookup);
  const put = async (body) => {
    const cache = await store();
    // It came as the upstream packed it, and is kept so.
    await cache.put(place(name), new Response(body, { status, headers, encodeBody: "manual" }));
  };
  const length = response.headers.get("content-length");
  const isLong = length !== null && Number(length) > MAX_GATHERED;
  return isLong ? streaming(Number(length), put, ctx) : new Gathering(length, put, ctx);
}

/** A copy that is kept when all of it is there: a store might take what came before it broke off for the whole. */
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
    // The oldest belongs to the slowest caller, or to nobody: the platform may have ended its request.
    for (const oldest of gatherings) {
      if (gathering <= MAX_GATHERING) break;
      oldest.abort();
    }
  }

  async close() {
    const isWhole = this.length === null || this.size === Number(this.length);
    try {
      if (gatherings.has(this) && isWhole) await this.put(await new Blob(this.chunks).arrayBuffer());
    } catch {
      // Not kept.
    }
    this.abort();
  }

  abort() {
    if (gatherings.delete(this)) gathering -= this.size;
    this.chunks = [];
    this.done();
  }
}

/** A copy that is too long to be gathered: it is kept as it streams, for its length is known. */
function streaming(length, put, ctx) {
  const { readable, writable } = new FixedLengthStream(length);
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  let isKept = true;
  const abort = () => {
    isKept = false;
    return writer.abort(new Error("not kept")).catch(() => {});
  };
  ctx.waitUntil(put(readable).catch(abort));
  return {
    async write(chunk) {
      // A store that takes too long must not hold the caller up.
      if (isKept) await inTime(writer.write(chunk), STORE_MS).catch(abort);
    },
    close: () => isKept && writer.close().catch(() => {}),
    abort,
  };
}

/** Marks what is kept under a mark as purged now. */
export async function purge(mark) {
  const headers = { "cache-control": `max-age=${MARK_S}`, [MARK]: String(Date.now()) };
  const cache = await store();
  await inTime(cache.put(place(mark), new Response("purged", { headers })), STORE_MS);
  // Where nothing is kept, as on *.workers.dev, a put does nothing and says nothing.
  const kept = await inTime(cache.match(place(mark)), STORE_MS);
  if (kept === undefined) throw new Error("the mark of the purge was not kept");
  forget();
  // When this is answered no other isolate remembers an answer of before the mark either.
  await new Promise((done) => setTimeout(done, RECENT_MS));
  return true;
}
