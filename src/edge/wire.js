// The messages between Rust and JavaScript, on the side of JavaScript; `wire.rs` is the other side. A
// message is one string of lines: a crossing costs more than its text, and no header, URL or JSON
// document contains a line break.

const encoder = new TextEncoder();

/**
 * Writes a request into `buffer`. Returns the number of bytes written, or, if there is too little room,
 * minus the room that is enough.
 */
export function writeRequest(request, buffer) {
  let headers = "";
  let isLocated = false;
  for (const [name, value] of request.headers) {
    headers += `\n${name}\n${value}`;
    if (name === "cf-ipcountry") isLocated = true;
  }
  // Cloudflare states the caller's location in CF-IPCountry and CF-Ray too, and reading `request.cf`
  // costs more than all headers together.
  const cf = isLocated ? undefined : request.cf;
  const body = request.body === null ? "" : "body";
  const text = `${request.method}\n${request.url}\n${crypto.randomUUID()}\n${cf?.country ?? ""}\n${cf?.colo ?? ""}\n${body}${headers}`;
  const { read, written } = encoder.encodeInto(text, buffer);
  return read === text.length ? written : -3 * text.length;
}

/**
 * Returns the announced length of a body; `undefined` unless it is one whole number, because the platform joins repeated fields,
 * and nothing overrides it (RFC 9112 section 6.3).
 */
export function readLength(headers) {
  const text = headers.get("content-length");
  return /^\d+$/.test(text) && !headers.has("transfer-encoding") ? Number(text) : undefined;
}

/** Returns the headers of a response as a message. */
export function writeHeaders(headers) {
  let text = "";
  for (const [name, value] of headers) text += text === "" ? `${name}\n${value}` : `\n${name}\n${value}`;
  return text;
}

/** Returns the status of a probe's response and the beginning of its body as a message. */
export function writeProbed(status, body) {
  return `${status}\n${body}`;
}

/** Reads a response of the gate itself. `headers` is a list of names and values in turn. */
export function readResponse(text) {
  const [status, audit, alarm, body, ...headers] = text.split("\n");
  return { status: Number(status), audit, alarm, body, headers };
}

/** Reads a plan: the upstream's URL and the headers of a request. `drop`, like all such lists, is separated by commas. */
export function readPlan(text) {
  const [url, travel, timeout, drop, lookup, ...set] = text.split("\n");
  return { url, travel, timeoutMs: Number(timeout), drop, lookup, set };
}

/** Reads a cache lookup: the cache key, two purge markers, and whether the caller requests a range. */
export function readLookup(text) {
  const [name, routeMarker, urlMarker, range] = text.split(",");
  return { name, markers: [routeMarker, urlMarker], isRange: range !== undefined };
}

/** Reads the next step of an exchange; `what` is `again`, `inspect`, `respond` or `pass`. */
export function readStep(text) {
  const end = text.indexOf("\n");
  const what = end === -1 ? text : text.slice(0, end);
  const rest = text.slice(what.length + 1);
  if (what === "again") return { what, pauseMs: Number(rest) };
  if (what === "respond") return { what, response: rest };
  return what === "pass" ? readPass(what, rest) : { what };
}

function readPass(what, text) {
  const [audit, alarm, metered, status, drop, count, ...fields] = text.split("\n");
  const set = fields.slice(0, 2 * Number(count));
  const [copyDrop, ...copySet] = fields.slice(set.length);
  const copy = copyDrop === undefined ? undefined : { drop: copyDrop, set: copySet };
  return { what, audit, alarm, isMetered: metered !== "", status: status === "" ? undefined : Number(status), drop, set, copy };
}

/** Reads a probe: a URL, a time limit and the headers to send. */
export function readProbe(text) {
  const [url, timeout, ...headers] = text.split("\n");
  return { url, timeoutMs: Number(timeout), headers };
}

/** Reads batches of usage: pairs of a key's id and its batch. */
export function readBatches(text) {
  const fields = text === "" ? [] : text.split("\n");
  const batches = [];
  for (let i = 0; i < fields.length; i += 2) batches.push([fields[i], fields[i + 1]]);
  return batches;
}

/** Sets headers from a list of names and values in turn, after those of the list `drop` are removed. */
export function editHeaders(headers, drop, set) {
  if (drop !== "") for (const name of drop.split(",")) headers.delete(name);
  for (let i = 0; i < set.length; i += 2) headers.set(set[i], set[i + 1]);
}

/** Returns an object of a list of names and values in turn. */
export function toRecord(list) {
  const record = {};
  for (let i = 0; i < list.length; i += 2) record[list[i]] = list[i + 1];
  return record;
}
