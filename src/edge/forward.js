// A forwarding: the store of answers is asked where there is one, then the upstream, as often as the
// exchange says, and the answer is passed on as it says. It decides nothing.

import { answer, edit, guard, lines, write } from "./glue.js";
import { remember } from "./recent.js";
import { find, keep } from "./store.js";

/** How much of an answer that refuses the gate's own token, or of a probe's, is read. */
const MOST_INSPECTED = 8192;
/** How long, in milliseconds, that may take. */
const INSPECTION_MS = 2000;

export function forward(request, plan, exchange, ctx, held) {
  const response = send(request, plan, exchange, ctx, held);
  // A caller who goes away does not take the audit line along.
  ctx.waitUntil(response);
  return response;
}

async function send(request, plan, exchange, ctx, held) {
  const [url, travel, timeout, drop, lookup, ...set] = plan.split("\n");
  const { method, headers } = request;
  const alive = guard();
  const kept = lookup !== "" && (await stored(request, lookup, exchange, alive));
  if (kept) return kept;
  const abort = new AbortController();
  const { signal } = abort;
  const timer = setTimeout(() => abort.abort("timeout"), Number(timeout));
  const meter = { sent: undefined };
  try {
    if (travel === "held") meter.sent = held.bytes.byteLength;
    const body = travel === "held" ? held.bytes : outgoing(request, travel, abort, meter);
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
      if (what === "pass") return pass(response, rest, exchange, alive, { method, lookup, ctx });
      exchange.free();
      return answer(own);
    }
  } finally {
    clearTimeout(timer);
    held?.release();
  }
}

/** The answer as the store has it, unless it has none that may be served. */
async function stored(request, lookup, exchange, alive) {
  const kept = await find(lookup, request);
  alive();
  const step = kept && exchange.found(kept.status, kept.lines, kept.purged, Date.now());
  if (!step) {
    kept?.body?.cancel?.();
    return undefined;
  }
  remember(kept);
  return pass(kept, step.split("\n").slice(1), exchange, alive, request);
}

/** The body as it travels: none, as it comes, or counted. */
function outgoing(request, travel, abort, meter) {
  if (travel === "none") return undefined;
  if (travel === "stream") return request.body;
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

function pass(from, [audit, alarm, metered, status, drop, count, ...fields], exchange, alive, { method, lookup, ctx }) {
  write(audit, alarm);
  const set = fields.slice(0, 2 * Number(count));
  const [keptDrop, ...keptSet] = fields.slice(set.length);
  if (keptDrop !== undefined) keep(lookup, from, keptDrop, keptSet, ctx);
  let { body } = from;
  if ((method === "HEAD" || status !== "") && body !== null) {
    body.cancel?.();
    body = null;
  }
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
  // Nothing but these: the upstream's reason phrase is not searched for the token.
  const response = new Response(body, { status: Number(status || from.status), headers: from.headers });
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
