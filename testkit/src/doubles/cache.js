// The Cache API of a data centre, as far as workerd asks for it: PUT brings a serialized HTTP response, GET finds one,
// PURGE forgets it. What it is given it keeps for as long as Cache-Control says; whether an answer may be kept at all is
// for the gate to know. It says what it is asked. `REPLY` says how it is broken, if it is: "throws", "fails", "hangs",
// "full".
const kept = new Map();

const name = (request) => `${request.headers.get("cf-cache-namespace") ?? "default"} ${request.url}`;
const miss = () => new Response(null, { status: 504, headers: { "cf-cache-status": "MISS" } });

// Bodies are as they were sent: one that is compressed is not compressed again.
const answer = (body, status, headers) => new Response(body, { status, headers, encodeBody: "manual" });

/** The head and the body of a serialized response. */
function parse(bytes) {
  let end = 0;
  while (bytes[end] !== 13 || bytes[end + 1] !== 10 || bytes[end + 2] !== 13 || bytes[end + 3] !== 10) end += 1;
  const [first, ...lines] = String.fromCharCode(...bytes.subarray(0, end)).split("\r\n");
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  headers.delete("transfer-encoding");
  return { status: Number(first.split(" ")[1]), headers, body: bytes.subarray(end + 4) };
}

/** For how many seconds a response may be kept. */
function lifetime(headers) {
  const control = headers.get("cache-control") ?? "";
  const seconds = /s-maxage=(\d+)/.exec(control) ?? /max-age=(\d+)/.exec(control);
  return seconds === null ? 0 : Number(seconds[1]) - Number(headers.get("age") ?? 0);
}

async function put(request) {
  // Throws when the body breaks off, and then nothing is kept.
  const response = parse(new Uint8Array(await request.arrayBuffer()));
  const seconds = lifetime(response.headers);
  if (seconds <= 0) return new Response(null, { status: 413 });
  // As others do: an age that does not grow.
  if (!response.headers.has("age")) response.headers.set("age", "0");
  kept.set(name(request), { ...response, until: Date.now() + seconds * 1000 });
  return new Response(null, { status: 204 });
}

const opaque = (tag) => tag.trim().replace(/^W\//, "");

function unchanged(request, headers) {
  const etag = headers.get("etag");
  const tags = request.headers.get("if-none-match");
  if (etag !== null && tags !== null) return tags.trim() === "*" || tags.split(",").some((tag) => opaque(tag) === opaque(etag));
  const [changed, since] = [headers.get("last-modified"), request.headers.get("if-modified-since")];
  return changed !== null && since !== null && Date.parse(changed) <= Date.parse(since);
}

/** The one range that is asked for: its first and its last byte, null if it cannot be served, or undefined. */
function range(request, size) {
  const asked = /^bytes=(\d*)-(\d*)$/.exec(request.headers.get("range") ?? "");
  if (asked === null || (asked[1] === "" && asked[2] === "")) return undefined;
  const first = asked[1] === "" ? Math.max(0, size - Number(asked[2])) : Number(asked[1]);
  const last = asked[1] === "" || asked[2] === "" ? size - 1 : Math.min(size - 1, Number(asked[2]));
  return first > last ? null : [first, last];
}

function get(request) {
  const found = kept.get(name(request));
  if (found === undefined || found.until <= Date.now()) return miss();
  const headers = new Headers(found.headers);
  headers.set("cf-cache-status", "HIT");
  if (unchanged(request, headers)) return new Response(null, { status: 304, headers });
  const size = found.body.byteLength;
  const part = range(request, size);
  if (part === null) {
    const whole = { "content-range": `bytes */${size}`, "cf-cache-status": "HIT" };
    return new Response(null, { status: 416, headers: whole });
  }
  if (part === undefined) return answer(found.body, found.status, headers);
  const [first, last] = part;
  headers.set("content-range", `bytes ${first}-${last}/${size}`);
  headers.set("content-length", String(last - first + 1));
  return answer(found.body.subarray(first, last + 1), 206, headers);
}

function purge(request) {
  return new Response(null, { status: kept.delete(name(request)) ? 200 : 404 });
}

export default {
  async fetch(request, env) {
    const { method, url } = request;
    const tell = (status) => console.log(JSON.stringify({ event: "cache", operation: method, url, status }));
    if (env.REPLY !== "") tell(env.REPLY);
    if (env.REPLY === "throws") throw new Error("broken");
    if (env.REPLY === "fails") return new Response("no", { status: 500 });
    if (env.REPLY === "hangs") return new Promise(() => setTimeout(() => {}, 1e9));
    if (env.REPLY === "full") return method === "PUT" ? new Response(null, { status: 413 }) : miss();
    const response = await { GET: get, PUT: put, PURGE: purge }[method](request);
    tell(response.status);
    return response;
  },
};
