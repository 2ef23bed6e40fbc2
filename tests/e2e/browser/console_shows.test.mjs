/** The sections of the console: tokens, usage and keys, against the real gate's admin API, KV and ledger. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { CONSOLE, asAdmin, button, freshId, keyRow, section, signIn, signedIn, textbox } from "./console.mjs";
import { answer, gate, open, refusal, session } from "./harness.mjs";

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
  assert.equal(await keyRow(page, "old").count(), 1, "two clicks show a page once");
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

test("whatever the gate answers is text, in every place where it is shown", async (t) => {
  const evil = (place) => `<img src=x onerror="document.title='${place}'"><script>document.title='${place}'</script>`;
  const page = await open(t, CONSOLE);
  const alert = section(page, "Sign in").getByRole("alert");
  await page.route("**/_gate/status", (route) => answer(route, 403, refusal(403, evil("code"), { title: evil("title"), detail: evil("detail") })), { times: 1 });
  await signIn(page);
  await alert.filter({ hasText: evil("title") }).waitFor();
  await page.route("**/_gate/status", async (route) => {
    const token = { secret: evil("secret"), state: evil("state"), age_days: 1, max_age_days: 90, expires_in_days: null, fingerprint: evil("print"), advice: evil("advice") };
    const told = await (await route.fetch()).json();
    await answer(route, 200, { ...told, version: evil("version"), tokens: [token], bindings: { ...told.bindings, [evil("binding")]: true } });
  });
  const record = {
    id: evil("id"), name: evil("name"), version: evil("version"), methods: [evil("method")], paths: [evil("path")], allowed_origins: [evil("origin")],
    rate: evil("rate"), quota: { requests: evil("requests"), bytes: evil("bytes"), per: evil("per") }, expires: evil("expires"), schemes: ["session"],
  };
  const broken = { id: evil("broken"), error: { field: evil("field"), hint: evil("hint") } };
  await page.route(/_gate\/keys(\?|$)/, (route) => answer(route, 200, { keys: [record, broken], cursor: null }));
  const row = { day: evil("day"), outcome: "refused", code: evil("code"), requests: 1 };
  await page.route("**/_gate/usage?*", (route) => answer(route, 200, { rows: [row] }));
  await signIn(page);
  await page.getByRole("table", { name: "Refusals by code" }).waitFor();
  const text = await page.locator("main").evaluate((main) => main.textContent);
  const places = ["secret", "state", "print", "advice", "version", "binding", "id", "name", "method", "path", "origin", "rate", "requests", "bytes", "per", "expires", "field", "hint", "day", "code"];
  for (const place of places) assert.ok(text.includes(evil(place)), place);
  const change = button(keyRow(page, record.id), "Change");
  await page.route("**/_gate/keys/*", (route) => answer(route, 400, refusal(400, "bad-request", { field: evil("field"), hint: evil("refused") })));
  await change.click();
  await textbox(page.getByRole("dialog"), "Record").fill('{"name": "x"}');
  await button(page.getByRole("dialog"), "Save").click();
  await page.getByRole("dialog").getByText(evil("refused")).waitFor();
  assert.equal(await page.locator("body img, main script, dialog script").count(), 0);
  assert.equal(await page.title(), "writegate console");
});
