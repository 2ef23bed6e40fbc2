// What the platform calls: the gate's handlers, `built`, behind one check of whether the memory of the Wasm module is
// still good. A panic or a trap leaves it in no known state, so the next event begins with a new one.
//
// It does what the shim of worker-build does, without a class behind Proxies: every request would cost an instance
// and two more of them, only to look whether a new memory is due.

import * as built from "built";

// Where `worker`'s panic hook notes that the memory is no good any more. Private to `worker`, and so checked by a test
// for each version of it: tests/core/versions.rs.
const state = built.__worker_init_state();

// A panic's line in the log shows where it came from.
Error.stackTraceLimit = 100;

// A trap after something was waited for. Not every trap is a panic: a stack that overflows is none.
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

// No class: the platform would make an instance for each request, which costs as much as a Proxy.
export default {
  fetch: (request, env, ctx) => call(built.fetch, request, env, ctx),
  scheduled: (event, env, ctx) => call(built.scheduled, event, env, ctx),
};

export { KeyWriter } from "./key_writer.js";
export { Ledger } from "./ledger.js";
export { ReplayGuard } from "./replay.js";
