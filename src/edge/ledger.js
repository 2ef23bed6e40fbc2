// Ledger, the Durable Object that adds up one key's usage, by day and outcome, in the object's own
// SQLite. An object runs one event at a time and its SQL is synchronous, so a batch is taken whole or
// not at all.

/** The columns of a row, in the order of a batch and of an answer. */
const COLUMNS = ["day", "outcome", "requests", "bytes_in", "bytes_out", "upstream_ms", "upstream_429"];
/** Days for which an isolate's last sequence number is kept: an isolate lives for hours, and sends a batch again within seconds. */
const ISOLATE_DAYS = 2;
const DAY_MS = 86_400_000;
/** Largest number that is stored: JSON transports it exactly, and a sum over a month of such rows is still an INTEGER. */
const MAX_COUNT = Number.MAX_SAFE_INTEGER;

export class Ledger {
  constructor(state) {
    this.storage = state.storage;
  }

  /** Takes a batch and returns the total since a day (POST), or lists days (GET): JSON. */
  async fetch(request) {
    const { sql } = this.storage;
    sql.exec(`CREATE TABLE IF NOT EXISTS usage (day TEXT, outcome TEXT, requests INTEGER, bytes_in INTEGER,
      bytes_out INTEGER, upstream_ms INTEGER, upstream_429 INTEGER, PRIMARY KEY (day, outcome)) WITHOUT ROWID`);
    if (request.method === "GET") return Response.json(list(sql, new URL(request.url).searchParams));
    const batch = await request.json();
    return Response.json(this.storage.transactionSync(() => take(sql, batch)));
  }
}

function list(sql, query) {
  const rows = sql.exec(
    `SELECT ${COLUMNS.map((name, at) => (at < 2 ? name : `MIN(${name}, ${MAX_COUNT}) AS ${name}`))} FROM usage WHERE day BETWEEN ? AND ? ORDER BY day, outcome`,
    query.get("from"),
    query.get("to"),
  );
  return rows.toArray();
}

function take(sql, { isolate, sequence, since, rows }) {
  sql.exec("CREATE TABLE IF NOT EXISTS isolates (name TEXT PRIMARY KEY, sequence INTEGER, seen INTEGER) WITHOUT ROWID");
  const known = sql.exec("SELECT sequence FROM isolates WHERE name = ?", isolate).toArray();
  const last = known[0]?.sequence ?? 0;
  if (sequence > last && rows.length > 0) {
    const now = Date.now();
    if (known.length === 0) sql.exec("DELETE FROM isolates WHERE seen < ?", now - ISOLATE_DAYS * DAY_MS);
    sql.exec("INSERT OR REPLACE INTO isolates VALUES (?, ?, ?)", isolate, sequence, now);
    for (const row of rows) add(sql, row);
  }
  const total = since === null ? {} : sum(sql, since);
  return { sequence: Math.max(sequence, last), since, requests: 0, bytes: 0, ...total };
}

function add(sql, row) {
  sql.exec(
    `INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
      SET ${COLUMNS.slice(2).map((name) => `${name} = MIN(${name} + excluded.${name}, ${MAX_COUNT})`)}`,
    ...row.map((value, at) => (at < 2 ? value : Math.min(value, MAX_COUNT))),
  );
}

/** Returns the total that counts against a quota: that of requests that got what they asked for. */
function sum(sql, since) {
  return sql
    .exec(
      `SELECT MIN(COALESCE(SUM(MIN(requests, ${MAX_COUNT})), 0), ${MAX_COUNT}) AS requests,
        MIN(COALESCE(SUM(MIN(bytes_in, ${MAX_COUNT}) + MIN(bytes_out, ${MAX_COUNT})), 0), ${MAX_COUNT}) AS bytes
        FROM usage WHERE day >= ? AND outcome IN ('forwarded', 'cached')`,
      since,
    )
    .one();
}
