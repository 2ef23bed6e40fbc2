// ReplayGuard, the Durable Object that remembers nonces: one shard of one key's nonces, in one table of
// the object's own SQLite. An object runs one event at a time and its SQL is synchronous, so of two
// copies of a request exactly one inserts the row.

const TABLE = "CREATE TABLE IF NOT EXISTS nonces (nonce TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID";
/** Least time between two alarms, in milliseconds: each costs as much as a request. */
const REST_MS = 60_000;

export class ReplayGuard {
  constructor(state) {
    this.storage = state.storage;
    this.latest = 0;
  }

  /** Returns the time, which does not go back while the object is in memory: rows that were over may be forgotten already. */
  now() {
    return (this.latest = Math.max(this.latest, Date.now()));
  }

  /** Records the nonce of this request: 201 for a new one, 409 for a known one. */
  async fetch(request) {
    const { searchParams } = new URL(request.url);
    const { sql } = this.storage;
    const until = Number(searchParams.get("until")) * 1000;
    // Its row may be forgotten already: a copy whose body arrived minutes after its time was checked
    // must not count as new.
    if (until <= this.now()) return new Response(null, { status: 409 });
    sql.exec(TABLE);
    const row = sql.exec("INSERT OR IGNORE INTO nonces VALUES (?, ?) RETURNING 1", searchParams.get("nonce"), until);
    if (row.toArray().length === 0) return new Response(null, { status: 409 });
    // A row without an alarm would stay for ever, so an alarm that cannot be set is an error and not a 201.
    if ((await this.storage.getAlarm()) === null) await this.storage.setAlarm(until);
    return new Response(null, { status: 201 });
  }

  /** Forgets nonces whose signatures would be stale anyway. */
  async alarm() {
    const { sql } = this.storage;
    const now = this.now();
    // The platform may repeat an alarm whose object was deleted.
    sql.exec(TABLE);
    sql.exec("DELETE FROM nonces WHERE until <= ?", now);
    const { next } = sql.exec("SELECT MIN(until) AS next FROM nonces").one();
    // Without a row the object is deleted, so it costs nothing.
    if (next === null) await this.storage.deleteAll();
    else await this.storage.setAlarm(Math.max(next, now + REST_MS));
  }
}
