// KeyWriter, the Durable Object that writes every record of the registry. KV has no transactions and may
// answer with the state of a minute ago, so two data centres could overwrite each other's writes. This
// object has the last written text of each record; KV is its copy for readers.
//
// There is one object for all keys: a batch is written whole or not at all, and admins write rarely.

import { inTime, KV_MS } from "./bindings.js";

/** Time, in milliseconds, after which records that KV may not have are copied again. Writes that were given up have ended by then. */
const REPEAT_MS = 60_000;
/** Longest pause before they are copied again, which also delays a revocation after KV takes writes again. */
const MAX_REPEAT_MS = 8 * REPEAT_MS;
/** Name of the time at which a change last failed, in milliseconds. */
const FAILED_AT = "failed_at";

export class KeyWriter {
  constructor(state, env) {
    this.state = state;
    this.kv = env.KEY_REGISTRY;
    // `behind` has the names for which a write failed: KV may have another text, or get one late, by a
    // write that was given up.
    this.exec(`CREATE TABLE IF NOT EXISTS records (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS behind (name TEXT PRIMARY KEY) WITHOUT ROWID`);
  }

  /** Answers `{"read":[name,…]}` or `{"write":[[name, expected text or null, new text],…]}`: JSON. */
  async fetch(request) {
    const { read, write } = await request.json();
    // Nothing else runs in between, so KV gets the writes in this order too. An exception in there would
    // end the object, so it becomes a response.
    const work = () => (read ? this.read(read) : this.write(write)).catch(() => {});
    const answer = await this.state.blockConcurrencyWhile(work);
    return answer === undefined ? new Response(null, { status: 500 }) : Response.json(answer);
  }

  /** Copies the records for which a write to KV failed. */
  alarm() {
    const copied = () => this.exec("DELETE FROM behind");
    return this.state.blockConcurrencyWhile(() => this.copy(this.behind()).then(copied, () => this.repeatLater()));
  }

  async read(names) {
    const texts = names.map((name) => this.text(name));
    const behind = this.behind();
    const unknown = names.filter((name, i) => texts[i] === undefined && !behind.includes(name));
    // Records from before this object existed.
    const found = unknown.length > 0 ? await inTime(this.kv.get(unknown), KV_MS) : new Map();
    return names.map((name, i) => texts[i] ?? found.get(name) ?? null);
  }

  async write(changes) {
    const { storage } = this.state;
    const names = changes.map(([name]) => name);
    const current = await this.read(names);
    if (changes.some(([, from], i) => current[i] !== from)) return false;
    // Here first: this object decides even if KV fails.
    storage.transactionSync(() => {
      for (const [name, , text] of changes) this.exec("INSERT OR REPLACE INTO records VALUES (?, ?)", name, text);
    });
    try {
      await this.copy(names);
    } catch (error) {
      storage.transactionSync(() => {
        for (const [name, from] of changes) {
          // Nobody knows yet that a new record exists.
          if (from === null) this.exec("DELETE FROM records WHERE name = ?", name);
          this.exec("INSERT OR IGNORE INTO behind VALUES (?)", name);
        }
      });
      const now = Date.now();
      await storage.put(FAILED_AT, now);
      await storage.setAlarm(now + REPEAT_MS);
      await this.copy(names.filter((name) => this.text(name) === undefined));
      throw error;
    }
    return true;
  }

  /** Makes KV a copy of these records: those that do not exist are deleted there. */
  async copy(names) {
    const one = (name) => {
      const text = this.text(name);
      return text === undefined ? this.kv.delete(name) : this.kv.put(name, text);
    };
    // All have ended before one may be taken back: of two writes of a name under way at once, either may win.
    const ended = await inTime(Promise.allSettled(names.map(one)), KV_MS);
    for (const { reason } of ended) if (reason) throw reason;
  }

  text(name) {
    return this.exec("SELECT text FROM records WHERE name = ?", name)[0]?.text;
  }

  behind() {
    return this.exec("SELECT name FROM behind").map(({ name }) => name);
  }

  exec(text, ...values) {
    return this.state.storage.sql.exec(text, ...values).toArray();
  }

  /** Sets the next alarm after as long as KV has failed already, so the pauses double. */
  async repeatLater() {
    const { storage } = this.state;
    const now = Date.now();
    const failing = now - ((await storage.get(FAILED_AT)) ?? 0);
    await storage.setAlarm(now + Math.min(Math.max(failing, REPEAT_MS), MAX_REPEAT_MS));
  }
}
