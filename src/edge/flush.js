// A flush of the isolate's usage: wait, send all batches, and repeat while something could not be sent.

import { submitUsage } from "./bindings.js";
import { instanceGuard } from "./glue.js";
import { readBatches } from "./wire.js";

/** Time, in milliseconds, for which usage is added up before it is sent. */
const REST_MS = 2000;
/** Most attempts. Even with slow ledgers they end within the 30 s that the platform allows. */
const ATTEMPTS = 4;

export function flush(usage, env, ctx) {
  ctx.waitUntil(flushing(usage, env));
}

async function flushing(usage, env) {
  const sameInstance = instanceGuard();
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    await new Promise((done) => setTimeout(done, REST_MS));
    sameInstance();
    const batches = readBatches(usage.batches(Date.now(), attempt === ATTEMPTS));
    const answered = await Promise.all(batches.map(([key, batch]) => send(usage, env, sameInstance, key, batch)));
    sameInstance();
    if (usage.endAttempt(answered.filter((isTaken) => !isTaken).length)) break;
  }
  usage.free();
}

/** Sends a batch to its key's ledger. Returns true if the ledger took it. */
async function send(usage, env, sameInstance, key, batch) {
  let answer;
  try {
    answer = await submitUsage(env, key, batch);
  } catch {
    return false;
  }
  sameInstance();
  return usage.settle(key, answer, Date.now());
}
