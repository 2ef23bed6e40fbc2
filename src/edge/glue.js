// Code that the other JavaScript files share: sending a response of the gate itself, waiting on Rust's
// behalf, and giving up after a panic.

import { releaseAll } from "./body.js";
import { readResponse, toRecord } from "./wire.js";

/** Number of panics so far. */
let panics = 0;

export function panicked() {
  panics += 1;
  releaseAll();
}

/**
 * Returns a function that throws after a panic. A panic leaves the state of all requests in a memory
 * that is given up; wasm-bindgen would begin a new one and look for that state at an address that means
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
  // A JSON variable is plain data; a binding with methods has a class of its own, or is a function.
  if (typeof value === "function") return "r";
  const plain = typeof value !== "object" || value === null || [Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value));
  return plain ? `j${JSON.stringify(value)}` : "r";
}

/** Returns a response of the gate itself, after writing its lines to the log. */
export function respond(text) {
  const { status, audit, alarm, body, headers } = readResponse(text);
  log(audit, alarm);
  return new Response(body || null, { status, headers: toRecord(headers) });
}

export function runTask(task, ctx) {
  const response = run(task);
  // The audit line is written even if the caller breaks off, unless the wait takes 30 s more: then the platform ends the request.
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

/** Writes the audit line, and an alarm if there is one. Quotes inside a text are escaped, so only a member matches. */
export function log(audit, alarm) {
  console.log(audit);
  if (alarm === "") return;
  if (alarm.includes('"level":"warn"')) console.warn(alarm);
  else console.error(alarm);
}
