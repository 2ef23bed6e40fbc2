// The small answers that were served from the store within the last second, whole, in the isolate's
// memory: what many ask for at once is read once. The store's word is believed for that second only, so
// a purge is over when it has passed (store.js).

import { log } from "./glue.js";
import { editHeaders, readStep } from "./wire.js";

/** How long, in milliseconds, an answer is remembered after the store was asked for it. */
export const RECENT_MS = 1000;
/** Longest body, in bytes, that is remembered. */
const MAX_BODY = 65_536;
/** Most bytes that are remembered, of bodies and headers together. */
const MAX_BYTES = 4_194_304;
/** Most answers that are remembered: an empty one takes memory too. */
const MAX_ANSWERS = 2048;

/** Answers by name; those remembered longest stand first. */
const answers = new Map();
let size = 0;

/** Whether an answer with these headers is remembered: its length is known, and its body not encoded. */
export function isSmall(headers) {
  const length = headers.get("content-length");
  return length !== null && Number(length) <= MAX_BODY && !headers.has("content-encoding");
}

/** The headers of the answer of this name, in lines, if the store was asked for it lately. */
export function recall(name) {
  const kept = answers.get(name);
  if (kept === undefined) return undefined;
  const age = Date.now() - kept.asked;
  if (age >= 0 && age < RECENT_MS) return kept.lines;
  remove(name, kept);
  return undefined;
}

/** Answers with the response of this name, as `step` says. */
export function serve(name, isHead, step) {
  const { audit, alarm, status, drop, set } = readStep(step);
  const kept = answers.get(name);
  log(audit, alarm);
  const response = new Response(isHead || status !== undefined ? null : kept.body, { status: status ?? kept.status, headers: kept.headers });
  editHeaders(response.headers, drop, set);
  return response;
}

/** Remembers an answer that was served, if it has a name. */
export function remember(kept) {
  const { name } = kept;
  if (name === undefined || answers.get(name) === kept) return;
  const before = answers.get(name);
  if (before !== undefined) remove(name, before);
  answers.set(name, kept);
  size += weight(kept);
  for (const [oldest, other] of answers) {
    const isOver = Date.now() - other.asked >= RECENT_MS;
    if (!isOver && size <= MAX_BYTES && answers.size <= MAX_ANSWERS) break;
    remove(oldest, other);
  }
}

/** Returns the number of answers that are remembered, and of their bytes. */
export function remembered() {
  return [answers.size, size];
}

export function forget() {
  answers.clear();
  size = 0;
}

function remove(name, kept) {
  answers.delete(name);
  size -= weight(kept);
}

/** The bytes of an answer: its body, its headers and the lines of them. */
function weight({ name, body, lines }) {
  return body.byteLength + 2 * lines.length + name.length;
}
