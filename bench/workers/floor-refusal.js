// The floor of a refusal: the platform calls that the gate makes for one. It decides nothing: what it answers was
// written down before.
const ID = "00000000-0000-4000-8000-000000000000";
const AUDIT = JSON.stringify({
  event: "request", outcome: "refused", code: "credential-missing", request_id: ID, key: null, verified: false, subject: null,
  scheme: null, method: "POST", path: "/posts", query_keys: ["lang", "draft"], route: "/*", status: 401,
  upstream_status: null, upstream_ms: null, attempts: 0, request_bytes: 99, response_bytes: 299, cache: null,
  token: null, ip: "203.0.113.7", country: "DE", colo: "FRA", time: "2026-11-22T20:00:00.000Z",
});
const BODY = JSON.stringify({
  code: "credential-missing",
  detail: "Send a session as Authorization: Bearer, sign the request (RFC 9421), or use a signed link.",
  request_id: ID, status: 401, title: "A credential is required", type: "/_gate/problems#credential-missing",
});
const HEADERS = {
  "x-request-id": ID, "x-content-type-options": "nosniff", "access-control-allow-origin": "https://www.example.com",
  "access-control-expose-headers": "*", vary: "Origin", "content-type": "application/problem+json",
  "cache-control": "no-store", "www-authenticate": 'Bearer realm="writegate"',
};

/** Keeps the runtime from leaving out what nobody reads. */
let seen = 0;

export default {
  fetch({ method, url, headers }) {
    let text = `${method}\n${url}\n${crypto.randomUUID()}\n${Date.now()}`;
    for (const [name, value] of headers) text += `\n${name}\n${value}`;
    seen += text.length;
    console.log(AUDIT);
    return new Response(BODY, { status: 401, headers: { ...HEADERS } });
  },
};
