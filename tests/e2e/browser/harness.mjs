/** Shared by the tests in a browser: pages, sessions, Turnstile's stand-in, and the search for violations. */

import assert from "node:assert/strict";
import { createHmac, hkdfSync, randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { after } from "node:test";

/** Packages of `testkit/package.json`. */
const packages = createRequire(`${process.env.PACKAGES}/`);
const { chromium } = packages("playwright-core");

export const { GATE: gate, API: api, PAGES: pages, SIGNING_SECRET: root } = process.env;

/** Another origin with the same pages. */
export const elsewhere = pages?.replace("127.0.0.1", "localhost");

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--disable-dev-shm-usage"] });
after(() => browser.close());

/** Messages of the console that tell of an answer, not of a mistake of the page. */
const EXPECTED = /Failed to load resource|net::ERR_/;

/**
 * Opens a page in a context of its own, or in `options.beside`'s. `page.problems` collects what the browser complains about:
 * exceptions, violations of a policy. The test fails if there is any at its end.
 */
export async function open(t, url, { beside, ...options } = {}) {
  const context = beside?.context() ?? (await browser.newContext({ serviceWorkers: "block", ...options }));
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !EXPECTED.test(message.text())) page.problems.push(message.text());
  });
  page.setDefaultTimeout(20_000);
  t.after(async () => {
    if (!beside) await context.close();
    assert.deepEqual(page.problems, []);
  });
  await page.goto(url);
  return page;
}

const base64url = (value) => Buffer.from(value).toString("base64url");
const derive = (ikm, info) => base64url(Buffer.from(hkdfSync("sha256", ikm, "", info, 32)));

/** A session of a key of the gate, as the gate's mint answers it; `claims` are added, and `bind` binds it. */
export function session(key, { ttl = 300, bind = false, ...claims } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const sk = `sk_${derive(root, `writegate/v1/key/${key}/1`)}`;
  const kid = `s_${base64url(randomBytes(16))}`;
  const payload = { iat: now, exp: now + ttl, jti: base64url(randomBytes(8)), ...(bind && { cnf: { kid } }), ...claims };
  const parts = [{ alg: "HS256", kid: key }, payload].map((part) => base64url(JSON.stringify(part))).join(".");
  const token = `${parts}.${createHmac("sha256", sk).update(parts).digest("base64url")}`;
  const bound = bind && { session_key: `ss_${derive(sk, `writegate/v1/session/${kid}`)}` };
  return { token, token_type: "Bearer", expires_in: Math.max(ttl, 60), ...bound };
}

/** Counts the requests of a page for a path of the gate. */
export function counted(page, path) {
  const seen = [];
  page.on("request", (request) => {
    if (request.method() !== "OPTIONS" && new URL(request.url()).pathname === path) seen.push(request);
  });
  return seen;
}

/** Answers for the gate, so that a page of another origin may read it. */
export const answer = (route, status, body, headers = {}) =>
  route.fulfill({
    status,
    body: typeof body === "string" ? body : JSON.stringify(body),
    contentType: status < 400 ? "application/json" : "application/problem+json",
    headers: {
      "access-control-allow-origin": "*",
      "access-control-allow-headers": "*, authorization",
      "access-control-allow-methods": "*",
      "access-control-expose-headers": "*",
      ...headers,
    },
  });

/** A refusal of the gate. */
export const refusal = (status, code, more = {}) => ({
  type: `/_gate/problems#${code}`, title: `Title of ${code}`, status, code, detail: `Detail of ${code}.`, request_id: "req-1", ...more,
});

/**
 * Turnstile's script is out of reach: a stand-in renders, executes and removes widgets, and makes tokens that the verifier of
 * `site.rs` takes once. `turnstile.log` tells the calls; `turnstile.fails` is an error code.
 */
const STAND_IN = `window.turnstile = { log: [], widgets: new Map(), fails: null,
  render(container, options) {
    const id = "widget-" + this.log.length, element = document.createElement("iframe");
    container.append(element);
    this.widgets.set(id, { element, options });
    const { sitekey, action, appearance, execution } = options;
    this.log.push({ render: id, sitekey, action, appearance, execution, inside: container.id || container.parentNode?.localName });
    return id;
  },
  execute(id) {
    const { options } = this.widgets.get(id);
    this.log.push({ execute: id });
    setTimeout(() => this.fails ? options["error-callback"](this.fails) : options.callback("tok-" + location.hostname + "-" + crypto.randomUUID()));
  },
  remove(id) {
    this.log.push({ remove: id });
    this.widgets.get(id).element.remove();
    this.widgets.delete(id);
  } };`;

export const withTurnstile = (page) =>
  page.context().route("https://challenges.cloudflare.com/**", (route) =>
    route.fulfill({ contentType: "text/javascript", body: STAND_IN }));

/** Fails if axe-core finds something serious or critical; `state` names what the page shows. */
export async function accessible(page, state) {
  await page.evaluate(packages("axe-core").source);
  const { violations } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
  const grave = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const found = grave.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} (${node.failureSummary})`).join("; ")}`);
  assert.deepEqual(found, [], state);
}

/** The page does not scroll sideways; what is wide scrolls by itself. */
export async function fits(page, state) {
  const [wide, room] = await page.evaluate(() => [document.scrollingElement.scrollWidth, innerWidth]);
  assert.ok(wide <= room, `${state}: ${wide} px wide in ${room} px`);
}

/** Keeps a picture of the page, if `SCREENSHOTS` names a folder. */
export async function picture(page, name) {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png`, fullPage: true });
}
