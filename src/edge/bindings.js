// The gate's bindings, called. Each function returns a promise that is rejected when the binding is
// missing, fails, or takes too long.

/** How long, in seconds, KV may answer from its copy in this data centre. */
const KV_CACHE_S = 60;
/** How long, in milliseconds, it may take. */
const KV_MS = 5000;
/** Most records of a page, and of what KV reads at once. */
const PAGE = 100;
/** What the names of records begin with. */
const PREFIX = "key/";

/** The text of this name, or null. */
export function record(env, name) {
  return inTime(env.KEY_REGISTRY.get(name, { cacheTtl: KV_CACHE_S }), KV_MS);
}

/** The texts of these names, which hold no line break, or null for each, as JSON. */
export async function records(env, names) {
  const wanted = names.split("\n");
  const found = await inTime(env.KEY_REGISTRY.get(wanted), KV_MS);
  return JSON.stringify(wanted.map((name) => found.get(name) ?? null));
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

/** Writes new records, a line each for name and text: all, or none. */
export async function create(env, lines) {
  const fields = lines.split("\n");
  const kv = env.KEY_REGISTRY;
  const names = fields.filter((_, i) => i % 2 === 0);
  const writing = names.map((name, i) => kv.put(name, fields[2 * i + 1]));
  try {
    await inTime(Promise.all(writing), KV_MS);
  } catch (error) {
    // KV has no transactions. Nobody was told of these records yet, so none is missed. One whose writing
    // has not ended may still appear after it was deleted: that is KV's to say, and nobody's to wait for.
    await inTime(Promise.allSettled(writing), KV_MS).catch(() => {});
    await inTime(Promise.all(names.map((name) => kv.delete(name))), KV_MS);
    throw error;
  }
  return true;
}

/** Writes a record in place of another. */
export async function replace(env, name, text) {
  await inTime(env.KEY_REGISTRY.put(name, text), KV_MS);
  return true;
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
export async function tally(env, key, batch) {
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
