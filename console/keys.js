/** The section Keys: those of the configuration (`GET status`) and of the registry (`GET keys`), and changes of the latter. */

import { confirmRevoke, editKey } from "./dialogs.js";
import { $, h, row, table, written } from "./dom.js";
import { ask, mayWrite, tell } from "./gate.js";

const COLUMNS = ["Id", "Name", "Status", "Methods", "Paths", "Origins", "Rate", "Quota", "Expires", "Version", "Where", "Actions"].map((title) => ({ title }));
const BOUND = "takes effect everywhere within 90 s";

/** The ids of keys that were changed here. */
const changed = new Set();
let body, cursor;

const status = (record) => {
  if (record.error) return "broken";
  // A tombstone has no `schemes`; every other record of the registry has.
  if (record.revoked && !("schemes" in record) && record.where === "registry") return "deleted";
  if (record.revoked) return "revoked";
  return record.expires && Date.parse(record.expires) <= Date.now() ? "expired" : "active";
};

const list = (values) => (values ? h("ul", {}, ...values.map((value) => h("li", {}, written(value)))) : "all");

const quota = ({ requests, bytes, per }) =>
  [requests && `${requests.toLocaleString("en")} requests`, bytes && `${bytes.toLocaleString("en")} bytes`].filter(Boolean).join(", ") + ` per ${per}`;

/** Shows the record in the gate's answer to a change, because a read may return the record of a minute ago. */
const showChanged = (answer, said) => {
  const { sk: _, ...record } = answer;
  changed.add(record.id);
  const made = keyRow({ ...record, where: "registry" });
  const old = document.getElementById(made.id);
  if (old) old.replaceWith(made);
  else body.prepend(made);
  addChoice(record.id);
  $("said").textContent = said;
  return answer;
};

const change = async (id, patch, said) => showChanged(await ask(`keys/${encodeURIComponent(id)}`, { method: "PATCH", body: patch }), said);

const actions = (record, now) => {
  if (record.where !== "registry" || now === "deleted") return undefined;
  const { id } = record;
  const button = (text, name, action) =>
    h("button", { type: "button", id: `${name}-${id}`, disabled: !mayWrite(), "aria-describedby": `head-${id}`, onclick: action }, text);
  const failing = (action) => () => action().catch((error) => tell($("keys-failed"), error));
  const { where: _, error: __, ...sent } = record;
  const edit = button("Change", "change", () => editKey("Change", sent, (patch) => change(id, patch, `Key ${id} was changed.`)));
  const toggle = record.revoked
    ? button("Restore", "toggle", failing(() => change(id, { revoked: null }, `Key ${id} was restored.`).then(() => $(`toggle-${id}`).focus())))
    : button("Revoke", "toggle", () => confirmRevoke(id, () => change(id, { revoked: true }, `Key ${id} was revoked.`)));
  return h("div", { className: "row" }, edit, toggle);
};

const keyRow = (record) => {
  const { id, name, methods, paths, allowed_origins: origins, rate, expires, version = 1, where, error } = record;
  const now = status(record);
  const note = changed.has(id) ? h("small", {}, ` ${BOUND}`) : error ? h("small", {}, ` ${error.field}: ${error.hint}`) : "";
  const head = written(id);
  head.id = `head-${id}`;
  const cells = error || now === "deleted"
    ? Array(6).fill(undefined)
    : [list(methods), list(paths), list(origins), rate, record.quota && quota(record.quota), expires];
  const made = row(head, name === undefined ? undefined : written(name), h("span", {}, now, note), ...cells, error ? undefined : String(version), where, actions(record, now));
  made.id = `row-${id}`;
  made.lastChild.className = "actions";
  return made;
};

const addChoice = (id) => {
  if (![...$("key").options].some(({ value }) => value === id)) $("key").append(h("option", { value: id }, id));
};

/** Asks for the next page of the registry, and appends the keys that are not shown yet. */
export const showMore = async () => {
  const page = await ask(cursor ? `keys?cursor=${encodeURIComponent(cursor)}` : "keys");
  for (const record of page.keys.filter(({ id }) => !document.getElementById(`row-${id}`))) {
    body.append(keyRow({ ...record, where: "registry" }));
    addChoice(record.id);
  }
  cursor = page.cursor;
  $("more").hidden = !cursor;
};

/** Shows the keys of the configuration, then the first page of the registry, if there is one. */
export const showKeys = async ({ keys = [], bindings }) => {
  const rows = keys.map((record) => keyRow({ ...record, where: "configuration" }));
  const shown = table("Keys", COLUMNS, rows);
  body = shown.querySelector("tbody");
  cursor = null;
  const chosen = $("key").value;
  $("keys").replaceChildren(shown);
  $("key").replaceChildren();
  keys.forEach(({ id }) => addChoice(id));
  $("keys-failed").textContent = "";
  $("more").hidden = true;
  const missing = ["KEY_REGISTRY", "KEY_WRITER"].filter((name) => !bindings[name]);
  const why = missing.length
    ? `To create and change keys here, the gate needs ${missing.join(" and ")}: see "Set up" in docs/admin.md.`
    : mayWrite() ? "" : "This session is read-only.";
  $("why-not").textContent = why;
  $("new-key").disabled = why !== "";
  if (bindings.KEY_REGISTRY) await showMore();
  if ([...$("key").options].some(({ value }) => value === chosen)) $("key").value = chosen;
};

/** Forgets the keys and their changes. */
export const clearKeys = () => {
  changed.clear();
  body = cursor = undefined;
  for (const id of ["keys", "key", "said", "keys-failed", "why-not"]) $(id).replaceChildren();
  $("more").hidden = true;
};

export const newKey = () =>
  editKey("New key", {}, async (record) => {
    const made = await ask("keys", { method: "POST", body: record });
    return showChanged(made, `Key ${made.id} was created.`);
  });
