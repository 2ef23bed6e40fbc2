// The gate as it was built, with its Durable Objects watched: each says when it is called and what that costs in rows.
import * as gate from "./built.js";

export * from "./built.js";
export { default } from "./built.js";

/** `target` with these members of its own. */
const around = (target, own) =>
  new Proxy(target, {
    get(_, key) {
      if (Object.hasOwn(own, key)) return own[key];
      const value = target[key];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });

/** A statement that has run to its end, whatever its caller would have read of it: only then are its rows counted. */
function run(sql, tell, query, values) {
  const cursor = sql.exec(query, ...values);
  const rows = cursor.toArray();
  tell(query, cursor.rowsRead, cursor.rowsWritten);
  let next = 0;
  const one = () => {
    if (rows.length !== 1) throw new Error(`one row expected, there are ${rows.length}`);
    return rows[0];
  };
  const step = () => (next < rows.length ? { done: false, value: rows[next++] } : { done: true });
  const { rowsRead, rowsWritten, columnNames } = cursor;
  const iterator = () => ({ next: step });
  return { toArray: () => rows, one, next: step, [Symbol.iterator]: iterator, rowsRead, rowsWritten, columnNames };
}

function watched(state, name) {
  const { storage } = state;
  const tell = (what, read, written) =>
    console.log(JSON.stringify({ event: "rows", class: name, what, read, written }));
  const sql = around(storage.sql, { exec: (query, ...values) => run(storage.sql, tell, query, values) });
  const setAlarm = (time) => {
    // Billed as a row.
    tell("setAlarm", 0, 1);
    return storage.setAlarm(time);
  };
  return around(state, { storage: around(storage, { sql, setAlarm }) });
}

const counted = (name) =>
  class {
    constructor(state, env) {
      this.name = state.id.name;
      this.object = new gate[name](watched(state, name), env);
    }
    tell(what, url) {
      console.log(JSON.stringify({ event: "object", class: name, name: this.name, what, url }));
    }
    async fetch(request) {
      // After all its rows: a reader of this line has seen those.
      try {
        return await this.object.fetch(request);
      } finally {
        this.tell("fetch", request.url);
      }
    }
    async alarm(info) {
      await this.object.alarm(info);
      this.tell("alarm");
    }
  };

export const ReplayGuard = counted("ReplayGuard");
export const Ledger = counted("Ledger");
