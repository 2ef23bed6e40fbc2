// Ledger, the Durable Object that adds up one key's usage, by day, outcome and code, in the object's own
// SQLite. An object runs one event at a time and its SQL is synchronous, so a batch is taken whole or
// not at all.

/** The numbers of a row, in the order of a batch. */
const NUMBERS = ["requests", "bytes_in", "bytes_out", "upstream_ms", "upstream_429"];
/** The table. A row without a code has an empty one, because a primary key has no nulls here. */
const TABLE = "usage_by_code";
/** The table of former versions, without codes. One of them makes it again if it is deployed again. */
const FORMER = "usage";
/** Days for which an isolate's last sequence number is kept: an isolate lives for hours, and sends a batch again within seconds. */
const ISOLATE_DAYS = 2;
const DAY_MS = 86_400_000;
/** Largest number that is stored: JSON transports it exactly, and a sum over a month of such rows is still an INTEGER. */
const MAX_COUNT = Number.MAX_SAFE_INTEGER;

export class Ledger {
  constructor(state) {
    this.storage = state.storage;
    // A key that was never counted costs no row and no storage when its usage is read.
    if (state.storage.sql.exec("SELECT 1 FROM sqlite_master LIMIT 1").toArray().length > 0) this.open();
  }

  open() {
    this.storage.transactionSync(() => open(this.storage.sql));
    this.isOpen = true;
  }

  /** Takes a batch and returns the total since a day (POST), or lists days (GET): JSON. */
  async fetch(request) {
    const { sql } = this.storage;
    if (request.method === "GET") return Response.json(this.isOpen ? list(sql, new URL(request.url).searchParams) : []);
    const batch = await request.json();
    if (!this.isOpen) this.open();
    return Response.json(this.storage.transactionSync(() => take(sql, batch)));
  }
}

/** Makes the table, and moves the rows of former versions into it. */
function open(sql) {
  const columns = NUMBERS.map((name) => `${name} INTEGER`);
  sql.exec(`CREATE TABLE IF NOT EXISTS ${TABLE} (day TEXT, outcome TEXT, code TEXT, ${columns},
    PRIMARY KEY (day, outcome, code)) WITHOUT ROWID`);
  if (sql.exec("SELECT 1 FROM sqlite_master WHERE name = ?", FORMER).toArray().length === 0) return;
  for (const row of sql.exec(`SELECT day, outcome, ${NUMBERS} FROM ${FORMER}`).toArray()) add(sql, Object.values(row), null);
  sql.exec(`DROP TABLE ${FORMER}`);
}

function list(sql, query) {
  const numbers = NUMBERS.map((name) => `MIN(${name}, ${MAX_COUNT}) AS ${name}`);
  const rows = sql.exec(
    `SELECT day, outcome, NULLIF(code, '') AS code, ${numbers} FROM ${TABLE} WHERE day BETWEEN ? AND ? ORDER BY day, outcome, code`,
    query.get("from"),
    query.get("to"),
  );
  return rows.toArray();
}

function take(sql, { isolate, sequence, since, rows, codes = [] }) {
  sql.exec("CREATE TABLE IF NOT EXISTS isolates (name TEXT PRIMARY KEY, sequence INTEGER, seen INTEGER) WITHOUT ROWID");
  const known = sql.exec("SELECT sequence FROM isolates WHERE name = ?", isolate).toArray();
  const last = known[0]?.sequence ?? 0;
  if (sequence > last && rows.length > 0) {
    const now = Date.now();
    if (known.length === 0) sql.exec("DELETE FROM isolates WHERE seen < ?", now - ISOLATE_DAYS * DAY_MS);
    sql.exec("INSERT OR REPLACE INTO isolates VALUES (?, ?, ?)", isolate, sequence, now);
    rows.forEach((row, at) => add(sql, row, codes[at]));
  }
  const total = since === null ? {} : sum(sql, since);
  return { sequence: Math.max(sequence, last), since, requests: 0, bytes: 0, ...total };
}

/** Adds a row of a batch, whose code isolates of former versions do not state. */
function add(sql, [day, outcome, ...numbers], code) {
  sql.exec(
    `INSERT INTO ${TABLE} VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
      SET ${NUMBERS.map((name) => `${name} = MIN(${name} + excluded.${name}, ${MAX_COUNT})`)}`,
    day,
    outcome,
    code ?? "",
    ...numbers.map((number) => Math.min(number, MAX_COUNT)),
  );
}

/** Returns the total that counts against a quota: that of requests that got what they asked for. */
function sum(sql, since) {
  return sql
    .exec(
      `SELECT MIN(COALESCE(SUM(MIN(requests, ${MAX_COUNT})), 0), ${MAX_COUNT}) AS requests,
        MIN(COALESCE(SUM(MIN(bytes_in, ${MAX_COUNT}) + MIN(bytes_out, ${MAX_COUNT})), 0), ${MAX_COUNT}) AS bytes
        FROM ${TABLE} WHERE day >= ? AND outcome IN ('forwarded', 'cached')`,
      since,
    )
    .one();
}
