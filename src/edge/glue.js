// Shared by the files beside this one: answering with a response of the gate's own, waiting on Rust's behalf, and giving up
// after a panic.

import { releaseAll } from "./body.js";
import { readResponse, toRecord } from "./wire.js";

/** How many panics there were. */
let panics = 0;

export function panicked() {
  panics += 1;
  releaseAll();
}

/**
 * Throws once anything panicked since. A panic leaves what belongs to all requests in a memory that is
 * given up; wasm-bindgen would begin a new one and look there for it, at an address that means
 * something else.
 */
export function instanceGuard() {
  const born = panics;
  return () => {
    if (panics !== born) throw new Error("writegate: a panic in another request ended this one");
  };
}

export function variable(env, name) {
  const value = env[name];
  if (value === undefined) return undefined;
  if (typeof value === "string") return `t${value}`;
  // A JSON variable is plain data; what can be called has a class of its own, or is a function.
  if (typeof value === "function") return "r";
  const plain = typeof value !== "object" || value === null || [Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value));
  return plain ? `j${JSON.stringify(value)}` : "r";
}

/** Answers with a response of the gate's own, after its lines are written to the log. */
export function respond(text) {
  const { status, audit, alarm, body, headers } = readResponse(text);
  log(audit, alarm);
  return new Response(body || null, { status, headers: toRecord(headers) });
}

export function runTask(task, ctx) {
  const response = run(task);
  // As above: also of a request that never comes to be forwarded.
  ctx.waitUntil(response);
  return response;
}

async function run(task) {
  const sameInstance = instanceGuard();
  for (;;) {
    let value, rejected = false;
    try {
      value = await task.awaited();
    } catch {
      rejected = true;
    }
    sameInstance();
    const response = task.resume(value, rejected);
    if (response === undefined) continue;
    task.free();
    return response;
  }
}

/** Writes the audit line, and an alarm where there is one. */
export function log(audit, alarm) {
  console.log(audit);
  if (alarm !== "") console.error(alarm);
}
