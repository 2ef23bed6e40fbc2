// A key's ledger beside a double of its SQL, of which the tests on workerd have the real one. Run by javascript.rs.

import assert from "node:assert/strict";
import { Ledger } from "../../src/edge/ledger.js";

const DAY_MS = 86_400_000;
const MOST = Number.MAX_SAFE_INTEGER;
const least = (a, b) => Math.min(a + b, MOST);
let now = 10 * DAY_MS;
Date.now = () => now;

/** The object's storage, without SQL: its tables and their statements. A statement outside a transaction fails once there are rows. */
const storage = (tables = {}) => {
  const counted = () => Object.values(tables.usage_by_code);
  const statements = [
    [/^SELECT 1 FROM sqlite_master LIMIT 1$/, () => Object.keys(tables)],
    [/^SELECT 1 FROM sqlite_master WHERE name = \?$/, (name) => (tables[name] ? [1] : [])],
    [/^CREATE TABLE IF NOT EXISTS usage_by_code /, () => ((tables.usage_by_code ??= {}), [])],
    [/^CREATE TABLE IF NOT EXISTS isolates /, () => ((tables.isolates ??= new Map()), [])],
    [/^SELECT day, outcome, requests,bytes_in,bytes_out,upstream_ms,upstream_429 FROM usage$/, () => tables.usage],
    [/^DROP TABLE usage$/, () => (delete tables.usage, [])],
    [/^INSERT INTO usage_by_code VALUES /, (...row) => {
      const [old, [day, outcome, code, ...numbers]] = [tables.usage_by_code[row.slice(0, 3)], row];
      tables.usage_by_code[[day, outcome, code]] = [day, outcome, code, ...numbers.map((number, i) => least(number, old?.[i + 3] ?? 0))];
      return [];
    }],
    [/^SELECT day, outcome, NULLIF/, (from, to) => counted().filter(([day]) => from <= day && day <= to)],
    [/^SELECT sequence FROM isolates /, (name) => (tables.isolates.has(name) ? [{ sequence: tables.isolates.get(name)[0] }] : [])],
    [/^DELETE FROM isolates WHERE seen < \?$/, (time) => (tables.isolates.forEach(([, seen], name) => seen < time && tables.isolates.delete(name)), [])],
    [/^INSERT OR REPLACE INTO isolates /, (name, ...rest) => (tables.isolates.set(name, rest), [])],
    [/^SELECT MIN\(COALESCE/, (since) => {
      const rows = counted().filter(([day, outcome]) => day >= since && ["forwarded", "cached"].includes(outcome));
      return [rows.reduce(({ requests, bytes }, row) => ({ requests: least(requests, row[3]), bytes: least(bytes, row[4] + row[5]) }), { requests: 0, bytes: 0 })];
    }],
  ];
  let depth = 0;
  const exec = (text, ...values) => {
    assert.ok(depth === 1 || text.startsWith("SELECT"), `not in a transaction: ${text}`);
    const found = statements.find(([start]) => start.test(text))[1](...values);
    return { toArray: () => found, one: () => found[0] };
  };
  const transactionSync = (work) => {
    depth += 1;
    try {
      return work();
    } finally {
      depth -= 1;
    }
  };
  return { tables, sql: { exec }, transactionSync };
};

const ledger = (tables) => {
  const state = { storage: storage(tables) };
  const object = new Ledger(state);
  const ask = async (request) => (await object.fetch(request)).json();
  return {
    tables: state.storage.tables,
    send: (batch) => ask({ method: "POST", json: async () => ({ isolate: "i", sequence: 1, since: "2026-01-01", rows: [], ...batch }) }),
    list: (from, to) => ask({ method: "GET", url: `https://ledger/?from=${from}&to=${to}` }),
  };
};
const row = (day, outcome, requests = 1, bytesIn = 2, bytesOut = 3) => [day, outcome, requests, bytesIn, bytesOut, 4, 5];
const [FIRST, SECOND] = ["2026-01-01", "2026-01-02"];

{
  // A batch counts once, by its code too; the total is that of what passed, since the day.
  const { send, list, tables } = ledger();
  assert.deepEqual([await list(FIRST, SECOND), tables], [[], {}], "reading makes no table");
  const rows = [row(FIRST, "forwarded"), row(SECOND, "cached"), row(SECOND, "refused"), row(SECOND, "refused")];
  const codes = [null, null, "ip-denied", "path-denied"];
  const total = { sequence: 7, since: FIRST, requests: 2, bytes: 10 };
  assert.deepEqual(await send({ sequence: 7, rows, codes }), total);
  for (const sequence of [7, 6]) assert.deepEqual(await send({ sequence, rows, codes }), total, `${sequence}`);
  const stored = [[...row(FIRST, "forwarded")], [...row(SECOND, "cached")], [...row(SECOND, "refused")], [...row(SECOND, "refused")]];
  stored.forEach((one, i) => one.splice(2, 0, codes[i] ?? ""));
  assert.deepEqual(await list(FIRST, SECOND), stored);
  assert.deepEqual(await list(SECOND, SECOND), stored.slice(1));
  // Another isolate has numbers of its own, and one of a former version states no codes.
  assert.deepEqual(await send({ isolate: "j", since: SECOND, rows: [row(SECOND, "cached")] }), { sequence: 1, since: SECOND, requests: 2, bytes: 10 });
  assert.deepEqual(await send({ sequence: 8, since: null, rows: [row(FIRST, "forwarded")] }), { sequence: 8, since: null, requests: 0, bytes: 0 });
  assert.deepEqual((await list(FIRST, FIRST))[0].slice(3), [2, 4, 6, 8, 10]);
}

{
  // An empty batch only asks, so its isolate is not noted.
  const { send, tables } = ledger();
  assert.deepEqual(await send({ sequence: 0 }), { sequence: 0, since: FIRST, requests: 0, bytes: 0 });
  await send({ sequence: 5 });
  assert.deepEqual([...tables.isolates], []);
  // Isolates are forgotten after two days, when a new one comes.
  const batch = (isolate, sequence) => send({ isolate, sequence, rows: [row(FIRST, "cached")] });
  await batch("a", 1);
  now += DAY_MS;
  await batch("b", 1);
  now += DAY_MS + 1;
  await batch("b", 2);
  assert.deepEqual([...tables.isolates.keys()], ["a", "b"]);
  await batch("c", 1);
  assert.deepEqual([...tables.isolates], [["b", [2, now]], ["c", [1, now]]]);
}

{
  // Numbers are stored up to what JSON transports.
  const { send, list } = ledger();
  await send({ rows: [row(FIRST, "cached", 1e300)] });
  assert.equal((await list(FIRST, FIRST))[0][3], MOST);
}

{
  // A ledger of a former version moves its rows; one that is there is read at once.
  const former = { day: FIRST, outcome: "cached", requests: 1, bytes_in: 2, bytes_out: 3, upstream_ms: 4, upstream_429: 5 };
  const { list, tables } = ledger({ usage: [former] });
  const moved = [[FIRST, "cached", "", 1, 2, 3, 4, 5]];
  assert.deepEqual([await list(FIRST, FIRST), Object.keys(tables)], [moved, ["usage_by_code"]]);
  assert.deepEqual(await ledger(tables).list(FIRST, FIRST), moved);
}
