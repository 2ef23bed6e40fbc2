/** The page that explains the codes. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { accessible, fits, gate, open, picture } from "./harness.mjs";

const PAGE = `${gate}/_gate/problems`;

test("it needs no script and asks nobody, and its policy says so", async (t) => {
  const policy = (await fetch(PAGE)).headers.get("content-security-policy");
  assert.match(policy, /^default-src 'none'; style-src 'sha256-[\w+/]{43}='; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/);
  const page = await open(t, "about:blank");
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.goto(PAGE);
  assert.deepEqual(asked.filter((url) => !url.startsWith("data:")), [PAGE]);
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).maxWidth !== "none"), true, "its style applies");
});

test("each code has a place, found by its link, with cause, fix and example", async (t) => {
  const page = await open(t, PAGE);
  const links = page.getByRole("navigation", { name: "Codes" }).getByRole("link");
  const codes = await links.allInnerTexts();
  assert.ok(codes.length > 35);
  for (const code of codes) {
    const section = page.locator(`section#${code}`);
    assert.match(await section.innerText(), /Cause\s+\S[^]*Fix\s+\S/);
    assert.ok((await section.locator("pre").innerText()).trim(), code);
  }
  await links.filter({ hasText: "session-expired" }).click();
  assert.equal(new URL(page.url()).hash, "#session-expired");
});

test("it can be read in both schemes, on a phone and on paper", async (t) => {
  for (const colorScheme of ["light", "dark"]) {
    for (const [device, width] of [["desk", 1280], ["phone", 360]]) {
      const page = await open(t, PAGE, { colorScheme, viewport: { width, height: 800 } });
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(ground, colorScheme === "dark" ? "rgb(13, 17, 23)" : "rgb(255, 255, 255)");
      await accessible(page, `${colorScheme}, ${device}`);
      await fits(page, `${colorScheme}, ${device}`);
      await picture(page, `problems-${colorScheme}-${device}`);
      await page.emulateMedia({ media: "print" });
      assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(255, 255, 255)");
      assert.equal(await page.evaluate(() => getComputedStyle(document.body).color), "rgb(0, 0, 0)");
    }
  }
});
