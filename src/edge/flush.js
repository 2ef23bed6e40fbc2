// A flush of the isolate's usage: wait, send what there is, and again while something could not be sent.

import { submitUsage } from "./bindings.js";
import { instanceGuard } from "./glue.js";
import { readBatches } from "./wire.js";

/** How long, in milliseconds, usage is added up before it is sent. */
const REST_MS = 2000;
/** How often it is tried; with what a ledger may take, within the 30 s that the platform allows. */
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
    if (usage.rest(answered.filter((one) => !one).length)) break;
  }
  usage.free();
}

/** Whether the key's ledger took its batch. */
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
