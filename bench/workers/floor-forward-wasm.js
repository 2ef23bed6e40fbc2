// The floor of a forwarded write: the platform calls that the gate makes, and every text that crosses into Wasm and
// back, with a module that does nothing. It decides nothing: what it tells the platform to do was written down before.
import empty from "./empty.wasm";

const { memory, take } = new WebAssembly.Instance(empty).exports;
const bytes = new Uint8Array(memory.buffer);
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

const ID = "00000000-0000-4000-8000-000000000000";
const PLAN_AT = 65536;
const STEP_AT = 131072;
let planned = 0;
let stepped = 0;

/** Writes down what to send, and what to answer with the audit line that belongs to it. */
function prepare(env) {
  const audit = JSON.stringify({
    event: "request", outcome: "forwarded", code: null, request_id: ID, key: "pk_bench", verified: true, subject: "user-1",
    scheme: "session", method: "POST", path: "/posts", query_keys: ["lang", "draft"], route: "/*", status: 201,
    upstream_status: 201, upstream_ms: 0, attempts: 1, request_bytes: 99, response_bytes: 117, cache: null,
    token: env.TOKEN_FINGERPRINT, ip: "203.0.113.7", country: "DE", colo: "FRA", time: "2026-11-22T20:00:00.000Z",
  });
  const plan = [
    `${env.UPSTREAM}/posts?lang=en&draft=1`, 100000, "authorization,cf-connecting-ip,cf-ipcountry,cf-ray,connection,x-forwarded-for",
    "authorization", `Bearer ${env.WRITE_TOKEN}`, "x-request-id", ID,
  ];
  const step = [
    audit, "set-cookie", "location", "/posts/48213", "x-request-id", ID, "x-content-type-options", "nosniff",
    "access-control-allow-origin", "https://www.example.com", "access-control-expose-headers", "*", "vary", "Origin",
    "cache-control", "private",
  ];
  planned = encoder.encodeInto(plan.join("\n"), bytes.subarray(PLAN_AT)).written;
  stepped = encoder.encodeInto(step.join("\n"), bytes.subarray(STEP_AT)).written;
}

function give(text) {
  take(encoder.encodeInto(text, bytes.subarray(0, PLAN_AT)).written);
}

function read(at, length) {
  return decoder.decode(bytes.subarray(at, at + length)).split("\n");
}

function lines(headers) {
  let text = "";
  for (const [name, value] of headers) text += `\n${name}\n${value}`;
  return text;
}

function edit(headers, drop, set) {
  for (const name of drop.split(",")) headers.delete(name);
  for (let i = 0; i < set.length; i += 2) headers.set(set[i], set[i + 1]);
}

async function forward(request) {
  const { method, url, headers, body } = request;
  give(`${method}\n${url}\n${crypto.randomUUID()}\n${body !== null ? "body" : ""}${lines(headers)}`);
  const [target, timeout, drop, ...set] = read(PLAN_AT, planned);
  const outbound = new Headers(headers);
  edit(outbound, drop, set);
  let timer;
  const upstream = await new Promise((done, failed) => {
    timer = setTimeout(failed, Number(timeout), new Error("timeout"));
    const init = { method, headers: outbound, body, redirect: "manual", cache: "no-store", encodeResponseBody: "manual" };
    fetch(target, init).then(done, failed);
  });
  clearTimeout(timer);
  give(`${upstream.status}\n${Date.now()}${lines(upstream.headers)}`);
  const [audit, removed, ...added] = read(STEP_AT, stepped);
  console.log(audit);
  const response = new Response(upstream.body, { status: upstream.status, headers: upstream.headers, encodeBody: "manual" });
  edit(response.headers, removed, added);
  return response;
}

export default {
  fetch(request, env, ctx) {
    if (planned === 0) prepare(env);
    const response = forward(request);
    ctx.waitUntil(response);
    return response;
  },
};
