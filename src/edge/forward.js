// A forwarding: the store of answers is asked where there is one, then the upstream, as often as the
// exchange says, and the answer is passed on as it says. It decides nothing.

import { instanceGuard, log, respond } from "./glue.js";
import { remember } from "./memory_cache.js";
import { find, keep } from "./store.js";
import { editHeaders, readPlan, readProbe, readStep, toRecord, writeHeaders, writeProbed } from "./wire.js";

/** How much of an answer that refuses the gate's own token, or of a probe's, is read. */
const MAX_INSPECTED = 8192;
/** How long, in milliseconds, that may take. */
const INSPECTION_MS = 2000;
/** After how many bytes at the latest what passes is charged: a request may end before it is told so. */
const CHARGED_AT = 65_536;

export function forward(request, plan, exchange, ctx, held) {
  const response = send(request, plan, exchange, ctx, held);
  // A caller who goes away does not take the audit line along.
  ctx.waitUntil(response);
  return response;
}

async function send(request, plan, exchange, ctx, held) {
  const { url, travel, timeoutMs, drop, lookup, set } = readPlan(plan);
  const { method } = request;
  const sameInstance = instanceGuard();
  const kept = lookup !== "" && (await stored(request, lookup, exchange, sameInstance));
  if (kept) return kept;
  const upload = { sent: held?.bytes.byteLength, ended: undefined, passed: undefined };
  // A signal costs more than it is worth where nobody but the clock would use it: nothing waits for a
  // request that is late, and so the platform ends it together with this one.
  const abort = isCounted(travel) ? new AbortController() : undefined;
  const body = held?.bytes ?? outgoing(request, travel, abort, upload);
  const init = { method, headers: undefined, body, signal: abort?.signal, redirect: "manual", cache: "no-store" };
  // Bytes are passed on, and charged, as the upstream packed them.
  init.encodeResponseBody = "manual";
  let isLate = false;
  let stopWaiting;
  const timer = setTimeout(() => {
    isLate = true;
    abort?.abort("timeout");
    stopWaiting?.();
  }, timeoutMs);
  try {
    for (;;) {
      let response, problem;
      init.headers = new Headers(request.headers);
      editHeaders(init.headers, drop, set);
      try {
        response = await new Promise((answered, failed) => {
          stopWaiting = answered;
          if (isLate) answered();
          else fetch(url, init).then(answered, failed);
        });
      } catch {
        problem = String(abort?.signal.reason);
      }
      sameInstance();
      if (isLate && response === undefined) problem = "timeout";
      if (problem !== undefined && request.signal.aborted) problem = "gone";
      const step = readStep(
        problem === undefined
          ? exchange.answered(response.status, writeHeaders(response.headers), upload.sent, Date.now(), Math.random())
          : exchange.failed(problem, upload.sent, Date.now(), Math.random()),
      );
      if (step.what === "pass") return pass(response, step, exchange, sameInstance, { method, lookup, ctx }, upload);
      let own = step.response;
      if (step.what === "again") {
        response?.body?.cancel();
        await new Promise((done) => setTimeout(done, step.pauseMs));
        sameInstance();
        if (!request.signal.aborted) continue;
        own = exchange.left();
      }
      if (step.what === "inspect") {
        const said = await beginning(unpacked(response));
        sameInstance();
        own = exchange.rejected(response.status, said);
      }
      exchange.free();
      return respond(own);
    }
  } finally {
    clearTimeout(timer);
    held?.release();
  }
}

/** The answer as the store has it, unless it has none that may be served. */
async function stored(request, lookup, exchange, sameInstance) {
  const kept = await find(lookup, request);
  sameInstance();
  const step = kept && exchange.found(kept.status, kept.lines, kept.purged, Date.now());
  if (!step) {
    kept?.body?.cancel?.();
    return undefined;
  }
  remember(kept);
  return pass(kept, readStep(step), exchange, sameInstance, request);
}

/** Returns true if the body has no length announced, so that it must be counted: then `travel` says how many bytes may pass. */
function isCounted(travel) {
  return travel[0] <= "9";
}

/** The body as it travels: none, as it comes, or counted. */
function outgoing(request, travel, abort, upload) {
  if (travel === "none") return undefined;
  if (travel === "stream") return request.body;
  return counted(request.body, Number(travel), abort, upload);
}

/**
 * A body of unknown length that breaks off, and the upstream's request with it, after so many
 * bytes. Piping would close the upstream's side when the caller breaks off, and so turn half an
 * upload into a whole one: hence preventAbort, and the abort of the fetch itself.
 */
function counted(body, maxBytes, abort, upload) {
  upload.sent = 0;
  const { readable, writable } = new TransformStream({
    transform(chunk, controller) {
      upload.sent += chunk.byteLength;
      upload.passed?.(chunk.byteLength);
      if (upload.sent > maxBytes) {
        abort.abort("too large");
        controller.error("too large");
      } else {
        controller.enqueue(chunk);
      }
    },
  });
  upload.ended = body
    .pipeTo(writable, { preventAbort: true })
    .catch(() => abort.abort("gone"))
    .then(() => {
      upload.ended = undefined;
      upload.passed?.(0, true);
    });
  return readable;
}

function pass(from, step, exchange, sameInstance, { method, lookup, ctx }, upload) {
  log(step.audit, step.alarm);
  const copy = step.copy && keep(lookup, from, step.copy, ctx);
  let { body } = from;
  if ((method === "HEAD" || step.status !== undefined) && body !== null) {
    body.cancel?.();
    body = null;
  }
  if (body === null) copy?.close();
  const isMetered = step.isMetered && body !== null;
  const isArriving = upload?.ended !== undefined;
  let tell = () => {};
  if (isMetered || isArriving) {
    const charge = charging(exchange, sameInstance, Number(isMetered) + Number(isArriving));
    if (isMetered) tell = (bytes, isLast) => charge(0, bytes, isLast);
    if (isArriving) {
      upload.passed = (bytes, isLast) => charge(bytes, 0, isLast);
      ctx.waitUntil(upload.ended);
    }
  } else {
    exchange.free();
  }
  if (isMetered || (copy !== undefined && body !== null)) body = watched(body, from.headers, tell, copy);
  // What the upstream sent is as it packed it; what the store has, the platform unpacks and packs again.
  const encodeBody = upload === undefined ? "automatic" : "manual";
  // Nothing but these: the upstream's reason phrase is not searched for the token.
  const response = new Response(body, { status: step.status ?? from.status, headers: from.headers, encodeBody });
  editHeaders(response.headers, step.drop, step.set);
  return response;
}

/** Charges what passes after the answer's head, and lets go of the exchange when so many streams have ended. */
function charging(exchange, sameInstance, open) {
  let bytesIn = 0, bytesOut = 0;
  return (moreIn, moreOut, isLast) => {
    bytesIn += moreIn;
    bytesOut += moreOut;
    if (!isLast && bytesIn + bytesOut < CHARGED_AT) return;
    if (isLast) open -= 1;
    try {
      sameInstance();
    } catch {
      // What counted it is gone; the answer need not go with it.
      return;
    }
    exchange.passed(bytesIn, bytesOut);
    bytesIn = bytesOut = 0;
    if (open === 0) exchange.free();
  };
}

/**
 * A body, of the length that its headers announce, that tells what passes and when it has ended, broken off or
 * lost its reader. A copy goes where `copy` says, as fast as the reader reads: nothing piles up for a slow one.
 */
function watched(body, headers, tell, copy) {
  const reader = body.getReader();
  const length = headers.get("content-length");
  let isOver = false;
  const end = (isWhole) => {
    if (isOver) return;
    isOver = true;
    tell(0, true);
    if (isWhole) copy?.close();
    else copy?.abort();
  };
  return new ReadableStream({
    // A body that breaks off before is cut off there, and never looks complete.
    expectedLength: length === null ? undefined : Number(length),
    async pull(controller) {
      let chunk;
      try {
        chunk = await reader.read();
      } catch (error) {
        end(false);
        throw error;
      }
      if (isOver) return;
      if (chunk.done) {
        end(true);
        controller.close();
      } else {
        tell(chunk.value.byteLength, false);
        if (copy) await copy.write(chunk.value);
        controller.enqueue(chunk.value);
      }
    },
    cancel(reason) {
      end(false);
      return reader.cancel(reason);
    },
  });
}

/** An answer's body, unpacked where that is possible: it came as it was sent. */
function unpacked({ body, headers }) {
  const encoding = headers.get("content-encoding");
  try {
    return { body: encoding && body ? body.pipeThrough(new DecompressionStream(encoding)) : body };
  } catch {
    return { body };
  }
}

/** The first bytes of a body as text, as many as come in time. */
async function beginning(response) {
  if (response.body === null) return "";
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const late = new Promise((done) => setTimeout(done, INSPECTION_MS, { done: true }));
  let text = "";
  try {
    while (text.length < MAX_INSPECTED) {
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
  const { url, timeoutMs, headers } = readProbe(plan);
  const init = { headers: toRecord(headers), signal: AbortSignal.timeout(timeoutMs), redirect: "manual", cache: "no-store" };
  const response = await fetch(url, init);
  return writeProbed(response.status, await beginning(response));
}
