/** Shared by the tests of `client.js`: a client in a page of another origin, and calls as a script of the page makes them. */

import { api, gate, open, pages } from "./harness.mjs";

export const MINT = "/_gate/session";

/** Returns the number of requests that the API had for this path. */
export const arrived = async (path) => Number(await (await fetch(`${api}/seen${path}`)).text());

let last = 0;
export const fresh = () => `/posts/${process.pid}-${last++}`;

/** The client in the page. `options` are its source: functions may use what `exposeFunction` put there. */
export const client = (page, options) =>
  page.evaluateHandle(`(async () => {
    const { writegate, GateError } = await import("${gate}/_gate/client.js");
    return { ...writegate(${options}), GateError };
  })()`);

export const MINTED = `{ key: "pk_site", turnstile: "1x00000000000000000000AA" }`;
export const OWN = `{ session: () => ownSession() }`;

/** A call as a script of the page makes it; returns what the script saw. */
export const call = async (page, site, path, init = {}) => (await calls(page, site, [[path, init]]))[0];

/** Returns what calls saw that begin together, before any of them can have an answer. */
export const calls = (page, site, all) =>
  page.evaluate(
    ([{ fetch, GateError }, all]) => {
      const one = async ([path, init]) => {
        try {
          const response = await fetch(path, init);
          return { status: response.status, body: await response.text(), url: response.url };
        } catch (error) {
          const { name, message, code, status, title, detail, requestId, retryAfter, problem, cause } = error;
          const unread = error.response?.bodyUsed === false && (await error.response.text());
          const is = error instanceof GateError && error instanceof Error;
          return { error: { name, message, code, status, title, detail, requestId, retryAfter, problem, cause, unread, is } };
        }
      };
      return Promise.all(all.map(one));
    },
    [site, all],
  );

export const post = (body = "hello") => ({ method: "POST", body });

/** A page with a client of sessions that `make` makes; `made` counts them. */
export const withOwn = async (t, make, options = OWN, before = () => {}) => {
  const page = await open(t, pages);
  const made = [];
  await page.exposeFunction("ownSession", async () => {
    const next = await make(made.length);
    made.push(next);
    return next;
  });
  await before(page);
  return { page, made, site: await client(page, options) };
};
