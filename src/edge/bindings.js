// Calls of the gate's bindings. Each function returns a promise that is rejected when the binding is
// missing, fails, or takes too long: an exception would end Rust in the middle of its work.

import { readBatches } from "./wire.js";

/** Longest age, in seconds, of KV's copy in this data centre. */
const KV_CACHE_S = 60;
/** Longest wait for KV, in milliseconds. */
export const KV_MS = 5000;
/** Most records of a page, which is the most that KV reads at once. */
const PAGE = 100;
/** Prefix of the names of records. */
const PREFIX = "key/";

/** Reads the text of this name, or null. */
export async function record(env, name) {
  return inTime(env.KEY_REGISTRY.get(name, { cacheTtl: KV_CACHE_S }), KV_MS);
}

/** Reads a page of names and texts, and the cursor of the next page, as JSON. */
export async function page(env, cursor) {
  const [names, next] = await list(env, cursor, PAGE);
  const found = names.length === 0 ? new Map() : await inTime(env.KEY_REGISTRY.get(names), KV_MS);
  // A record that was removed in between has no text.
  const records = names.map((name) => [name, found.get(name)]).filter(([, text]) => typeof text === "string");
  return JSON.stringify({ records, cursor: next });
}

/** Reads a page of names, and the cursor of the next page, as JSON. */
export async function names(env, cursor, limit) {
  return JSON.stringify(await list(env, cursor, limit));
}

async function list(env, cursor, limit) {
  const page = await inTime(env.KEY_REGISTRY.list({ prefix: PREFIX, limit, cursor }), KV_MS);
  return [page.keys.map(({ name }) => name), page.list_complete ? null : page.cursor];
}

/** Reads the texts of these names (one per line), as they were last written: JSON, with null for a missing one. */
export function records(env, names) {
  return callWriter(env, { read: names.split("\n") });
}

/** Writes records, JSON of `[[name, expected text or null, new text],…]`. Returns JSON: true if every expected text was right. */
export function writeRecords(env, changes) {
  return callWriter(env, { write: JSON.parse(changes) });
}

/** Longest wait for the writer, in milliseconds: it waits for KV, and for another write's KV. */
const WRITER_MS = 15_000;

async function callWriter(env, message) {
  const object = env.KEY_WRITER.get(env.KEY_WRITER.idFromName("keys"));
  const init = { method: "POST", body: JSON.stringify(message), signal: AbortSignal.timeout(WRITER_MS) };
  const response = await object.fetch("https://key-writer/", init);
  if (response.status !== 200) throw new Error(`KeyWriter answered ${response.status}`);
  return response.text();
}

/** Longest wait for a Secrets Store, in milliseconds. */
const SECRET_MS = 5000;

/** Reads the value of a secret in a Secrets Store, by its binding. */
export async function secret(env, name) {
  return inTime(env[name].get(), SECRET_MS);
}

/** Longest wait for a rate limiter, in milliseconds. */
const LIMITER_MS = 2000;

/** Counts a request under `key`. Returns true if it is within the limit. */
export async function withinRate(env, binding, key) {
  const { success } = await inTime(env[binding].limit({ key }), LIMITER_MS);
  return success;
}

/** Longest wait for a Durable Object, in milliseconds. */
const OBJECT_MS = 5000;

/** Records a nonce. Returns true if it is new. */
export async function remember(env, name, nonce, until) {
  const object = env.REPLAY.get(env.REPLAY.idFromName(name));
  const url = `https://replay/?nonce=${encodeURIComponent(nonce)}&until=${until}`;
  const { status } = await object.fetch(url, { method: "POST", signal: AbortSignal.timeout(OBJECT_MS) });
  if (status !== 201 && status !== 409) throw new Error(`ReplayGuard answered ${status}`);
  return status === 201;
}

/** Sends a batch of usage to a key's ledger. Returns the ledger's answer as JSON. */
export async function submitUsage(env, key, batch) {
  return callLedger(env, key, "", { method: "POST", body: batch });
}

/** Sends keys' batches to their ledgers, unless they are empty. Returns two lines for each key: the ledger's answer, and its rows. */
export async function usage(env, batches, from, to) {
  const one = async ([key, batch]) => {
    const answer = batch === "" ? "" : await submitUsage(env, key, batch);
    return `${answer}\n${await callLedger(env, key, `?from=${from}&to=${to}`, {})}`;
  };
  return (await Promise.all(readBatches(batches).map(one))).join("\n");
}

async function callLedger(env, key, query, init) {
  const object = env.LEDGER.get(env.LEDGER.idFromName(key));
  const response = await object.fetch(`https://ledger/${query}`, { ...init, signal: AbortSignal.timeout(OBJECT_MS) });
  if (response.status !== 200) throw new Error(`Ledger answered ${response.status}`);
  return response.text();
}

/** Awaits a promise for at most `ms` milliseconds. */
export async function inTime(promise, ms) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(reject, ms, new Error("took too long"))));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
