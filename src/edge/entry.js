// What the platform calls. worker-build's entry, `built`, is a class behind Proxies: every request costs an
// instance and two more of them, only to look whether a new memory is due. Here a flag says so; the calls
// and the new memory are worker-build's.

import Gate from "built";

/** Where `worker`'s panic hook and worker-build's entry note that the memory is no good any more. */
const state = globalThis.__worker_init_state;
const calls = Gate.prototype;

function call(name, event, env, ctx) {
  // An instance made through the Proxies begins a new memory.
  if (state.criticalError) return new Gate(ctx, env)[name](event);
  try {
    return calls[name].call({ env, ctx }, event);
  } catch (error) {
    // Not every trap is a panic: a stack that overflows is none.
    if (error instanceof WebAssembly.RuntimeError) state.criticalError = true;
    throw error;
  }
}

// No class: the platform would make an instance for each request, which costs as much as a Proxy.
export default {
  fetch: (request, env, ctx) => call("fetch", request, env, ctx),
  scheduled: (event, env, ctx) => call("scheduled", event, env, ctx),
};

export { KeyWriter } from "./key_writer.js";
export { Ledger } from "./ledger.js";
export { ReplayGuard } from "./replay.js";
