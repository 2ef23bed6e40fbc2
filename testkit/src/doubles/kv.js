// Keeps the records of a KV namespace, as workerd's binding asks for them over HTTP, and says what it is asked.
//
// A name with `fails` in it is answered 500 and one with `hangs` never. A name with `unwritable` cannot be put, one with
// `flaky` not the first time, and putting one with `stuck` never ends. Getting one with `slow` takes until it is put the next time, and the answer is
// what was there before. While there is a record `list-fails` or `list-hangs`, so does listing.

const MOST = 1000;
let records;
/** The names that were put in vain. */
const failed = new Set();
/** The number of writes of each name. */
const puts = new Map();

export default {
  async fetch(request, env) {
    records ??= new Map(Object.entries(env.RECORDS));
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/bulk/get") return read(await request.json());
    if (pathname === "/") return list(searchParams);
    const name = decodeURIComponent(pathname.slice(1));
    // Read first: a writer waits for that.
    const text = await request.text();
    const answer = asked(request.method, name);
    if (answer) return answer;
    if (request.method === "PUT") {
      records.set(name, text);
      puts.set(name, (puts.get(name) ?? 0) + 1);
    }
    if (request.method === "DELETE") records.delete(name);
    if (request.method !== "GET") return new Response();
    const found = records.get(name);
    if (name.includes("slow")) await putAgain(name);
    return found === undefined ? new Response(null, { status: 404 }) : new Response(found);
  },
};

/** Logs what is asked; an answer, where the name says that it goes wrong. */
function asked(method, name) {
  console.log(JSON.stringify({ event: "kv", method, name }));
  if (name.includes("fails")) return new Response("no", { status: 500 });
  if (name.includes("hangs")) return never();
  if (name.includes("stuck") && method === "PUT") return never();
  if (method === "PUT" && (name.includes("unwritable") || (name.includes("flaky") && !failed.has(name)))) {
    failed.add(name);
    return new Response("no", { status: 500 });
  }
  return undefined;
}

const never = () => new Promise(() => setTimeout(() => {}, 1e9));

/** Asks again and again: what another request would have to wake, the runtime takes for hung. */
async function putAgain(name) {
  const before = puts.get(name);
  while (puts.get(name) === before) await new Promise((done) => setTimeout(done, 5));
}

/** Several names at once: each with its text, or null. */
function read({ keys, type }) {
  for (const name of keys) {
    const answer = asked("GET", name);
    if (answer) return answer;
  }
  const text = (name) => records.get(name) ?? null;
  const value = (name) => (type === "json" ? JSON.parse(text(name)) : text(name));
  return Response.json(Object.fromEntries(keys.map((name) => [name, value(name)])));
}

/** Names in order, with this prefix, after this cursor: the last name of the page before. */
function list(query) {
  const prefix = query.get("prefix") ?? "";
  const goesWrong = ["list-fails", "list-hangs"].find((name) => records.has(name));
  const answer = asked("LIST", goesWrong ?? prefix);
  if (answer) return answer;
  const limit = Number(query.get("key_count_limit") ?? MOST);
  const cursor = query.get("cursor");
  let after = "";
  try {
    if (cursor) after = atob(cursor);
  } catch {
    return new Response("no cursor of ours", { status: 400 });
  }
  const rest = [...records.keys()].filter((name) => name.startsWith(prefix) && name > after).sort();
  const page = rest.slice(0, limit);
  const keys = page.map((name) => ({ name }));
  if (page.length === rest.length) return Response.json({ keys, list_complete: true, cacheStatus: null });
  return Response.json({ keys, list_complete: false, cursor: btoa(page.at(-1)), cacheStatus: null });
}
