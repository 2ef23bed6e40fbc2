/** Calls of the admin API. The session is in a variable of this module and nowhere else. */

let token;
let closings = 0;
let claims = {};
let whenOver = () => {};

/** Sets what happens when the gate no longer takes the session; it gets what the gate said. */
export const onSessionOver = (action) => (whenOver = action);

/** A refusal of the gate, or no answer at all. */
export class Refused extends Error {
  constructor({ title, detail, code, hint, field, status }) {
    super(hint ? `${title}: ${hint}.` : `${title}. ${detail ?? ""} (${code})`);
    Object.assign(this, { code, hint, field, status });
  }
}

/** Reads what a session says of itself; the gate judges it. */
const read = (part) => {
  try {
    const bytes = Uint8Array.from(atob(part.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) ?? {};
  } catch {
    return {};
  }
};

/** Takes a session, in the place of the one before. */
export const take = (session) => {
  token = session;
  claims = session ? read(session.split(".")[1] ?? "") : {};
};

/** Returns the end of the session, if it says one. */
export const lasts = () => (Number.isFinite(claims.exp) ? new Date(claims.exp * 1000) : undefined);

/** Returns true if there is a session, whose own claims let it write. */
export const mayWrite = () =>
  token !== undefined && (!Array.isArray(claims.methods) || (claims.methods.includes("POST") && claims.methods.includes("PATCH")));

/** Shows a refusal in this element. That of a session is shown at the sign-in. */
export const tell = (element, { status, message }) => {
  if (status !== 401) element.textContent = message;
};

/** Lets nobody learn the answers to requests that are under way. */
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
    throw new Refused({ title: "No answer", detail: "The gate cannot be reached, or this is not a session.", code: "network" });
  }
  const answer = await response.json().catch(() => undefined);
  if (response.ok && answer) return answer;
  const unknown = { title: `The answer is ${response.status}`, detail: "It is not the gate's.", code: "unknown" };
  const refused = new Refused({ ...(answer?.code ? answer : unknown), status: response.status });
  if (response.status === 401 && used === token) whenOver(refused.message);
  throw refused;
};
