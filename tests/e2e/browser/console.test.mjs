/** The console as a page: its policy, its session, and who can use it. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { ADMIN, CONSOLE, asAdmin, button, focusOn, freshId, keyRow, section, signIn, signedIn, textbox } from "./console.mjs";
import { accessible, answer, fits, gate, open, picture, refusal, session } from "./harness.mjs";

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
    ["ключ", /you pasted a session/],
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
  // Without a session nothing can be begun, so there is no second dialog beside the one that waits.
  const controls = page.getByRole("region").or(page.locator("section")).filter({ visible: true }).locator("button, select");
  for (const control of await controls.all()) {
    if ((await control.innerText()) !== "Open") assert.ok(await control.isDisabled(), await control.innerText());
  }
  const asked = new Promise((resolve) => page.route("**/_gate/usage?*", (route) => resolve(route), { times: 1 }));
  await signIn(page);
  const usage = await asked;
  await dialog.waitFor();
  assert.equal(await page.locator("dialog").count(), 1);
  await usage.continue();
  assert.equal(await textbox(dialog, "Name").inputValue(), "Half a key");
  await button(dialog, "Create key").click();
  await page.getByLabel("Secret", { exact: true }).waitFor();
});

test("a change that ends after its session did is done, and its dialog does not come back", async (t) => {
  const id = freshId("late");
  await asAdmin("keys", "POST", { id });
  const page = await signedIn(t);
  const row = keyRow(page, id);
  await page.route("**/_gate/usage?*", (route) => answer(route, 401, refusal(401, "session-expired")), { times: 1 });
  const asked = new Promise((resolve) => page.route(`**/_gate/keys/${id}`, resolve));
  await button(row, "Revoke").click();
  await button(page.getByRole("dialog"), "Revoke key").click();
  const change = await asked;
  await page.evaluate(() => document.getElementById("period").dispatchEvent(new Event("change")));
  await section(page, "Sign in").waitFor();
  await change.continue();
  await row.filter({ hasText: "revoked" }).waitFor();
  for (const name of ["Change", "Restore"]) assert.ok(await button(row, name).isDisabled(), name);
  await page.locator("dialog").waitFor({ state: "detached" });
  await signIn(page);
  await section(page, "Sign in").waitFor({ state: "hidden" });
  await row.filter({ hasText: "revoked" }).waitFor();
  assert.equal(await page.locator("dialog").count(), 0);
});

test("Close forgets everything, and so does leaving the page", async (t) => {
  const token = session(ADMIN).token;
  const page = await open(t, CONSOLE);
  const before = await page.locator("body").innerHTML();
  await signIn(page, token);
  await button(page, "New key").click();
  await button(page.getByRole("dialog"), "Create key").click();
  await button(page.getByRole("dialog"), "Done").click();
  await page.getByRole("table", { name: "Refusals by code" }).waitFor();
  const html = await page.content();
  assert.ok(!html.includes(token));
  assert.equal(await page.getByLabel("Session", { exact: true }).inputValue().catch(() => ""), "");
  assert.deepEqual(await page.evaluate(() => [{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]), [{}, {}, "", CONSOLE]);
  await button(page, "Close").click();
  const left = () => page.locator("table, canvas, #key option").count();
  assert.equal(await left(), 0);
  assert.equal(await page.locator("body").innerHTML(), before, "nothing is left, seen or not");
  assert.equal(await button(page, "Close").count(), 0);
  await signIn(page);
  await page.getByRole("table", { name: "Refusals by code" }).waitFor();
  // As when the browser keeps the page for its back button.
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
  assert.equal(await left(), 0);
  // And as somebody who goes on and comes back.
  await signIn(page);
  await page.getByRole("table", { name: "Refusals by code" }).waitFor();
  await page.goto(`${gate}/_gate/problems`);
  await page.goBack();
  await section(page, "Sign in").waitFor();
  assert.equal(await left(), 0);
  assert.equal(await page.getByLabel("Session", { exact: true }).inputValue(), "");
});

test("a note on a key that was changed does not outlive its session", async (t) => {
  const id = freshId("noted");
  await asAdmin("keys", "POST", { id });
  const page = await signedIn(t);
  const row = keyRow(page, id);
  await button(row, "Change").click();
  await textbox(page.getByRole("dialog"), "Name").fill("Noted");
  await button(page.getByRole("dialog"), "Save").click();
  await row.filter({ hasText: "takes effect everywhere within 90 s" }).waitFor();
  await button(page, "Close").click();
  await signIn(page);
  await row.waitFor();
  assert.doesNotMatch(await row.innerText(), /90 s/);
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

test("a read-only session disables the controls that write", async (t) => {
  await asAdmin("keys", "POST", { id: freshId("readable") });
  const page = await signedIn(t, {}, session(ADMIN, { methods: ["GET"] }).token);
  for (const name of ["New key", "Change", "Revoke"]) assert.ok(await button(page, name).first().isDisabled(), name);
  await accessible(page, "reads only");
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

test("it is usable with limited sight or movement, in both schemes and on a phone", async (t) => {
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
