// A worker that one would write with Hono instead of writegate: its own JWT middleware, the header rules of
// the contract's section 5 and the audit line of section 9. It does less than the gate on purpose
// where the benchmark's requests never go: one key, one route, no echo guard, retries or timeout.
import { Hono } from "hono";
import { jwt } from "hono/jwt";

const REMOVED = new Set([
  "authorization", "x-public-key", "cookie", "x-api-key", "forwarded", "x-real-ip", "true-client-ip", "via",
  "x-request-id", "x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url",
  "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
]);
const REMOVED_FAMILY = /^(?:signature|proxy-|x-auth-|writegate-|x-forwarded-|cf-)/;
const NOT_RETURNED = new Set([
  "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings",
  "set-cookie", "set-cookie2", "clear-site-data", "set-login", "activate-storage-access", "service-worker-allowed",
  "nel", "report-to", "reporting-endpoints", "strict-transport-security", "public-key-pins", "expect-ct", "expect-staple",
  "alt-svc", "origin-trial", "critical-origin-trial", "origin-agent-cluster", "accept-ch", "accept-ch-lifetime", "critical-ch",
  "use-as-dictionary", "no-vary-search", "observe-browsing-topics", "shared-storage-write", "refresh", "speculation-rules",
  "supports-loading-mode", "referrer-policy", "x-xss-protection", "timing-allow-origin", "www-authenticate",
  "optional-www-authenticate", "authentication-info", "accept-signature", "surrogate-control", "surrogate-key", "cache-tag",
  "edge-cache-tag", "edge-control", "pragma", "x-sendfile", "x-lighttpd-send-file", "x-reproxy-url",
]);
const NOT_RETURNED_FAMILY =
  /^(?:access-control-|proxy-|writegate-|sec-|secure-session-|attribution-reporting-|ad-auction-|x-accel-)|-(?:cache-control|report-only)$/;
const PASSIVE =
  /^(?:application\/(?:problem\+json|x-ndjson|json|pdf|octet-stream|zip|gzip|[\w.-]+\+json)|text\/(?:plain|event-stream|csv|markdown)|image\/(?:png|jpeg|gif|webp|avif|apng|bmp|x-icon|vnd\.microsoft\.icon)|(?:audio|video|font)\/[\w.-]+)\s*(?:;|$)/i;

const app = new Hono();

app.use((c, next) => jwt({ secret: c.env.SESSION_SECRET, alg: "HS256" })(c, next));

app.all("*", async (c) => {
  const request = c.req.raw;
  const url = new URL(request.url);
  const requestId = crypto.randomUUID();

  const outbound = new Request(c.env.UPSTREAM + url.pathname + url.search, request);
  const named = (request.headers.get("connection") ?? "").toLowerCase().split(/\s*,\s*/);
  for (const name of request.headers.keys()) {
    const folded = name.replaceAll("_", "-");
    if (REMOVED.has(folded) || REMOVED_FAMILY.test(folded) || named.includes(name)) outbound.headers.delete(name);
  }
  outbound.headers.set("Authorization", `Bearer ${c.env.WRITE_TOKEN}`);
  outbound.headers.set("X-Request-Id", requestId);

  const started = Date.now();
  const upstream = await fetch(outbound, { redirect: "manual", cache: "no-store", encodeResponseBody: "manual" });
  const upstreamMs = Date.now() - started;

  const response = new Response(upstream.body, { status: upstream.status, headers: upstream.headers, encodeBody: "manual" });
  for (const name of upstream.headers.keys()) {
    if (NOT_RETURNED.has(name) || NOT_RETURNED_FAMILY.test(name)) response.headers.delete(name);
  }
  const location = upstream.headers.get("location");
  if (location?.startsWith(`${c.env.UPSTREAM_PATH}/`)) {
    response.headers.set("Location", location.slice(c.env.UPSTREAM_PATH.length));
  }
  if (!PASSIVE.test(upstream.headers.get("content-type") ?? "")) {
    response.headers.set("Content-Security-Policy", "sandbox");
  }
  response.headers.set("X-Request-Id", requestId);
  response.headers.set("X-Content-Type-Options", "nosniff");
  // The benchmark's upstream says nothing about caches.
  response.headers.set("Cache-Control", "private");
  const origin = request.headers.get("origin");
  if (origin !== null) {
    response.headers.set("Access-Control-Allow-Origin", origin);
    response.headers.set("Access-Control-Expose-Headers", "*");
    response.headers.append("Vary", "Origin");
  }

  const bytes = (headers) => (headers.has("content-length") ? Number(headers.get("content-length")) : null);
  console.log(
    JSON.stringify({
      event: "request",
      outcome: "forwarded",
      code: null,
      request_id: requestId,
      key: "pk_bench",
      verified: true,
      subject: c.get("jwtPayload").sub ?? null,
      scheme: "session",
      method: request.method,
      path: url.pathname,
      query_keys: [...url.searchParams.keys()],
      route: "/*",
      status: response.status,
      upstream_status: upstream.status,
      upstream_ms: upstreamMs,
      attempts: 1,
      request_bytes: bytes(request.headers),
      response_bytes: bytes(upstream.headers),
      cache: null,
      token: c.env.TOKEN_FINGERPRINT,
      ip: request.headers.get("cf-connecting-ip"),
      country: request.cf?.country ?? null,
      colo: request.cf?.colo ?? null,
      time: new Date(started).toISOString(),
    }),
  );
  return response;
});

export default app;
