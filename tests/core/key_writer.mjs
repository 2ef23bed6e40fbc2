// The writer of the registry beside a KV whose writes end when the test says so. Run by javascript.rs.

import assert from "node:assert/strict";
import { mock } from "node:test";
import { KeyWriter } from "../../src/edge/key_writer.js";

const MINUTE = 60_000;
mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000 * MINUTE });
const tasks = async () => {
  for (let turn = 0; turn < 50; turn++) await null;
};

/** The object's storage, without SQL: its two tables and their statements. */
const storage = () => {
  const records = new Map();
  const behind = new Set();
  const statements = [
    [/^CREATE /, () => []],
    [/^SELECT text FROM records /, (name) => (records.has(name) ? [{ text: records.get(name) }] : [])],
    [/^INSERT OR REPLACE INTO records /, (name, text) => (records.set(name, text), [])],
    [/^DELETE FROM records /, (name) => (records.delete(name), [])],
    [/^SELECT name FROM behind/, () => [...behind].map((name) => ({ name }))],
    [/^INSERT OR IGNORE INTO behind /, (name) => (behind.add(name), [])],
    [/^DELETE FROM behind/, () => (behind.clear(), [])],
  ];
  const exec = (text, ...values) => {
    const found = statements.find(([start]) => start.test(text))[1](...values);
    return { toArray: () => found };
  };
  const values = new Map();
  return {
    alarm: null,
    sql: { exec },
    transactionSync: (work) => work(),
    get: async (name) => values.get(name),
    put: async (name, value) => void values.set(name, value),
    async setAlarm(time) { this.alarm = time; },
  };
};

/** A KV namespace. `begun` has its writes that are under way, each with what ends it. */
const namespace = () => {
  const stored = new Map();
  const begun = [];
  const write = (name, action) =>
    new Promise((resolve, reject) => begun.push({ name, ends: () => resolve(action()), fails: () => reject(new Error("KV failed")) }));
  return {
    stored,
    begun,
    async get(names) { return new Map(names.map((name) => [name, stored.get(name) ?? null])); },
    put: (name, text) => write(name, () => void stored.set(name, text)),
    delete: (name) => write(name, () => void stored.delete(name)),
  };
};

/** A writer whose object runs one event at a time. */
const writer = () => {
  const kv = namespace();
  const state = { storage: storage(), blockConcurrencyWhile: (work) => work() };
  const object = new KeyWriter(state, { KEY_REGISTRY: kv });
  const ask = async (message) => {
    const response = await object.fetch({ json: async () => message });
    return response.status === 200 ? response.json() : response.status;
  };
  return { kv, object, ask, storage: state.storage };
};

/** Ends the writes that are under way, in the order in which they began. */
const end = async (kv) => {
  for (const write of kv.begun.splice(0)) write.ends();
  await tasks();
};

{
  // One of two fails while the other is under way: it is not taken back before it has ended.
  const { kv, ask } = writer();
  const made = ask({ write: [["a", null, "1"], ["b", null, "1"]] });
  await tasks();
  const [a, b] = kv.begun.splice(0);
  b.fails();
  await tasks();
  await end(kv);
  a.ends();
  let isAnswered = false;
  made.then(() => (isAnswered = true));
  await tasks();
  assert.equal(isAnswered, false, "nothing else is written while they are taken back");
  await end(kv);
  assert.equal(await made, 500);
  assert.deepEqual([...kv.stored], [], "all or none");
}

{
  // A write that was given up arrives after the next one: the next alarm puts that right.
  const { kv, ask, object, storage } = writer();
  kv.stored.set("a", "0");
  const first = ask({ write: [["a", "0", "1"]] });
  await tasks();
  mock.timers.tick(5000);
  assert.equal(await first, 500);
  const [late] = kv.begun.splice(0);
  assert.deepEqual(await ask({ read: ["a"] }), ["1"], "this object decides");
  const second = ask({ write: [["a", "1", "2"]] });
  await tasks();
  await end(kv);
  assert.equal(await second, true);
  late.ends();
  assert.equal(kv.stored.get("a"), "1");
  assert.ok(storage.alarm > Date.now());
  const alarm = object.alarm();
  await tasks();
  await end(kv);
  await alarm;
  assert.equal(kv.stored.get("a"), "2");
  // Then it knows of nothing more to do.
  await object.alarm();
  assert.deepEqual(kv.begun, []);
}

{
  // New records that KV neither takes nor gives back do not exist: they can be made, and else are taken away later.
  const { kv, ask, object, storage } = writer();
  const made = ask({ write: [["a", null, "1"], ["b", null, "1"], ["c", null, "1"]] });
  await tasks();
  const [a, b, c] = kv.begun.splice(0);
  a.ends();
  b.ends();
  c.fails();
  await tasks();
  for (const removal of kv.begun.splice(0)) removal.fails();
  assert.equal(await made, 500);
  assert.deepEqual([...kv.stored.keys()], ["a", "b"], "leftovers");
  assert.deepEqual(await ask({ read: ["a"] }), [null]);
  const again = ask({ write: [["a", null, "2"]] });
  await tasks();
  await end(kv);
  assert.equal(await again, true);
  // An alarm that fails is followed by another.
  storage.alarm = null;
  let alarm = object.alarm();
  await tasks();
  for (const write of kv.begun.splice(0)) write.fails();
  await alarm;
  assert.ok(storage.alarm > Date.now());
  alarm = object.alarm();
  await tasks();
  await end(kv);
  await alarm;
  assert.deepEqual([...kv.stored], [["a", "2"]]);
}

{
  // A change that expected another text writes none of its records, and does not ask KV for known ones.
  const { kv, ask } = writer();
  kv.stored.set("a", "0");
  assert.equal(await ask({ write: [["b", null, "1"], ["a", "1", "2"]] }), false);
  assert.deepEqual([kv.begun, await ask({ read: ["a", "b"] })], [[], ["0", null]]);
  const written = ask({ write: [["a", "0", "1"]] });
  await tasks();
  await end(kv);
  assert.equal(await written, true);
  kv.get = () => assert.fail("this object knows it");
  assert.deepEqual(await ask({ read: ["a"] }), ["1"]);
}

{
  // While KV refuses everything, the pauses double, up to 8 minutes; a change begins with a minute again.
  const { kv, ask, object, storage } = writer();
  kv.put = kv.delete = async () => {
    throw new Error("KV failed");
  };
  const pause = async (work) => {
    await work;
    return (storage.alarm - Date.now()) / MINUTE;
  };
  const pauses = [await pause(ask({ write: [["a", null, "1"]] }))];
  const ring = async () => {
    mock.timers.tick(storage.alarm - Date.now());
    pauses.push(await pause(object.alarm()));
  };
  for (let time = 0; time < 6; time++) await ring();
  assert.deepEqual(pauses, [1, 1, 2, 4, 8, 8, 8]);
  assert.equal(await pause(ask({ write: [["b", null, "1"]] })), 1);
  await ring();
  assert.equal(pauses.at(-1), 1);
  // Neither ends before it is sure that another alarm comes.
  const change = () => ask({ write: [["c", null, "1"]] });
  for (const [name, work] of [["put", change], ["setAlarm", change], ["setAlarm", () => object.alarm()]]) {
    const set = storage[name];
    let isOver = false;
    storage[name] = () => new Promise(() => {});
    work().then(() => (isOver = true));
    await tasks();
    assert.equal(isOver, false, name);
    storage[name] = set;
  }
}
