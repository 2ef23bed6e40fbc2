/** Calls of the admin API. The session is in a variable of this module and nowhere else. */

let token;
let closings = 0;
let claims = {};
let whenOver = () => {};

/** Sets the action for a session that the gate no longer accepts; it gets the gate's message. */
export const onSessionOver = (action) => (whenOver = action);

/** A refusal of the gate, or no answer at all. */
export class Refused extends Error {
  constructor({ title, detail, code, hint, field, status }) {
    super(hint ? `${title}: ${hint}.` : `${title}. ${detail ?? ""} (${code})`);
    Object.assign(this, { code, hint, field, status });
  }
}

/** Returns the claims of a session, unverified, because only the gate can verify them. */
const read = (part) => {
  try {
    const bytes = Uint8Array.from(atob(part.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) ?? {};
  } catch {
    return {};
  }
};

/** Replaces the session. */
export const take = (session) => {
  token = session;
  claims = session ? read(session.split(".")[1] ?? "") : {};
};

/** Returns the end of the session, if it has one. */
export const lasts = () => (Number.isFinite(claims.exp) ? new Date(claims.exp * 1000) : undefined);

/** Returns true if there is a session, whose own claims let it write. */
export const mayWrite = () =>
  token !== undefined && (!Array.isArray(claims.methods) || (claims.methods.includes("POST") && claims.methods.includes("PATCH")));

/** Shows a refusal in this element, except that of a session, which the sign-in shows. */
export const tell = (element, { status, message }) => {
  if (status !== 401) element.textContent = message;
};

/** Discards the answers to the requests that are under way. */
export const forget = () => (closings += 1);

/** Asks the gate. */
export const ask = (path, options) =>
  new Promise((resolve, reject) => {
    const before = closings;
    const unlessClosed = (settle) => (value) => closings === before && settle(value);
    request(path, options).then(unlessClosed(resolve), unlessClosed(reject));
  });

const request = async (path, { method = "GET", body } = {}) => {
  const used = token;
  let response;
  try {
    response = await fetch(path, {
      method,
      body: body && JSON.stringify(body),
      headers: { Authorization: `Bearer ${used}` },
      credentials: "omit",
      cache: "no-store",
    });
  } catch {
    throw new Refused({ title: "No answer", detail: "Check the connection to the gate, and that you pasted a session.", code: "network" });
  }
  const answer = await response.json().catch(() => undefined);
  if (response.ok && answer) return answer;
  const unknown = { title: `Unexpected answer ${response.status}`, detail: "It is not from the gate: check Cloudflare Access and the firewall rules in front of it.", code: "unknown" };
  const refused = new Refused({ ...(answer?.code ? answer : unknown), status: response.status });
  if (response.status === 401 && used === token) whenOver(refused.message);
  throw refused;
};
