// What only JavaScript can do cheaply: reading and editing the platform's headers, and awaiting what is
// waited for. It decides nothing; every line it gets was decided in Rust (src/edge/convert.rs has the
// formats). No header, URL or JSON document holds a line break, so lines are joined with one.

import { releaseAll } from "./body.js";

/** How many panics there were. */
let panics = 0;

export function panicked() {
  panics += 1;
  releaseAll();
}

/**
 * Throws once anything panicked since. A panic leaves what belongs to all requests in a memory that is
 * given up; wasm-bindgen would begin a new one and look there for it, at an address that means
 * something else.
 */
export function instanceGuard() {
  const born = panics;
  return () => {
    if (panics !== born) throw new Error("writegate: a panic in another request ended this one");
  };
}

const encoder = new TextEncoder();

/**
 * Writes the request in lines into `buffer`. Returns how many bytes that took, or, where there was too little
 * room, minus the room that is enough.
 */
export function describe(request, buffer) {
  let headers = "";
  let isLocated = false;
  for (const [name, value] of request.headers) {
    headers += `\n${name}\n${value}`;
    if (name === "cf-ipcountry") isLocated = true;
  }
  // Cloudflare says where the caller is in CF-IPCountry and CF-Ray too, and to unpack `request.cf` costs
  // more than all headers together.
  const cf = isLocated ? undefined : request.cf;
  const body = request.body === null ? "" : "body";
  const text = `${request.method}\n${request.url}\n${crypto.randomUUID()}\n${cf?.country ?? ""}\n${cf?.colo ?? ""}\n${body}${headers}`;
  const { read, written } = encoder.encodeInto(text, buffer);
  return read === text.length ? written : -3 * text.length;
}

export function variable(env, name) {
  const value = env[name];
  if (value === undefined) return undefined;
  if (typeof value === "string") return `t${value}`;
  // A JSON variable is plain data; what can be called has a class of its own, or is a function.
  if (typeof value === "function") return "r";
  const plain = typeof value !== "object" || value === null || [Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value));
  return plain ? `j${JSON.stringify(value)}` : "r";
}

export function answer(text) {
  const [status, audit, alarm, body, ...fields] = text.split("\n");
  write(audit, alarm);
  const headers = {};
  for (let i = 0; i < fields.length; i += 2) headers[fields[i]] = fields[i + 1];
  return new Response(body || null, { status: Number(status), headers });
}

export function drive(work, ctx) {
  const response = driven(work);
  // As above: also of a request that never comes to be forwarded.
  ctx.waitUntil(response);
  return response;
}

async function driven(work) {
  const sameInstance = instanceGuard();
  for (;;) {
    let value, rejected = false;
    try {
      value = await work.awaited();
    } catch {
      rejected = true;
    }
    sameInstance();
    const response = work.resume(value, rejected);
    if (response === undefined) continue;
    work.free();
    return response;
  }
}

export function write(audit, alarm) {
  console.log(audit);
  if (alarm !== "") console.error(alarm);
}

export function edit(headers, drop, set) {
  if (drop !== "") for (const name of drop.split(",")) headers.delete(name);
  for (let i = 0; i < set.length; i += 2) headers.set(set[i], set[i + 1]);
}

export function lines(headers) {
  let text = "";
  for (const [name, value] of headers) text += text === "" ? `${name}\n${value}` : `\n${name}\n${value}`;
  return text;
}
