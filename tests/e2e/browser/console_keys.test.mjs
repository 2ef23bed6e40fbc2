/** Keys that are made and changed in the console, against the real gate's admin API and KV. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { asAdmin, button, focusOn, freshId, keyRow, signedIn, textbox } from "./console.mjs";
import { accessible, picture } from "./harness.mjs";

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
  assert.match(await row.innerText(), /Customer 19[^]*active[^]*takes effect everywhere within 90 s[^]*GET\s+POST[^]*\/posts\s+\/posts\/\*[^]*https:\/\/www\.example\.com[^]*mint[^]*registry/);
  assert.deepEqual((await asAdmin(`keys/${id}`)), { ...record, name: "Customer 19", rate: "mint", version: 1, schemes: ["session"] });
  assert.ok((await page.getByRole("combobox", { name: "Key", exact: true }).innerText()).includes(id));
});

test("where the browser gives no clipboard the secret is selected", async (t) => {
  const page = await signedIn(t);
  // As over plain HTTP.
  await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  await button(page, "New key").click();
  await button(page.getByRole("dialog"), "Create key").click();
  await button(page.getByRole("dialog"), "Copy").click();
  await page.getByText("Not copied").waitFor();
  const secret = page.getByLabel("Secret", { exact: true });
  const selected = await secret.evaluate((field) => field === document.activeElement && field.value.slice(field.selectionStart, field.selectionEnd));
  assert.equal(selected, await secret.inputValue());
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
  assert.match(await row.innerText(), /After[^]*takes effect everywhere within 90 s/);
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

test("a secret is shown, even if its form was cancelled while the gate made the key", async (t) => {
  const page = await signedIn(t);
  const [first, second] = [freshId("cancelled"), freshId("meanwhile")];
  const asked = new Promise((resolve) => page.route("**/_gate/keys", (route) => resolve(route), { times: 1 }));
  await button(page, "New key").click();
  await textbox(page.getByRole("dialog"), "Id").fill(first);
  await button(page.getByRole("dialog"), "Create key").click();
  const route = await asked;
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
  // Another one is begun meanwhile, and can be gone on with.
  await button(page, "New key").click();
  await textbox(page.getByRole("dialog"), "Id").fill(second);
  await route.continue();
  const secret = page.getByLabel("Secret", { exact: true });
  assert.match(await secret.inputValue(), /^sk_/);
  await accessible(page, "a secret above a form");
  await button(page.getByRole("dialog").filter({ has: secret }), "Done").click();
  await button(page.getByRole("dialog"), "Create key").click();
  await secret.waitFor();
  assert.match(await page.getByRole("dialog").innerText(), new RegExp(second));
  await button(page.getByRole("dialog"), "Done").click();
  await page.locator("dialog").waitFor({ state: "detached" });
  await focusOn(page, "New key");
});

test("a key that somebody deletes while its form is open is not changed, and the form says so", async (t) => {
  const id = freshId("deleted");
  await asAdmin("keys", "POST", { id });
  const page = await signedIn(t);
  await button(keyRow(page, id), "Change").click();
  await textbox(page.getByRole("dialog"), "Name").fill("Late");
  await asAdmin(`keys/${id}`, "DELETE");
  await button(page.getByRole("dialog"), "Save").click();
  const alert = page.getByRole("dialog").getByRole("alert").filter({ hasText: "key-exists" });
  await alert.waitFor();
  assert.equal(await page.getByRole("dialog").locator("[aria-invalid]").count(), 0);
});

test("fields wait until a record that is typed is whole, and so cannot write over it", async (t) => {
  const page = await signedIn(t);
  await button(page, "New key").click();
  const dialog = page.getByRole("dialog");
  const half = '{"name": "Half", "paths": ["/a"';
  await textbox(dialog, "Record").fill(half);
  for (const name of ["Id", "Name", "Paths", "Origins"]) assert.ok(await textbox(dialog, name).isDisabled(), name);
  assert.ok(await dialog.getByRole("checkbox", { name: "POST", exact: true }).isDisabled());
  await button(dialog, "Create key").click();
  await page.waitForFunction(() => document.activeElement.ariaInvalid === "true");
  assert.equal(await textbox(dialog, "Record").inputValue(), half);
  await textbox(dialog, "Record").fill(`${half}]}`);
  assert.equal(await textbox(dialog, "Paths").inputValue(), "/a");
  await textbox(dialog, "Name").fill("Whole");
  assert.deepEqual(JSON.parse(await textbox(dialog, "Record").inputValue()), { name: "Whole", paths: ["/a"] });
});
