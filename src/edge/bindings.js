// The gate's bindings, called. Each function returns a promise that is rejected when the binding is
// missing, fails, or takes too long.

/** How long, in seconds, KV may answer from its copy in this data centre. */
const KV_CACHE_S = 60;
/** How long, in milliseconds, it may take. */
export const KV_MS = 5000;
/** Most records of a page, and of what KV reads at once. */
const PAGE = 100;
/** What the names of records begin with. */
const PREFIX = "key/";

/** The text of this name, or null. */
export function record(env, name) {
  return inTime(env.KEY_REGISTRY.get(name, { cacheTtl: KV_CACHE_S }), KV_MS);
}

/** A page of names and texts, and where the next one begins, as JSON. */
export async function page(env, cursor) {
  const list = { prefix: PREFIX, limit: PAGE, cursor };
  const { keys, list_complete, cursor: next } = await inTime(env.KEY_REGISTRY.list(list), KV_MS);
  const names = keys.map(({ name }) => name);
  const found = names.length === 0 ? new Map() : await inTime(env.KEY_REGISTRY.get(names), KV_MS);
  // One that was removed in between has no text.
  const records = names.map((name) => [name, found.get(name)]).filter(([, text]) => typeof text === "string");
  return JSON.stringify({ records, cursor: list_complete ? null : next });
}

/** The texts of these names, a line each, as they were last written: JSON, with null for none. */
export function records(env, names) {
  return askWriter(env, { read: names.split("\n") });
}

/** Writes records, JSON of `[[name, text that is there or null, text],…]`: whether each was as it says. */
export function writeRecords(env, changes) {
  return askWriter(env, { write: JSON.parse(changes) });
}

/** Longest wait for the writer, in milliseconds: it waits for KV, and for another write's KV. */
const WRITER_MS = 15_000;

async function askWriter(env, asked) {
  const object = env.KEY_WRITER.get(env.KEY_WRITER.idFromName("keys"));
  const init = { method: "POST", body: JSON.stringify(asked), signal: AbortSignal.timeout(WRITER_MS) };
  const response = await object.fetch("https://key-writer/", init);
  if (response.status !== 200) throw new Error(`KeyWriter answered ${response.status}`);
  return response.text();
}

/** How long, in milliseconds, a Secrets Store may take. */
const SECRET_MS = 5000;

/** What a Secrets Store has under this binding. */
export function secret(env, name) {
  return inTime(env[name].get(), SECRET_MS);
}

/** How long, in milliseconds, a rate limiter may take. */
const LIMITER_MS = 2000;

/** Whether the limiter lets a request of this key pass. */
export async function withinRate(env, binding, key) {
  const { success } = await inTime(env[binding].limit({ key }), LIMITER_MS);
  return success;
}

/** How long, in milliseconds, a Durable Object may take. */
const OBJECT_MS = 5000;

/** Whether the nonce is new. */
export async function remember(env, name, nonce, until) {
  const object = env.REPLAY.get(env.REPLAY.idFromName(name));
  const url = `https://replay/?nonce=${encodeURIComponent(nonce)}&until=${until}`;
  const { status } = await object.fetch(url, { method: "POST", signal: AbortSignal.timeout(OBJECT_MS) });
  if (status !== 201 && status !== 409) throw new Error(`ReplayGuard answered ${status}`);
  return status === 201;
}

/** The answer of a key's ledger to a batch of usage, as JSON. */
export async function submitUsage(env, key, batch) {
  return ask(env, key, "", { method: "POST", body: batch });
}

/** The rows of a key's ledger, as JSON. */
export async function usage(env, key, from, to) {
  return ask(env, key, `?from=${from}&to=${to}`, {});
}

async function ask(env, key, query, init) {
  const object = env.LEDGER.get(env.LEDGER.idFromName(key));
  const response = await object.fetch(`https://ledger/${query}`, { ...init, signal: AbortSignal.timeout(OBJECT_MS) });
  if (response.status !== 200) throw new Error(`Ledger answered ${response.status}`);
  return response.text();
}

/** What a promise becomes, unless that takes too long. */
export async function inTime(promise, ms) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(reject, ms, new Error("took too long"))));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
