// The call of Turnstile's siteverify. It decides nothing.

import { inTime } from "./bindings.js";
import { writeProbed } from "./wire.js";

/** Longest wait for the whole answer, in milliseconds. */
const ANSWER_MS = 5000;
/** Longest answer, in bytes. */
const MAX_ANSWER = 16_384;

/** Posts a form. Returns the answer's status and body as a message. */
export function siteverify(url, form) {
  const abort = new AbortController();
  const late = () => abort.abort();
  return inTime(post(url, form, abort.signal), ANSWER_MS).finally(late);
}

async function post(url, form, signal) {
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const response = await fetch(url, { method: "POST", headers, body: form, signal, redirect: "manual", cache: "no-store" });
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_ANSWER) throw new Error("siteverify's answer is too long");
    text += decoder.decode(chunk, { stream: true });
  }
  return writeProbed(response.status, text + decoder.decode());
}
