// A clock that is set back makes no nonce new again that was forgotten. Run by javascript.rs.

import assert from "node:assert/strict";
import { ReplayGuard } from "../../src/edge/replay.js";

const SECOND = 1000;
let now = 1_000 * SECOND;
Date.now = () => now;

/** The object's storage, without SQL: its four statements. */
const rows = new Map();
let alarm = null;
let hasTable = false;
const least = () => (rows.size === 0 ? null : Math.min(...rows.values()));
const statements = {
  CREATE: () => ((hasTable = true), []),
  INSERT: (nonce, until) => (rows.has(nonce) ? [] : (rows.set(nonce, until), [1])),
  DELETE: (time) => rows.forEach((until, nonce) => until <= time && rows.delete(nonce)),
  SELECT: () => ({ next: least() }),
};
const storage = {
  sql: {
    exec(text, ...values) {
      const found = statements[/^\w+/.exec(text)[0]](...values);
      assert.ok(hasTable, "no such table");
      return { toArray: () => found, one: () => found };
    },
  },
  getAlarm: async () => alarm,
  setAlarm: async (time) => (alarm = time),
  async deleteAll() {
    alarm = null;
    rows.clear();
    hasTable = false;
  },
};

let guard = new ReplayGuard({ storage });
const record = async (nonce, until) => (await guard.fetch({ url: `https://replay/?nonce=${nonce}&until=${until}` })).status;

assert.equal(await record("a", 1_060), 201);
assert.equal(await record("a", 1_060), 409);
assert.equal(alarm, 1_060 * SECOND);
now = alarm;
await guard.alarm();
assert.equal(rows.size, 0);
// The platform calls it once at least.
await guard.alarm();
assert.equal(hasTable, false);
now -= 30 * SECOND;
assert.equal(await record("a", 1_060), 409);
assert.equal(await record("b", 1_061), 201);

// One alarm is set for all nonces; the next one comes when one is over, but not within a minute.
assert.equal(alarm, 1_061 * SECOND);
assert.equal(await record("c", 1_100), 201);
assert.equal(await record("d", 1_300), 201);
assert.equal(alarm, 1_061 * SECOND, "the one that is set will do");
now = alarm;
await guard.alarm();
assert.deepEqual([...rows.keys()], ["c", "d"]);
assert.equal(alarm, 1_121 * SECOND);
now = alarm;
await guard.alarm();
assert.deepEqual([...rows.keys()], ["d"]);
assert.equal(alarm, 1_300 * SECOND);

// In memory again after an eviction, it knows only its clock.
now = alarm;
await guard.alarm();
now -= 1;
assert.equal(await record("d", 1_300), 409);
guard = new ReplayGuard({ storage });
assert.equal(await record("d", 1_300), 201);

// An alarm that cannot be set is an error, and one that does not end its work is repeated by the platform.
const failing = async () => Promise.reject(new Error("no storage"));
[storage.setAlarm, storage.deleteAll] = [failing, failing];
alarm = null;
await assert.rejects(record("e", 1_400), /no storage/);
await assert.rejects(guard.alarm(), /no storage/);
rows.clear();
await assert.rejects(guard.alarm(), /no storage/);
