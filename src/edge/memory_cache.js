// The memory cache: small responses that were served from the cache within the last second, whole, in
// the isolate's memory, so that many requests for the same one read the cache once. An entry is used for
// that second only, so a purge is complete when it has passed (store.js).

import { log } from "./glue.js";
import { editHeaders, readLength, readStep } from "./wire.js";

/** Longest time, in milliseconds, that an entry is used after the cache was asked for it. */
export const RECENT_MS = 1000;
/** Longest body, in bytes, that is remembered. */
const MAX_BODY = 65_536;
/** Most bytes that are remembered, of bodies and headers together. */
const MAX_BYTES = 4_194_304;
/** Most entries: an empty one takes memory too. */
const MAX_ENTRIES = 2048;

/** Entries by name, the oldest first. */
const entries = new Map();
let size = 0;

/** Returns true if a response with these headers may be remembered: its length is known and small, and its body not encoded. */
export function isSmall(headers) {
  return readLength(headers) <= MAX_BODY && !headers.has("content-encoding");
}

/** Returns the headers of the entry of this name, in lines, if the cache was asked for it lately. */
export function recall(name) {
  const entry = entries.get(name);
  if (entry === undefined) return undefined;
  const age = Date.now() - entry.requestedAt;
  if (age >= 0 && age < RECENT_MS) return entry.lines;
  remove(name, entry);
  return undefined;
}

/** Returns the entry of this name as a response, as `step` says. */
export function serve(name, isHead, step) {
  const { audit, alarm, status, drop, set } = readStep(step);
  const entry = entries.get(name);
  log(audit, alarm);
  const response = new Response(isHead || status !== undefined ? null : entry.body, { status: status ?? entry.status, headers: entry.headers });
  editHeaders(response.headers, drop, set);
  return response;
}

/** Remembers an entry that was served, if it has a name. */
export function remember(entry) {
  const { name } = entry;
  if (name === undefined || entries.get(name) === entry) return;
  const before = entries.get(name);
  if (before !== undefined) remove(name, before);
  entries.set(name, entry);
  size += weight(entry);
  for (const [oldest, other] of entries) {
    const isOver = Date.now() - other.requestedAt >= RECENT_MS;
    if (!isOver && size <= MAX_BYTES && entries.size <= MAX_ENTRIES) break;
    remove(oldest, other);
  }
}

/** Returns the number of entries, and of their bytes. */
export function remembered() {
  return [entries.size, size];
}

export function forget() {
  entries.clear();
  size = 0;
}

function remove(name, entry) {
  entries.delete(name);
  size -= weight(entry);
}

/** Returns the bytes of an entry: its body, its headers and their lines. */
function weight({ name, body, lines }) {
  return body.byteLength + 2 * lines.length + name.length;
}
