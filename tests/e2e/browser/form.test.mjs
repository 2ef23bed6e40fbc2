/** The page of the recipe for a form, as a visitor uses it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible, counted, gate, open, pages, withTurnstile } from "./harness.mjs";

test("a visitor signs twice with one session, and reads what the API says", async (t) => {
  const page = await open(t, pages);
  await withTurnstile(page);
  assert.notEqual(new URL(page.url()).origin, gate);
  const minted = counted(page, "/_gate/session");
  const status = page.getByRole("status");
  const sign = async (name, message, said) => {
    await page.getByRole("textbox", { name: "Name" }).fill(name);
    await page.getByRole("textbox", { name: "Message" }).fill(message);
    await page.getByRole("button", { name: "Sign" }).click();
    await status.getByText(said, { exact: true }).waitFor();
  };
  assert.equal(minted.length, 0);
  await sign("Ada", "Hello & <b>goodbye</b>", "Thank you.");
  await sign("Ada", "spam", "The API answered 422.");
  assert.equal(minted.length, 1);
  assert.deepEqual(await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]), [0, 0, ""]);
  await accessible(page, "the form");
});

test("a visitor whom Turnstile does not reach reads why nothing was sent", async (t) => {
  const page = await open(t, pages);
  await page.route("https://challenges.cloudflare.com/**", (route) => route.abort());
  await page.getByRole("textbox", { name: "Name" }).fill("Ada");
  await page.getByRole("textbox", { name: "Message" }).fill("Hello");
  await page.getByRole("button", { name: "Sign" }).click();
  await page.getByRole("status").getByText(/^challenge-failed: /).waitFor();
});
