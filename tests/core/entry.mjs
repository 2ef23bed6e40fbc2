// The entry point beside a Wasm module that fails as the test says. Run by javascript.rs.

import assert from "node:assert/strict";
import { register } from "node:module";

// The built module exists only in the Worker, so this stands for it.
globalThis.state = { criticalError: false };
const built = `export const __worker_init_state = () => state, __wbg_reset_state = () => calls.push("reset");
export const fetch = (...given) => run("fetch", given), scheduled = (...given) => run("scheduled", given);`;
const hook = `export const resolve = (name, context, next) =>
  name === "built" ? { url: ${JSON.stringify(`data:text/javascript,${encodeURIComponent(built)}`)}, shortCircuit: true } : next(name, context);`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);

globalThis.calls = [];
let fails;
globalThis.run = (name, given) => {
  calls.push([name, ...given]);
  if (fails) throw fails;
  return "answer";
};
let onError;
globalThis.addEventListener = (name, listener) => (assert.equal(name, "error"), (onError = listener));
console.log = (line) => calls.push(line);
const { default: handlers, KeyWriter, Ledger, ReplayGuard } = await import("../../src/edge/entry.js");

const RESET = ["Reinitializing Wasm application", "reset"];
const trap = new WebAssembly.RuntimeError("unreachable");

for (const name of ["fetch", "scheduled"]) {
  const asked = () => (handlers[name]("event", "env", "ctx"), calls.splice(0));
  const call = [name, "event", "env", "ctx"];
  assert.equal(handlers[name]("event", "env", "ctx"), "answer");
  assert.deepEqual(calls.splice(0), [call]);
  // An exception of JavaScript leaves the memory valid; a trap, also one after an await, does not, once.
  for (const [error, first] of [[new Error("mine"), []], [trap, RESET]]) {
    for (const happens of [() => void (fails = error), () => onError({ error })]) {
      happens();
      if (fails) assert.throws(() => handlers[name]("event", "env", "ctx"), error);
      fails = undefined;
      calls.length = 0;
      assert.deepEqual(asked(), [...first, call]);
      assert.deepEqual(asked(), [call]);
    }
  }
  // `worker` notes a panic itself.
  state.criticalError = true;
  assert.deepEqual(asked(), [...RESET, call]);
}
assert.deepEqual([KeyWriter, Ledger, ReplayGuard].map(({ name }) => name), ["KeyWriter", "Ledger", "ReplayGuard"]);
assert.equal(Error.stackTraceLimit, 100);
