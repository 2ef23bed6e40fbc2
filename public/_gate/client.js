/**
 * The browser's client of a writegate: a `fetch` that sends each request with a short session, and renews the session when
 * a request needs it. `docs/clients.md` explains it, `client.d.ts` has its types.
 */

// Taken now, so that a script that comes later cannot put itself in between.
const { fetch: send, crypto, Request, Response, XMLHttpRequest: Xhr } = globalThis;
const subtle = crypto?.subtle;

const TURNSTILE = "https://challenges.cloudflare.com/turnstile/v0/api.js?render=explicit";

/** The largest body that the gate compares with a signed digest. */
const MAX_DIGEST_BYTES = 10 << 20;

/** A refusal of the gate, or a Turnstile widget that failed (`status` 0). */
export class GateError extends Error {
  /** @param {Record<string, any>} problem @param {Response} [response] @param {ErrorOptions} [options] */
  constructor(problem, response, options) {
    const { code, status, title, detail, request_id: requestId } = problem;
    super(`${code}: ${detail}`, options);
    const retryAfter = response?.headers.get("retry-after");
    Object.assign(this, { name: "GateError", code, status, title, detail, requestId, problem, response });
    this.retryAfter = retryAfter ? Number(retryAfter) : undefined;
  }
}

/** Returns the `GateError` of a response, if the gate refused; the response's own body stays unread. */
const refusalOf = async (response) => {
  if (response.ok || !response.headers.get("content-type")?.startsWith("application/problem+json")) return;
  const problem = await response.clone().json().catch(() => {});
  if (problem?.type?.startsWith?.("/_gate/problems#")) return new GateError(problem, response);
};

const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
const encode = (text) => new TextEncoder().encode(text);

let script;

/** Loads Turnstile's script once for all instances; a failure is forgotten. */
const loadTurnstile = () =>
  (script ??= globalThis.turnstile ? Promise.resolve() : new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.onload = resolve;
    element.onerror = () => {
      script = undefined;
      element.remove();
      reject("the script did not load");
    };
    element.src = TURNSTILE;
    document.head.append(element);
  }));

/** Returns a fresh token of a widget that is made for it and removed afterwards. */
const solve = async (sitekey, container) => {
  const box = container ?? document.createElement("div");
  let id;
  try {
    await loadTurnstile();
    if (!container) document.body.append(box);
    return await new Promise((resolve, reject) => {
      const fail = (name) => (code) => (reject(code ?? name), true);
      id = turnstile.render(box, {
        sitekey,
        action: "writegate",
        appearance: "interaction-only",
        execution: "execute",
        callback: resolve,
        "error-callback": fail("error"),
        "timeout-callback": fail("timeout"),
        "unsupported-callback": fail("unsupported"),
      });
      turnstile.execute(id);
    });
  } catch (cause) {
    const detail = `Turnstile's widget failed (${cause?.message ?? cause}).`;
    throw new GateError({ code: "challenge-failed", status: 0, title: "The challenge failed", detail }, undefined, { cause });
  } finally {
    if (id !== undefined) turnstile.remove(id);
    if (!container) box.remove();
  }
};

/** Reads a mint's answer: `until` and `offset` (the gate's clock less this one) in milliseconds, `mac` of a bound session. */
const toSession = async ({ token, expires_in: ttl = Infinity, session_key: secret }) => {
  if (typeof token !== "string") throw new TypeError("writegate: a session has no token");
  const now = Date.now();
  const session = { token, until: now + (ttl - Math.min(ttl / 10, 10)) * 1000 };
  if (secret === undefined) return session;
  if (!subtle) throw new TypeError("writegate: a bound session needs crypto.subtle, so a page by https");
  const { iat, cnf } = JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
  const mac = await subtle.importKey("raw", encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return { ...session, mac, keyid: cnf.kid, offset: iat === undefined ? 0 : iat * 1000 - now };
};

/** Signs a request by RFC 9421, with a digest (RFC 9530) of a body that is not too large. */
const sign = async (request, headers, body, { mac, keyid, offset }) => {
  const { host, pathname, search } = new URL(request.url);
  const covered = {
    "@method": request.method,
    "@authority": host,
    "@path": pathname,
    "@query": search || "?",
    authorization: headers.get("authorization"),
  };
  if (body?.size && body.size <= MAX_DIGEST_BYTES) {
    const digest = `sha-256=:${base64(await subtle.digest("SHA-256", await body.arrayBuffer()))}:`;
    headers.set("content-digest", (covered["content-digest"] = digest));
  }
  const created = Math.floor((Date.now() + offset) / 1000);
  const nonce = base64(crypto.getRandomValues(new Uint8Array(16)));
  const names = Object.keys(covered).map((name) => `"${name}"`).join(" ");
  const params = (covered["@signature-params"] = `(${names});created=${created};keyid="${keyid}";nonce="${nonce}"`);
  const base = Object.entries(covered).map(([name, value]) => `"${name}": ${value}`).join("\n");
  headers.append("signature-input", `writegate=${params}`);
  headers.append("signature", `writegate=:${base64(await subtle.sign("HMAC", mac, encode(base)))}:`);
};

/** Sends a request by `XMLHttpRequest`, because only it reports how much of a body has left. */
const upload = (request, headers, body, onProgress) =>
  new Promise((resolve, reject) => {
    const { signal } = request;
    signal.throwIfAborted();
    const xhr = new Xhr();
    xhr.open(request.method, request.url);
    xhr.responseType = "arraybuffer";
    headers.forEach((value, name) => xhr.setRequestHeader(name, value));
    xhr.upload.onprogress = ({ loaded, total }) => onProgress({ loaded, total });
    xhr.onerror = () => reject(new TypeError("writegate: the upload failed"));
    xhr.onabort = () => reject(signal.reason);
    xhr.onload = () => {
      const { status, statusText } = xhr;
      const lines = xhr.getAllResponseHeaders().split("\r\n").filter(Boolean);
      const fields = lines.map((line) => line.split(/: (.*)/, 2));
      const content = [204, 205, 304].includes(status) ? null : xhr.response;
      const response = new Response(content, { status, statusText, headers: fields });
      resolve(Object.defineProperty(response, "url", { value: xhr.responseURL }));
    };
    signal.addEventListener("abort", () => xhr.abort());
    xhr.send(body);
  });

/** @param {import("./client.js").Options} options @returns {import("./client.js").Gate} */
export function writegate({ url, key, turnstile, container, session: own, throws = true }) {
  const gate = new URL(url ?? new URL("/", import.meta.url));
  const isMinted = key && typeof key === "string" && turnstile && /string|function/.test(typeof turnstile);
  if (!gate.protocol.startsWith("http")) throw new TypeError("writegate: url is not the gate's");
  if (own ? key || turnstile || typeof own !== "function" : !isMinted)
    throw new TypeError("writegate: give key and turnstile, or a function session");

  let current, pending;

  const mint = async () => {
    if (own) return toSession(await own());
    const solved = await (typeof turnstile === "function" ? turnstile() : solve(turnstile, container));
    const body = JSON.stringify({ key, turnstile: solved });
    const response = await send(new URL("/_gate/session", gate), { method: "POST", body, credentials: "omit" });
    const refusal = await refusalOf(response);
    if (refusal) throw refusal;
    const answer = await response.json().catch(() => {});
    if (!response.ok || !answer?.token) throw new TypeError(`writegate: no gate answered the mint (${response.status})`);
    return toSession(answer);
  };

  /** Returns the session; a call that comes while one is minted waits for it. */
  const session = () =>
    Date.now() < current?.until
      ? current
      : (pending ??= mint().then((minted) => (current = minted)).finally(() => (pending = undefined)));

  const call = async (input, init) => {
    const target = new URL(input.url ?? input, gate);
    if (target.origin !== gate.origin) throw new TypeError(`writegate: ${target.origin} is not the gate`);
    const request = new Request(input.url ? input : target, init);
    const onProgress = init?.onUploadProgress;
    const { signal } = request;
    let body = init?.body instanceof Blob ? init.body : undefined;
    let isStream;
    try {
      // A body that is a stream may not be sent in this mode, and no other way tells it from one that can be sent again.
      const copy = body ?? (await new Request(request, { method: "POST", mode: "no-cors" }).blob());
      if (request.bodyUsed) body = copy;
    } catch {
      isStream = true;
    }
    for (let isLast = isStream; ; isLast = true) {
      signal.throwIfAborted();
      const aborted = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      const used = await Promise.race([aborted, session()]);
      const headers = new Headers(request.headers);
      headers.set("authorization", `Bearer ${used.token}`);
      if (used.mac) await sign(request, headers, body, used);
      const byXhr = onProgress && Xhr && !isStream;
      const response = await (byXhr
        ? upload(request, headers, body, onProgress)
        : send(new Request(request, { headers, body, credentials: "omit" })));
      const refusal = await refusalOf(response);
      if (refusal?.status === 401 && current === used) current = undefined;
      const canRetry = refusal?.code === "session-expired" || (used.mac && refusal?.code === "signature-stale");
      if (canRetry && !isLast) continue;
      if (refusal) throw refusal;
      const loaded = body?.size ?? 0;
      if (!byXhr) onProgress?.({ loaded, total: loaded });
      return response;
    }
  };

  return {
    fetch: (input, init) =>
      call(input, init).catch((error) => {
        if (!throws && error instanceof GateError && error.response) return error.response;
        throw error;
      }),
    ready: async () => void (await session()),
  };
}
