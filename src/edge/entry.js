// The entry point: the gate's handlers, `built`, behind one check that the memory of the Wasm module is still valid.
// A panic or a trap leaves it in an unknown state, so the next event begins with a new memory.
//
// It does the same as the shim of worker-build, but without a class behind Proxies, which would cost an
// instance and two more Proxies for every request, only to check the memory.

import * as built from "built";

// The state in which `worker`'s panic hook notes that the memory is not valid any more. It is private to
// `worker`, so a test checks it for each version: tests/core/versions.rs.
const state = built.__worker_init_state();

// A panic's line in the log shows where it came from.
Error.stackTraceLimit = 100;

// A trap after an await. Not every trap is a panic: a stack overflow, for example, is not.
addEventListener("error", ({ error }) => note(error));

function note(error) {
  if (error instanceof WebAssembly.RuntimeError) state.criticalError = true;
}

function call(handler, event, env, ctx) {
  if (state.criticalError) {
    console.log("Reinitializing Wasm application");
    built.__wbg_reset_state();
    state.criticalError = false;
  }
  try {
    return handler(event, env, ctx);
  } catch (error) {
    note(error);
    throw error;
  }
}

// Not a class, because the platform would make an instance for each request, which costs as much as a
// Proxy.
export default {
  fetch: (request, env, ctx) => call(built.fetch, request, env, ctx),
  scheduled: (event, env, ctx) => call(built.scheduled, event, env, ctx),
};

export { KeyWriter } from "./key_writer.js";
export { Ledger } from "./ledger.js";
export { ReplayGuard } from "./replay.js";
