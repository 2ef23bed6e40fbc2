// Forwarding a request: it asks the cache if the route has one, then the upstream as often as the
// exchange says, and passes the response on as the exchange says. It decides nothing.

import { instanceGuard, log, respond } from "./glue.js";
import { remember } from "./memory_cache.js";
import { find, keep } from "./store.js";
import { editHeaders, readLength, readPlan, readProbe, readStep, toRecord, writeHeaders, writeProbed } from "./wire.js";

/** Most characters that are read of a response that refuses the gate's token, or of a probe's response. */
const MAX_INSPECTED = 8192;
/** Longest time for reading them, in milliseconds. */
const INSPECTION_MS = 2000;
/** Number of bytes after which passed bytes are charged, at the latest: a request may end before it can charge the rest. */
const CHARGED_AT = 65_536;

export function forward(request, plan, exchange, ctx, buffered) {
  const response = send(request, plan, exchange, ctx, buffered);
  // The audit line is written even if the caller breaks off, unless the upstream takes 30 s more: then the platform ends the request.
  ctx.waitUntil(response);
  return response;
}

async function send(request, plan, exchange, ctx, buffered) {
  const { url, travel, timeoutMs, drop, lookup, set } = readPlan(plan);
  const { method } = request;
  const sameInstance = instanceGuard();
  const entry = lookup !== "" && (await stored(request, lookup, exchange, sameInstance));
  if (entry) return entry;
  const upload = { sent: buffered?.bytes.byteLength, ended: undefined, passed: undefined };
  // A signal costs more than it is worth if only the timeout would use it: nothing waits for a request
  // that is late, so the platform ends it together with this one.
  const abort = isCounted(travel) ? new AbortController() : undefined;
  const body = buffered?.bytes ?? outgoing(request, travel, abort, upload);
  const init = { method, headers: undefined, body, signal: abort?.signal, redirect: "manual", cache: "no-store" };
  // Bytes are passed on, and charged, as the upstream compressed them.
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
      let gateResponse = step.response;
      if (step.what === "again") {
        response?.body?.cancel();
        await new Promise((done) => setTimeout(done, step.pauseMs));
        sameInstance();
        if (!request.signal.aborted) continue;
        gateResponse = exchange.gone();
      }
      if (step.what === "inspect") {
        const text = await beginning(decompressed(response));
        sameInstance();
        gateResponse = exchange.rejected(response.status, text);
      }
      exchange.free();
      return respond(gateResponse);
    }
  } finally {
    clearTimeout(timer);
    buffered?.release();
  }
}

/** Answers source the cache, if it has an entry that may be served. */
async function stored(request, lookup, exchange, sameInstance) {
  const entry = await find(lookup, request);
  sameInstance();
  const step = entry && exchange.cached(entry.status, entry.lines, entry.purged, Date.now());
  if (!step) {
    entry?.body?.cancel?.();
    return undefined;
  }
  remember(entry);
  return pass(entry, readStep(step), exchange, sameInstance, request);
}

/** Returns true if the body has no length announced, so it must be counted: then `travel` is the most bytes that may pass. */
function isCounted(travel) {
  return travel[0] <= "9";
}

/** Returns the body for the upstream: none, streaming, or counted. */
function outgoing(request, travel, abort, upload) {
  if (travel === "none") return undefined;
  if (travel === "stream") return request.body;
  return counted(request.body, Number(travel), abort, upload);
}

/**
 * Returns a body of unknown length that breaks off, together with the upstream's request, after
 * `maxBytes`. A plain pipe would close the upstream's side when the caller breaks off, and so turn half
 * an upload into a whole one: hence preventAbort, and the abort of the fetch itself.
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

function pass(source, step, exchange, sameInstance, { method, lookup, ctx }, upload) {
  log(step.audit, step.alarm);
  const copy = step.copy && keep(lookup, source, step.copy, ctx);
  let { body } = source;
  if ((method === "HEAD" || step.status !== undefined) && body !== null) {
    body.cancel?.();
    body = null;
  }
  if (body === null) copy?.close();
  const isMetered = step.isMetered && body !== null;
  const isArriving = upload?.ended !== undefined;
  let report = () => {};
  if (isMetered || isArriving) {
    const charge = charging(exchange, sameInstance, Number(isMetered) + Number(isArriving));
    if (isMetered) report = (bytes, isLast) => charge(0, bytes, isLast);
    if (isArriving) {
      upload.passed = (bytes, isLast) => charge(bytes, 0, isLast);
      ctx.waitUntil(upload.ended);
    }
  } else {
    exchange.free();
  }
  if (isMetered || (copy !== undefined && body !== null)) body = observed(body, source.headers, report, copy);
  // A response of the upstream stays as compressed as it came; the platform decompresses and compresses a cache entry again.
  const encodeBody = upload === undefined ? "automatic" : "manual";
  // Status and headers only: the upstream's reason phrase is not searched for the token.
  const response = new Response(body, { status: step.status ?? source.status, headers: source.headers, encodeBody });
  editHeaders(response.headers, step.drop, step.set);
  return response;
}

/** Returns a function that charges bytes after the response's head, and frees the exchange when all `open` streams have ended. */
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
      // The memory that counted it was given up, but the response may go on.
      return;
    }
    exchange.passed(bytesIn, bytesOut);
    bytesIn = bytesOut = 0;
    if (open === 0) exchange.free();
  };
}

/**
 * Returns a body of the announced length that reports each chunk, and its end: complete, broken off or
 * without a reader. A copy goes to `copy` as fast as the reader reads, so nothing piles up for a slow
 * one.
 */
function observed(body, headers, report, copy) {
  const reader = body.getReader();
  let isOver = false;
  const end = (isWhole) => {
    if (isOver) return;
    isOver = true;
    report(0, true);
    if (isWhole) copy?.close();
    else copy?.abort();
  };
  return new ReadableStream({
    // A body that breaks off earlier never looks complete.
    expectedLength: readLength(headers),
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
        report(chunk.value.byteLength, false);
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

/** Returns a response's body, decompressed if possible. */
function decompressed({ body, headers }) {
  const encoding = headers.get("content-encoding");
  try {
    return { body: encoding && body ? body.pipeThrough(new DecompressionStream(encoding)) : body };
  } catch {
    return { body };
  }
}

/** Reads the first bytes of a body as text, as many as arrive in time. */
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
    // The body broke off: the text before it is enough.
  }
  reader.cancel().catch(() => {});
  return text.slice(0, MAX_INSPECTED);
}

/** Most probes that wait for an answer at once. The platform would make more of them wait, while their time runs. */
const MAX_PROBES = 6;

/** Sends these GETs. Returns, in the same order, each answer's status and beginning as a message, or `undefined`. */
export async function probe(plans) {
  const answers = [];
  const queue = plans.entries();
  const sendNext = async () => {
    for (const [i, plan] of queue) answers[i] = await probeOne(plan).catch(() => {});
  };
  await Promise.all(Array.from({ length: MAX_PROBES }, sendNext));
  return answers;
}

async function probeOne(plan) {
  const { url, timeoutMs, headers } = readProbe(plan);
  const init = { headers: toRecord(headers), signal: AbortSignal.timeout(timeoutMs), redirect: "manual", cache: "no-store" };
  const response = await fetch(url, init);
  return writeProbed(response.status, await beginning(response));
}
