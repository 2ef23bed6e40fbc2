/** Shared by the tests of the console: signing in, and the parts of the page. */

import assert from "node:assert/strict";

import { gate, open, session } from "./harness.mjs";

export const ADMIN = "pk_admin";
export const CONSOLE = `${gate}/_gate/`;

export const asAdmin = async (path, method = "GET", body = undefined) => {
  const headers = { authorization: `Bearer ${session(ADMIN).token}` };
  const response = await fetch(`${gate}/_gate/${path}`, { method, headers, body: body && JSON.stringify(body) });
  assert.ok(response.ok, `${path}: ${response.status}`);
  return response.json();
};

let last = 0;
export const freshId = (name) => `${name}.${process.pid}.${last++}`;

export const signIn = async (page, token = session(ADMIN, { sub: "console" }).token) => {
  await page.getByLabel("Session", { exact: true }).fill(token);
  await page.getByRole("button", { name: "Open", exact: true }).click();
};

/** The console, open. */
export const signedIn = async (t, options = {}, token = undefined) => {
  const page = await open(t, CONSOLE, options);
  await signIn(page, token);
  await page.getByRole("table", { name: "Keys" }).waitFor();
  await page.getByRole("table", { name: "Refusals by code" }).waitFor();
  return page;
};

export const section = (page, name) => page.locator("section").filter({ has: page.getByRole("heading", { name, exact: true, level: 2 }) });
export const keyRow = (page, id) => page.getByRole("table", { name: "Keys" }).getByRole("row").filter({ has: page.getByRole("rowheader", { name: id, exact: true }) });
export const button = (within, name) => within.getByRole("button", { name, exact: true });
export const textbox = (within, name) => within.getByRole("textbox", { name, exact: true });
/** Waits until the element with this text has the focus: a dialog gives it back in an event after it closed. */
export const focusOn = (page, text) => page.locator(":focus").filter({ hasText: new RegExp(`^${text}$`) }).waitFor();
