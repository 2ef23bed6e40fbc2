/** `cargo run -- demo`: its page, as a visitor uses it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible, counted, gate, open, pages } from "./harness.mjs";

test("the demo's page writes through the gate from another origin", async (t) => {
  const page = await open(t, pages);
  assert.notEqual(new URL(page.url()).origin, gate);
  const minted = counted(page, "/_gate/session");
  const challenged = [];
  page.on("request", (request) => request.url().endsWith("/challenge") && challenged.push(request));
  // The walk-through has written an entry before.
  await page.getByText("Hello from behind the gate").waitFor();
  await page.getByRole("textbox", { name: "Name" }).fill("Grace");
  await page.getByRole("textbox", { name: "Message" }).fill("<img src=x onerror=alert(1)>");
  await page.getByRole("button", { name: "Sign" }).click();
  await page.getByRole("status").getByText("Thank you.", { exact: true }).waitFor();
  const entries = page.getByRole("list").getByRole("listitem");
  await entries.nth(1).waitFor();
  assert.equal(await entries.first().textContent(), "Grace<img src=x onerror=alert(1)>");
  // Reading made the session, at the latest; the page that was just opened may have challenged before it was looked at.
  assert.ok(minted.length <= 1 && challenged.length <= 1, "one session for the page");

  const source = await (await fetch(pages)).text();
  assert.match(source, /key: "pk_/);
  assert.doesNotMatch(source, /sk_|eyJ|Bearer/);
  await accessible(page, "the demo's page");
});

test("the page's policy lets it reach the gate and nothing else", async (t) => {
  const { headers } = await fetch(pages);
  const policy = headers.get("content-security-policy");
  assert.match(policy, /^default-src 'none'; /);
  assert.doesNotMatch(policy, /unsafe|\*/);
  const page = await open(t, pages);
  const blocked = await page.evaluate(() => fetch("http://127.0.0.1:1/").catch((error) => error.name));
  assert.equal(blocked, "TypeError");
  assert.match(page.problems.splice(0).join(), /Content Security Policy/);
});
