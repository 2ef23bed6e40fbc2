// The store of answers: a cache of the gate's own in this data centre's Cache API. Names are hashes; what
// they are of was decided in Rust (src/cache/).

import { inTime } from "./bindings.js";
import { edit, gathered, lines } from "./glue.js";
import { RECENT_MS, forget, isSmall } from "./recent.js";

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
  const [name, route, url, part] = lookup.split(",");
  const headers = part ? { range: request.headers.get("range") } : {};
  const asked = Date.now();
  try {
    const cache = await store();
    let [response, ...marks] = await inTime(
      Promise.all([cache.match(new Request(place(name), { headers })), cache.match(place(route)), cache.match(place(url))]),
      STORE_MS,
    );
    // A range that the store cannot answer, as one beyond the end, is no reason to ask the upstream.
    if (part && response?.status !== 206) response = await inTime(cache.match(place(name)), STORE_MS);
    if (response === undefined) return undefined;
    const purged = Math.max(...marks.map((mark) => Number(mark?.headers.get(MARK) ?? 0)));
    const kept = { status: response.status, headers: response.headers, lines: lines(response.headers), purged };
    if (part || !isSmall(response.headers)) return { ...kept, body: response.body };
    return { ...kept, body: await inTime(response.arrayBuffer(), STORE_MS), name, asked };
  } catch {
    return undefined;
  }
}

/** Longest body, in bytes, that is kept only when all of it is there. */
const MOST_GATHERED = 10_485_760;

/** Keeps a copy of an answer, with these edits. One that breaks off is not kept. */
export function keep(lookup, response, drop, set, ctx) {
  ctx.waitUntil(put(lookup, response.clone(), drop, set).catch(() => {}));
}

async function put(lookup, response, drop, set) {
  const [name] = lookup.split(",", 1);
  const body = await whole(response);
  if (body === null) return;
  // It came as the upstream packed it, and is kept so.
  const { status, headers } = response;
  const copy = new Response(body, { status, headers, encodeBody: "manual" });
  edit(copy.headers, drop, set);
  const cache = await store();
  await cache.put(place(name), copy);
}

/**
 * The body to keep: gathered first, for a store might take what came before it broke off for the whole. A
 * longer one, or one that is packed, is kept as it streams where its length is known; otherwise it is not.
 */
async function whole({ body, headers }) {
  const length = headers.get("content-length");
  const streams = length !== null && (Number(length) > MOST_GATHERED || headers.has("content-encoding"));
  if (streams) return body;
  const bytes = await gathered(body, MOST_GATHERED);
  return length === null || bytes?.byteLength === Number(length) ? bytes : null;
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
