// What only JavaScript can do cheaply: reading and editing the platform's headers, and awaiting its
// fetch. It decides nothing; every line it gets was decided in Rust (src/edge/convert.rs has the
// formats). No header, URL or JSON document holds a line break, so lines are joined with one.

/** How much of an answer that refuses the gate's own token, or of a probe's, is read. */
const MOST_INSPECTED = 8192;
/** How long, in milliseconds, that may take. */
const INSPECTION_MS = 2000;

/** How many panics there were. */
let panics = 0;

export function panicked() {
  panics += 1;
}

/**
 * Throws once anything panicked since. A panic leaves what belongs to all requests in a memory that is
 * given up; wasm-bindgen would begin a new one and look there for it, at an address that means
 * something else.
 */
export function guard() {
  const born = panics;
  return () => {
    if (panics !== born) throw new Error("writegate: a panic in another request ended this one");
  };
}

export function describe(request) {
  const cf = request.cf;
  let lines = `${request.method}\n${request.url}\n${crypto.randomUUID()}\n${cf?.country ?? ""}\n${cf?.colo ?? ""}\n`;
  if (request.body !== null) lines += "body";
  for (const [name, value] of request.headers) lines += `\n${name}\n${value}`;
  return lines;
}

export function variable(env, name) {
  const value = env[name];
  if (value === undefined) return undefined;
  if (typeof value === "string") return `t${value}`;
  // A JSON variable is plain data; what can be called has a class of its own.
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

export function forward(request, plan, exchange, ctx, held) {
  const response = send(request, plan, exchange, held);
  // A caller who goes away does not take the audit line along.
  ctx.waitUntil(response);
  return response;
}

export function drive(work, ctx) {
  const response = driven(work);
  // As above: also of a request that never comes to be forwarded.
  ctx.waitUntil(response);
  return response;
}

async function driven(work) {
  const alive = guard();
  for (;;) {
    let value, rejected = false;
    try {
      value = await work.awaited();
    } catch {
      rejected = true;
    }
    alive();
    const response = work.resume(value, rejected);
    if (response === undefined) continue;
    work.free();
    return response;
  }
}

/** The whole body, empty where there is none, or null when it is longer than that. */
export async function read(request, most) {
  if (request.body === null || request.headers.has("content-length")) return new Uint8Array(await request.arrayBuffer());
  const chunks = [];
  let length = 0;
  for await (const chunk of request.body) {
    length += chunk.byteLength;
    if (length > most) return null;
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

export function hash(name, body) {
  return crypto.subtle.digest(name, body);
}

async function send(request, plan, exchange, held) {
  const [url, travel, timeout, drop, ...set] = plan.split("\n");
  const { method, headers } = request;
  const abort = new AbortController();
  const { signal } = abort;
  const timer = setTimeout(() => abort.abort("timeout"), Number(timeout));
  const alive = guard();
  const meter = { sent: undefined };
  try {
    let body = travel === "held" ? held : outgoing(request, travel, abort, meter);
    if (travel === "keep") body = await body;
    for (;;) {
      let step, response;
      const init = { method, headers, body, signal, redirect: "manual", cache: "no-store" };
      const outbound = new Request(url, init);
      edit(outbound.headers, drop, set);
      try {
        response = await fetch(outbound);
      } catch {
        alive();
        step = exchange.failed(request.signal?.aborted ? "gone" : String(signal.reason), meter.sent, Date.now(), Math.random());
      }
      alive();
      step ??= exchange.answered(response.status, lines(response.headers), meter.sent, Date.now(), Math.random());
      const [what, ...rest] = step.split("\n");
      if (what === "again") {
        response?.body?.cancel();
        await new Promise((done) => setTimeout(done, Number(rest[0])));
        continue;
      }
      let own = rest.join("\n");
      if (what === "inspect") {
        const said = await beginning(response);
        alive();
        own = exchange.rejected(response.status, said);
      }
      if (what === "pass") return pass(response, rest, exchange, alive);
      exchange.free();
      return answer(own);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** The body as it travels: none, as it comes, the promise of one kept to be sent again, or counted. */
function outgoing(request, travel, abort, meter) {
  if (travel === "none") return undefined;
  if (travel === "stream") return request.body;
  if (travel === "keep") return request.arrayBuffer().catch(() => abort.abort("gone"));
  return counted(request.body, Number(travel), abort, meter);
}

/**
 * A body of unknown length that breaks off, and the upstream's request with it, after so many
 * bytes. Piping would close the upstream's side when the caller breaks off, and so turn half an
 * upload into a whole one: hence preventAbort, and the abort of the fetch itself.
 */
function counted(body, most, abort, meter) {
  meter.sent = 0;
  const { readable, writable } = new TransformStream({
    transform(chunk, controller) {
      meter.sent += chunk.byteLength;
      if (meter.sent > most) {
        abort.abort("too large");
        controller.error("too large");
      } else {
        controller.enqueue(chunk);
      }
    },
  });
  body.pipeTo(writable, { preventAbort: true }).catch(() => abort.abort("gone"));
  return readable;
}

function pass(upstream, [audit, alarm, metered, drop, ...set], exchange, alive) {
  write(audit, alarm);
  let { body } = upstream;
  if (metered !== "" && body !== null) {
    body = measured(body, (bytes) => {
      try {
        alive();
      } catch {
        // What counted it is gone; the answer need not go with it.
        return;
      }
      exchange.streamed(bytes);
      exchange.free();
    });
  } else {
    exchange.free();
  }
  const response = new Response(body, upstream);
  edit(response.headers, drop, set);
  return response;
}

/** A body that tells its length at its end, also when it breaks off or its reader goes away. */
function measured(body, tell) {
  const reader = body.getReader();
  let seen = 0;
  return new ReadableStream({
    async pull(controller) {
      let chunk;
      try {
        chunk = await reader.read();
      } catch (error) {
        tell(seen);
        throw error;
      }
      if (chunk.done) {
        tell(seen);
        controller.close();
      } else {
        seen += chunk.value.byteLength;
        controller.enqueue(chunk.value);
      }
    },
    cancel(reason) {
      tell(seen);
      return reader.cancel(reason);
    },
  });
}

function edit(headers, drop, set) {
  if (drop !== "") for (const name of drop.split(",")) headers.delete(name);
  for (let i = 0; i < set.length; i += 2) headers.set(set[i], set[i + 1]);
}

function lines(headers) {
  let text = "";
  for (const [name, value] of headers) text += text === "" ? `${name}\n${value}` : `\n${name}\n${value}`;
  return text;
}

function write(audit, alarm) {
  console.log(audit);
  if (alarm !== "") console.error(alarm);
}

/** The first bytes of a body as text, as many as come in time. */
async function beginning(response) {
  if (response.body === null) return "";
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const late = new Promise((done) => setTimeout(done, INSPECTION_MS, { done: true }));
  let text = "";
  try {
    while (text.length < MOST_INSPECTED) {
      const { done, value } = await Promise.race([reader.read(), late]);
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    // Broken off: what came before is all there is.
  }
  reader.cancel().catch(() => {});
  return text;
}

export async function probe(plan) {
  const [url, timeout, ...fields] = plan.split("\n");
  const headers = {};
  for (let i = 0; i < fields.length; i += 2) headers[fields[i]] = fields[i + 1];
  const signal = AbortSignal.timeout(Number(timeout));
  const response = await fetch(url, { headers, signal, redirect: "manual", cache: "no-store" });
  return `${response.status}\n${await beginning(response)}`;
}
