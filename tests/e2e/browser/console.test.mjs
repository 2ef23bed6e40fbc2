/** The console, against the real gate: its admin API, KV, the ledger. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { accessible, answer, fits, gate, open, picture, refusal, session } from "./harness.mjs";

const ADMIN = "pk_admin";
const CONSOLE = `${gate}/_gate/`;

const asAdmin = async (path, method = "GET", body = undefined) => {
  const headers = { authorization: `Bearer ${session(ADMIN).token}` };
  const response = await fetch(`${gate}/_gate/${path}`, { method, headers, body: body && JSON.stringify(body) });
  assert.ok(response.ok, `${path}: ${response.status}`);
  return response.json();
};

let last = 0;
const freshId = (name) => `${name}.${process.pid}.${last++}`;

const signIn = async (page, token = session(ADMIN, { sub: "console" }).token) => {
  await page.getByLabel("Session", { exact: true }).fill(token);
  await page.getByRole("button", { name: "Open", exact: true }).click();
};

/** The console, open. */
const signedIn = async (t, options = {}, token = undefined) => {
  const page = await open(t, CONSOLE, options);
  await signIn(page, token);
  await page.getByRole("table", { name: "Keys" }).waitFor();
  await page.getByRole("table", { name: "Refusals by code" }).waitFor();
  return page;
};

const section = (page, name) => page.locator("section").filter({ has: page.getByRole("heading", { name, exact: true, level: 2 }) });
const keyRow = (page, id) => page.getByRole("table", { name: "Keys" }).getByRole("row").filter({ has: page.getByRole("rowheader", { name: id, exact: true }) });
const button = (within, name) => within.getByRole("button", { name, exact: true });
const textbox = (within, name) => within.getByRole("textbox", { name, exact: true });
/** Waits until the element with this text has the focus: a dialog gives it back in an event after it closed. */
const focusOn = (page, text) => page.locator(":focus").filter({ hasText: new RegExp(`^${text}$`) }).waitFor();

test("its headers are those of a page that only its own script runs in", async () => {
  const response = await fetch(CONSOLE);
  assert.equal(response.status, 200);
  const policy = response.headers.get("content-security-policy");
  assert.match(
    policy,
    /^default-src 'none'; script-src 'sha256-[\w+/]{43}='; style-src 'sha256-[\w+/]{43}='; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'$/,
  );
  const expected = {
    "cross-origin-opener-policy": "same-origin", "cross-origin-resource-policy": "same-origin", "referrer-policy": "same-origin",
    "x-frame-options": "DENY", "x-content-type-options": "nosniff", "cache-control": "no-cache",
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(response.headers.get(name), value, name);
  assert.match(response.headers.get("content-type"), /^text\/html/);
});

test("it asks nobody but the gate", async (t) => {
  const page = await open(t, "about:blank");
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.goto(CONSOLE);
  await signIn(page);
  await page.getByRole("table", { name: "Refusals by code" }).waitFor();
  assert.deepEqual(asked.filter((url) => !url.startsWith(CONSOLE) && !url.startsWith("data:")), []);
});

test("what is no session, and a session of another key, are refused in the gate's words", async (t) => {
  const page = await open(t, CONSOLE);
  await accessible(page, "sign-in");
  const alert = section(page, "Sign in").getByRole("alert");
  for (const [token, said] of [
    ["nonsense", /The credential is malformed/], [session("pk_server").token, /path-denied/], [session(ADMIN, { ttl: -5 }).token, /session-expired/],
    ["ключ", /not a session/],
  ]) {
    await signIn(page, token);
    await alert.filter({ hasText: said }).waitFor();
    assert.equal(await page.getByRole("heading", { name: "Tokens" }).count(), 0, "nothing is shown");
  }
  await accessible(page, "refused");
  await signIn(page);
  await page.getByRole("table", { name: "Tokens" }).waitFor();
  assert.equal(await section(page, "Sign in").count(), 0);
});

test("tokens, bindings and version are shown", async (t) => {
  const page = await signedIn(t);
  const row = page.getByRole("table", { name: "Tokens" }).getByRole("row").filter({ hasText: "WRITE_TOKEN" });
  const { tokens, version } = await asAdmin("status");
  const text = await row.innerText();
  for (const part of [tokens[0].state, tokens[0].fingerprint, tokens[0].advice]) assert.ok(text.includes(part), text);
  assert.match(await section(page, "Tokens").innerText(), new RegExp(`Bindings: .*KEY_REGISTRY.*; missing: .*${version.replaceAll(".", "\\.")}`));
});

test("an age is a meter beside its words", async (t) => {
  const page = await open(t, CONSOLE);
  await page.route("**/_gate/status", async (route) => {
    const told = await (await route.fetch()).json();
    Object.assign(told.tokens[0], { state: "due", age_days: 83, max_age_days: 90, expires_in_days: 1 });
    await answer(route, 200, told);
  });
  await signIn(page);
  const row = page.getByRole("table", { name: "Tokens" }).getByRole("row").filter({ hasText: "due" });
  assert.match(await row.innerText(), /83 of 90 days\s+in 1 day/);
  assert.equal(await row.getByRole("meter").evaluate((meter) => meter.value / meter.max), 83 / 90);
});

test("usage is shown as bars, by day and by code, for a key and a period", async (t) => {
  const id = freshId("usage");
  await asAdmin("keys", "POST", { id, methods: ["POST"] });
  const call = (method) => fetch(`${gate}/posts/usage`, { method, headers: { authorization: `Bearer ${session(id).token}` } });
  for (const method of ["POST", "POST", "DELETE"]) await (await call(method)).text();
  const page = await signedIn(t);
  const today = new Date().toISOString().slice(0, 10);
  await page.getByRole("combobox", { name: "Key", exact: true }).selectOption(id);
  const days = page.getByRole("table", { name: "Usage by day" });
  const row = days.getByRole("row").filter({ has: page.getByRole("rowheader", { name: today }) });
  await page.getByRole("img", { name: `Requests of ${id} ` }).waitFor();
  assert.deepEqual((await row.innerText()).split(/\s+/), [today, "0", "2", "0", "1", "0"]);
  const total = days.getByRole("row").last();
  assert.deepEqual((await total.innerText()).split(/\s+/), ["Total", "0", "2", "0", "1", "0"]);
  assert.equal(await days.getByRole("row").count(), 3, "days without requests are left out");
  const codes = page.getByRole("table", { name: "Refusals by code" });
  assert.match(await codes.innerText(), /method-denied.*The method is not allowed\s+1/);
  const image = section(page, "Usage").getByRole("img");
  const from = (count) => new Date(Date.now() - (count - 1) * 86_400_000).toISOString().slice(0, 10);
  assert.equal(await image.getAttribute("aria-label"), `Requests of ${id} from ${from(31)} to ${today}: 0 minted, 2 forwarded, 0 cached, 1 refused, 0 failed.`);
  for (const count of [7, 90, 366]) {
    await page.getByRole("combobox", { name: "Period", exact: true }).selectOption({ label: `${count} days` });
    await page.getByRole("img", { name: `from ${from(count)} to ${today}` }).waitFor();
  }
  assert.match(await section(page, "Usage").innerText(), /before its credential is verified counts for no key/);
});

test("codes come most first, and rows of one day and outcome are one", async (t) => {
  const page = await open(t, CONSOLE);
  await page.route("**/_gate/usage?*", (route) => {
    const row = (day, outcome, requests, code = null) => ({ day, outcome, code, requests, bytes_in: 0, bytes_out: 0, upstream_ms: 0, upstream_429: 0 });
    return answer(route, 200, { rows: [
      row("2026-11-02", "refused", 2, "path-denied"), row("2026-11-01", "refused", 3, "rate-limited"), row("2026-11-02", "refused", 30, "rate-limited"),
      row("2026-11-02", "failed", 1, "upstream-timeout"), row("2026-11-02", "forwarded", 1234), row("2026-11-02", "minted", 5), row("2026-11-02", "refused", 4, null),
    ] });
  });
  await signIn(page);
  const text = async (name) => (await page.getByRole("table", { name }).innerText()).split("\n").map((line) => line.trim().replace(/\s+/g, " ")).filter(Boolean);
  await page.getByRole("table", { name: "Refusals by code" }).waitFor();
  assert.deepEqual((await text("Usage by day")).slice(2), ["2026-11-01 0 0 0 3 0", "2026-11-02 5 1,234 0 36 1", "Total 5 1,234 0 39 1"]);
  assert.deepEqual((await text("Refusals by code")).slice(2).map((line) => line.replace(/ .* /, " ")), ["rate-limited 33", "path-denied 2", "upstream-timeout 1"]);
});

test("a key is made, its secret is shown once, and it works", async (t) => {
  const page = await signedIn(t, { permissions: ["clipboard-read", "clipboard-write"] });
  const id = freshId("made");
  await button(page, "New key").click();
  const dialog = page.getByRole("dialog", { name: "New key", exact: true });
  await accessible(page, "new key");
  await textbox(dialog, "Id").fill(id);
  await textbox(dialog, "Name").fill("Customer 17");
  await textbox(dialog, "Paths").fill("/posts\n\n /posts/* ");
  await textbox(dialog, "Origins").fill("https://www.example.com");
  await dialog.getByRole("checkbox", { name: "POST", exact: true }).check();
  await dialog.getByRole("checkbox", { name: "GET", exact: true }).check();
  const record = { id, name: "Customer 17", paths: ["/posts", "/posts/*"], allowed_origins: ["https://www.example.com"], methods: ["GET", "POST"] };
  assert.deepEqual(JSON.parse(await textbox(dialog, "Record").inputValue()), record);
  // By itself, and the fields follow.
  await textbox(dialog, "Record").fill(JSON.stringify({ ...record, name: "Customer 18", rate: "mint" }));
  assert.equal(await textbox(dialog, "Name").inputValue(), "Customer 18");
  await textbox(dialog, "Name").fill("Customer 19");
  await button(dialog, "Create key").click();
  const secret = dialog.getByLabel("Secret", { exact: true });
  await secret.waitFor();
  await accessible(page, "secret");
  const shown = await secret.inputValue();
  assert.match(shown, /^sk_[\w-]{43}$/);
  await button(dialog, "Copy").click();
  await dialog.getByText("Copied.").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), shown);
  await button(dialog, "Done").click();
  // In the event after it closed, what was shown leaves the document.
  await page.locator("dialog").waitFor({ state: "detached" });
  assert.ok(!(await page.content()).includes(shown));
  await focusOn(page, "New key");
  await page.getByRole("status").filter({ hasText: `Key ${id} was created` }).waitFor();
  const row = keyRow(page, id);
  assert.match(await row.innerText(), /Customer 19[^]*active[^]*in force everywhere within 90 s[^]*GET\s+POST[^]*\/posts\s+\/posts\/\*[^]*https:\/\/www\.example\.com[^]*mint[^]*registry/);
  assert.deepEqual((await asAdmin(`keys/${id}`)), { ...record, name: "Customer 19", rate: "mint", version: 1, schemes: ["session"] });
  assert.ok((await page.getByRole("combobox", { name: "Key", exact: true }).innerText()).includes(id));
});

test("without an id the gate makes one", async (t) => {
  const page = await signedIn(t);
  await button(page, "New key").click();
  await button(page.getByRole("dialog"), "Create key").click();
  await page.getByLabel("Secret", { exact: true }).waitFor();
  await button(page.getByRole("dialog"), "Done").click();
  assert.match(await page.getByRole("status").filter({ hasText: "was created" }).innerText(), /pk_[\w-]{22}/);
});

test("what the gate does not take is said at its field", async (t) => {
  const page = await signedIn(t);
  const taken = freshId("taken");
  await asAdmin("keys", "POST", { id: taken });
  await button(page, "New key").click();
  const dialog = page.getByRole("dialog");
  const refused = async (name, said) => {
    await button(dialog, "Create key").click();
    const field = textbox(dialog, name);
    await page.waitForFunction((field) => field.ariaInvalid === "true" && field === document.activeElement, await field.elementHandle());
    const hint = await field.evaluate((field) => document.getElementById(field.getAttribute("aria-describedby")).textContent);
    assert.match(hint, said);
    assert.equal(await dialog.locator("[aria-invalid]").count(), 1);
  };
  await textbox(dialog, "Id").fill("not an id");
  await refused("Id", /1 to 128/);
  await accessible(page, "a wrong field");
  await picture(page, "dialog-wrong");
  await textbox(dialog, "Id").fill(taken);
  await refused("Id", /in use/);
  await textbox(dialog, "Id").fill("");
  await textbox(dialog, "Paths").fill("posts");
  await refused("Paths", /./);
  await textbox(dialog, "Paths").fill("");
  await textbox(dialog, "Origins").fill("www.example.com");
  await refused("Origins", /https:/);
  await textbox(dialog, "Origins").fill("");
  await textbox(dialog, "Record").fill('{"colour": "red"}');
  await refused("Record", /colour/);
  await textbox(dialog, "Record").fill('{"name": ');
  await refused("Record", /not a JSON object/);
  await button(dialog, "Cancel").click();
  await focusOn(page, "New key");
});

test("a key is changed, revoked and restored", async (t) => {
  const id = freshId("changed");
  await asAdmin("keys", "POST", { id, name: "Before", paths: ["/posts"], methods: ["POST"] });
  const page = await signedIn(t);
  const row = keyRow(page, id);
  await button(row, "Change").click();
  let dialog = page.getByRole("dialog", { name: "Change", exact: true });
  await accessible(page, "change");
  assert.equal(await textbox(dialog, "Id").count(), 0);
  assert.equal(await textbox(dialog, "Paths").inputValue(), "/posts");
  await textbox(dialog, "Name").fill("After");
  await textbox(dialog, "Paths").fill("");
  await button(dialog, "Save").click();
  await page.getByRole("status").filter({ hasText: `Key ${id} was changed` }).waitFor();
  assert.deepEqual(await asAdmin(`keys/${id}`), { id, name: "After", methods: ["POST"], version: 1, schemes: ["session"] });
  assert.match(await row.innerText(), /After[^]*in force everywhere within 90 s/);
  await focusOn(page, "Change");

  await button(row, "Change").click();
  await textbox(dialog, "Record").fill('{"version": 2}');
  await button(dialog, "Save").click();
  await page.getByLabel("Secret", { exact: true }).waitFor();
  await button(dialog, "Done").click();

  await button(row, "Revoke").click();
  dialog = page.getByRole("dialog");
  await focusOn(page, "Cancel");
  await accessible(page, "revoke");
  await picture(page, "dialog-revoke");
  await button(dialog, "Cancel").click();
  await focusOn(page, "Revoke");
  assert.equal((await asAdmin(`keys/${id}`)).revoked, undefined);
  await button(row, "Revoke").click();
  await button(dialog, "Revoke key").click();
  await page.getByRole("status").filter({ hasText: `Key ${id} was revoked` }).waitFor();
  assert.match(await row.innerText(), /revoked/);
  assert.equal((await asAdmin(`keys/${id}`)).revoked, true);
  await focusOn(page, "Restore");
  await button(row, "Restore").click();
  await page.getByRole("status").filter({ hasText: `Key ${id} was restored` }).waitFor();
  assert.match(await row.innerText(), /active/);
  await focusOn(page, "Revoke");
});

test("a change sends what was changed only, so it undoes no other", async (t) => {
  const id = freshId("shared");
  await asAdmin("keys", "POST", { id, paths: ["/posts", "/pages"], revoked: false });
  const page = await signedIn(t);
  await keyRow(page, id).waitFor();
  await asAdmin(`keys/${id}`, "PATCH", { paths: ["/posts"], revoked: true });
  const read = [];
  page.on("request", (request) => read.push(`${request.method()} ${new URL(request.url()).pathname}`));
  await button(keyRow(page, id), "Change").click();
  await textbox(page.getByRole("dialog"), "Name").fill("Renamed");
  await button(page.getByRole("dialog"), "Save").click();
  await page.getByRole("status").filter({ hasText: `Key ${id} was changed` }).waitFor();
  const { name, paths, revoked } = await asAdmin(`keys/${id}`);
  assert.deepEqual({ name, paths, revoked }, { name: "Renamed", paths: ["/posts"], revoked: true });
  assert.match(await keyRow(page, id).innerText(), /Renamed[^]*revoked/);
  assert.deepEqual(read, [`PATCH /_gate/keys/${id}`], "the row is the answer's, because a read may be a minute old");
});

test("a session that ends leads back to the sign-in, and what was on screen and typed is kept", async (t) => {
  const page = await signedIn(t, {}, session(ADMIN, { ttl: 3600 }).token);
  await button(page, "New key").click();
  const dialog = page.getByRole("dialog");
  await textbox(dialog, "Name").fill("Half a key");
  await page.route("**/_gate/keys", (route) => answer(route, 401, refusal(401, "session-expired")), { times: 1 });
  await button(dialog, "Create key").click();
  await section(page, "Sign in").getByRole("alert").filter({ hasText: "session-expired" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "session");
  await page.getByRole("table", { name: "Keys" }).waitFor();
  await accessible(page, "expired");
  await picture(page, "expired");
  await signIn(page);
  await dialog.waitFor();
  assert.equal(await textbox(dialog, "Name").inputValue(), "Half a key");
  await button(dialog, "Create key").click();
  await page.getByLabel("Secret", { exact: true }).waitFor();
});

test("Close forgets everything, and so does leaving the page", async (t) => {
  const token = session(ADMIN).token;
  const page = await signedIn(t, {}, token);
  const html = await page.content();
  assert.ok(!html.includes(token));
  assert.equal(await page.getByLabel("Session", { exact: true }).inputValue().catch(() => ""), "");
  assert.deepEqual(await page.evaluate(() => [{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]), [{}, {}, "", CONSOLE]);
  await button(page, "Close").click();
  const left = () => page.locator("table, canvas, #key option").count();
  assert.equal(await left(), 0);
  assert.equal(await button(page, "Close").count(), 0);
  await signIn(page);
  await page.getByRole("table", { name: "Refusals by code" }).waitFor();
  // As when the browser keeps the page for its back button.
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
  assert.equal(await left(), 0);
});

test("Close forgets what is still on its way", async (t) => {
  const page = await open(t, CONSOLE);
  for (const pattern of ["**/_gate/keys", "**/_gate/usage?*"]) {
    const asked = new Promise((resolve) => page.route(pattern, (route) => resolve(route), { times: 1 }));
    await signIn(page);
    const route = await asked;
    await button(page, "Close").click();
    const answered = page.waitForResponse((response) => response.url() === route.request().url());
    await route.continue();
    await (await answered).finished();
    // The answer is read in tasks of the page that were queued before this one's.
    await page.evaluate(() => fetch("health").then((response) => response.json()));
    assert.equal(await page.locator("table, canvas, #key option").count(), 0, pattern);
    assert.equal(await section(page, "Sign in").getByRole("alert").innerText(), "", pattern);
  }
  await page.getByLabel("Session", { exact: true }).fill("pasted");
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
  assert.equal(await page.getByLabel("Session", { exact: true }).inputValue(), "");
});

test("a session that only reads disables what writes", async (t) => {
  await asAdmin("keys", "POST", { id: freshId("readable") });
  const page = await signedIn(t, {}, session(ADMIN, { methods: ["GET"] }).token);
  for (const name of ["New key", "Change", "Revoke"]) assert.ok(await button(page, name).first().isDisabled(), name);
  await accessible(page, "reads only");
});

test("pages of the registry follow one another, with all kinds of records", async (t) => {
  const page = await open(t, CONSOLE);
  const records = {
    "": { keys: [{ id: "tomb", version: 3, revoked: true }, { id: "broken", error: { field: "paths", hint: "expected a list" } }], cursor: "two" },
    two: { keys: [{ id: "old", version: 1, schemes: ["session"], expires: "2020-01-01T00:00:00Z", quota: { requests: 1000, per: "day" } }], cursor: null },
  };
  await page.route(/_gate\/keys(\?|$)/, (route) => answer(route, 200, records[new URL(route.request().url()).searchParams.get("cursor") ?? ""]));
  await signIn(page);
  await keyRow(page, "tomb").waitFor();
  assert.match(await keyRow(page, "tomb").innerText(), /deleted/);
  assert.match(await keyRow(page, "broken").innerText(), /broken[^]*expected a list/);
  for (const id of ["tomb"]) assert.equal(await button(keyRow(page, id), "Revoke").count(), 0);
  assert.equal(await keyRow(page, "old").count(), 0);
  await button(page, "More").dblclick();
  await keyRow(page, "old").first().waitFor();
  await page.waitForLoadState("networkidle");
  assert.equal(await keyRow(page, "old").count(), 1, "whoever clicks twice sees a page once");
  assert.match(await keyRow(page, "old").innerText(), /expired[^]*1,000 requests per day/);
  assert.equal(await button(page, "More").count(), 0);
  assert.equal(await keyRow(page, "tomb").count(), 1);
});

test("keys of the configuration are shown, and cannot be changed here", async (t) => {
  const page = await signedIn(t);
  const row = keyRow(page, "pk_server");
  assert.match(await row.innerText(), /Sessions of a server[^]*active[^]*configuration/);
  assert.equal(await button(row, "Change").count(), 0);
});

test("without a registry a sentence says how to get one", async (t) => {
  const page = await open(t, CONSOLE);
  await page.route("**/_gate/status", async (route) => {
    const told = await (await route.fetch()).json();
    await answer(route, 200, { ...told, bindings: { ...told.bindings, KEY_REGISTRY: false } });
  });
  await signIn(page);
  await section(page, "Keys").getByText(/KEY_REGISTRY.*docs\/admin\.md/).waitFor();
  assert.ok(await button(page, "New key").isDisabled());
  assert.equal(await keyRow(page, "pk_server").count(), 1);
});

test("hostile text in a record is text", async (t) => {
  const id = freshId("hostile");
  const name = `<img src=x onerror="document.title='taken'"><script>document.title='taken'</script> \u202eevil\u2066   "quoted" </table>`;
  await asAdmin("keys", "POST", { id, name, methods: ["POST"] });
  const page = await signedIn(t);
  const cell = keyRow(page, id).getByRole("cell").first();
  assert.equal(await cell.evaluate((cell) => cell.textContent), name);
  assert.equal(await page.locator("main img, main script").count(), 0);
  assert.equal(await page.title(), "writegate console");
  await button(keyRow(page, id), "Change").click();
  assert.equal(await textbox(page.getByRole("dialog"), "Name").inputValue(), name);
});

test("markup cannot get in by a mistake of the page's own script", async (t) => {
  const page = await open(t, CONSOLE);
  const names = await page.evaluate(() => {
    const name = (action) => { try { return action(), "done"; } catch (error) { return error.name; } };
    return [name(() => (document.body.innerHTML = "<b>")), name(() => trustedTypes.createPolicy("any", {}))];
  });
  assert.deepEqual(names, ["TypeError", "TypeError"]);
  page.problems = page.problems.filter((problem) => !/TrustedHTML|trusted-types|policy named/i.test(problem));
});

test("another page cannot frame it", async (t) => {
  const page = await open(t, "about:blank");
  await page.setContent(`<iframe src="${CONSOLE}"></iframe>`);
  await page.waitForLoadState("networkidle");
  const frame = page.frames().find((frame) => frame !== page.mainFrame());
  assert.equal(frame.url(), "chrome-error://chromewebdata/");
});

test("it is usable by whoever sees or moves less, in both schemes and on a phone", async (t) => {
  await asAdmin("keys", "POST", { id: `a-very-long-id-${"x".repeat(80)}.${process.pid}`, name: "y".repeat(300) });
  for (const colorScheme of ["light", "dark"]) {
    for (const [device, width] of [["desk", 1280], ["phone", 360]]) {
      const page = await signedIn(t, { colorScheme, viewport: { width, height: 800 } });
      const state = `${colorScheme}, ${device}`;
      await accessible(page, state);
      await fits(page, state);
      await picture(page, `console-${colorScheme}-${device}`);
      await button(page, "New key").click();
      await fits(page, `${state}, dialog`);
      await accessible(page, `${state}, dialog`);
      await picture(page, `dialog-${colorScheme}-${device}`);
      await page.keyboard.press("Escape");
      await focusOn(page, "New key");
    }
  }
});

test("everything is reached and done by the keyboard", async (t) => {
  const page = await open(t, CONSOLE);
  await page.keyboard.press("Tab");
  await page.keyboard.insertText(session(ADMIN).token);
  await page.keyboard.press("Enter");
  await page.getByRole("table", { name: "Refusals by code" }).waitFor();
  await focusOn(page, "Tokens");
  const seen = [];
  for (let step = 0; step < 12; step++) {
    await page.keyboard.press("Tab");
    seen.push(await page.evaluate(() => document.activeElement.ariaLabel ?? document.activeElement.id ?? ""));
  }
  for (const stop of ["Tokens, scrollable", "key", "period", "Usage by day, scrollable", "new-key"]) assert.ok(seen.includes(stop), `${stop}: ${seen}`);
});
