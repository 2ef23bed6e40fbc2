// KeyWriter, the Durable Object that writes every record of the registry. KV has no transactions and may
// answer with the state of a minute ago, so two data centres could overwrite each other's writes. This
// object has the last written text of each record; KV is its copy for readers.
//
// There is one object for all keys: a batch is written whole or not at all, and admins write rarely.

import { inTime, KV_MS } from "./bindings.js";

export class KeyWriter {
  constructor(state, env) {
    this.state = state;
    this.kv = env.KEY_REGISTRY;
  }

  /** Answers `{"read":[name,…]}` or `{"write":[[name, expected text or null, new text],…]}`: JSON. */
  async fetch(request) {
    const { read, write } = await request.json();
    // Nothing else runs in between, so KV gets the writes in this order too. An exception in there would
    // end the object, so it becomes a response.
    const work = () => (read ? this.read(read) : this.write(write)).catch((error) => ({ error: String(error) }));
    const answer = await this.state.blockConcurrencyWhile(work);
    return Response.json(answer, { status: answer.error === undefined ? 200 : 500 });
  }

  async read(names) {
    const { sql } = this.state.storage;
    sql.exec("CREATE TABLE IF NOT EXISTS records (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID");
    const texts = new Map();
    for (const name of names) texts.set(name, sql.exec("SELECT text FROM records WHERE name = ?", name).toArray()[0]?.text);
    const unknown = names.filter((name) => texts.get(name) === undefined);
    if (unknown.length > 0) {
      // Records from before this object existed.
      const found = await inTime(this.kv.get(unknown), KV_MS);
      for (const name of unknown) texts.set(name, found.get(name) ?? null);
    }
    return names.map((name) => texts.get(name));
  }

  async write(changes) {
    const { storage } = this.state;
    const current = await this.read(changes.map(([name]) => name));
    if (changes.some(([, from], i) => current[i] !== from)) return false;
    // Here first: this object decides even if KV fails, and the next attempt writes to KV again.
    storage.transactionSync(() => {
      for (const [name, , text] of changes) storage.sql.exec("INSERT OR REPLACE INTO records VALUES (?, ?)", name, text);
    });
    try {
      await inTime(Promise.all(changes.map(([name, , text]) => this.kv.put(name, text))), KV_MS);
    } catch (error) {
      await this.forget(changes.filter(([, from]) => from === null).map(([name]) => name));
      throw error;
    }
    return true;
  }

  /** Removes new records that KV did not take. Nobody knows yet that they exist. */
  async forget(names) {
    const { storage } = this.state;
    storage.transactionSync(() => {
      for (const name of names) storage.sql.exec("DELETE FROM records WHERE name = ?", name);
    });
    await inTime(Promise.allSettled(names.map((name) => this.kv.delete(name))), KV_MS).catch(() => {});
  }
}
