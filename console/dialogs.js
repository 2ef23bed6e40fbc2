/** Dialogs. Each is made when it opens and leaves the document when it closes; what was typed goes with it. */

import { $, h, written } from "./dom.js";
import { tell } from "./gate.js";

let interrupted;

/** Opens a dialog of this name, and gives the focus back to whatever had it, or what took its place, at the end. */
const openDialog = (name, ...children) => {
  const opener = document.activeElement?.id;
  const dialog = h("dialog", { "aria-label": name }, h("h2", {}, name), ...children);
  dialog.addEventListener("close", () => {
    if (dialog === interrupted) return;
    dialog.remove();
    $(opener)?.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
};

/** Hides the open dialog while its operator signs in again. */
export const interrupt = () => {
  interrupted = document.querySelector("dialog[open]") ?? interrupted;
  interrupted?.close();
};

/** Shows the dialog again that was interrupted. */
export const resume = () => {
  const dialog = interrupted;
  interrupted = undefined;
  dialog?.showModal();
};

/** Ends a dialog that has done its work, perhaps while it was interrupted. */
const end = (dialog) => {
  if (dialog !== interrupted) return dialog.close();
  interrupted = undefined;
  dialog.remove();
};

/** Removes every dialog. */
export const discard = () => {
  interrupted = undefined;
  document.querySelectorAll("dialog").forEach((dialog) => dialog.remove());
};

const button = (text, action, more = {}) => h("button", { type: "button", onclick: action, ...more }, text);

/** Asks before a key is revoked; the focus is on Cancel. */
export const confirmRevoke = (id, revoke) => {
  const failed = h("p", { role: "alert" });
  const cancel = button("Cancel", () => dialog.close(), { autofocus: true });
  const sure = button("Revoke key", async () => {
    sure.disabled = true;
    try {
      await revoke();
      end(dialog);
    } catch (error) {
      tell(failed, error);
    }
    sure.disabled = false;
  });
  const says = h("p", {}, "The gate will refuse requests of ", written(id), ", everywhere within 90 s. You can restore the key.");
  const dialog = openDialog("Revoke", says, failed, h("div", { className: "row" }, sure, cancel));
};

/** Replaces the content of a dialog by a secret. Opens it again if it was cancelled meanwhile, because the gate shows a secret only once. */
const showSecret = (dialog, { id, sk }) => {
  const secret = h("input", { id: "secret", readOnly: true, value: sk, autocomplete: "off", spellcheck: false, onfocus: () => secret.select() });
  const copied = h("span", { role: "status" });
  const copy = button("Copy", async () => {
    const done = await navigator.clipboard?.writeText(sk).then(() => true, () => false);
    if (!done) secret.focus();
    copied.textContent = done ? "Copied." : "Not copied, because the browser does not allow it. The secret is selected: copy it by hand.";
  });
  const done = button("Done", () => dialog.close(), { className: "first" });
  dialog.replaceChildren(
    dialog.firstChild,
    h("p", {}, "This is the secret of ", written(id), ". The console shows it only once. Give it to the caller's server, never to a browser."),
    h("div", { className: "fields" }, h("p", {}, h("label", { for: "secret" }, "Secret"), secret)),
    h("div", { className: "row" }, copy, done, copied),
  );
  if (!dialog.isConnected) {
    document.body.append(dialog);
    dialog.showModal();
  }
  copy.focus();
};

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

/**
 * Opens the form of a key: fields, and the text of the record, into which the fields write. `send` gets the record, and
 * resolves to the gate's. In a change an emptied field becomes null, because a merge patch (RFC 7396) removes by null.
 */
export const editKey = (name, record, send) => {
  const isNew = !record.id;
  const labelled = (text, field, note) => {
    const hint = h("span", { className: "hint", id: `${field.id}-hint` });
    return h("p", {}, h("label", { for: field.id }, text), field, note ? h("small", {}, note) : "", hint);
  };
  const input = (id) => h("input", { id, autocomplete: "off", spellcheck: false });
  const area = (id, rows) => h("textarea", { id, rows, spellcheck: false });
  const fields = { id: input("record-id"), name: input("record-name"), paths: area("record-paths", 3), allowed_origins: area("record-origins", 2) };
  const text = area("record-text", 8);
  const methods = METHODS.map((method) => h("input", { type: "checkbox", value: method, id: `method-${method}` }));
  const failed = h("p", { role: "alert" });

  const parsed = () => {
    const value = JSON.parse(text.value);
    if (value === null || typeof value !== "object" || Array.isArray(value)) throw new SyntaxError("expected an object");
    return value;
  };
  const { id, ...rest } = record;
  let lastGood = rest;

  const write = (member, value) => {
    const isEmpty = !value.length;
    const wasThere = !isNew && member in rest;
    if (isEmpty && !wasThere) delete lastGood[member];
    else lastGood[member] = isEmpty ? null : value;
    text.value = JSON.stringify(lastGood, null, 2);
  };
  const read = () => {
    for (const member of ["id", "name"]) fields[member].value = typeof lastGood[member] === "string" ? lastGood[member] : "";
    for (const member of ["paths", "allowed_origins"]) fields[member].value = [lastGood[member] ?? []].flat().join("\n");
    for (const box of methods) box.checked = [lastGood.methods ?? []].flat().includes(box.value);
  };
  text.value = JSON.stringify(rest, null, 2);
  read();

  for (const member of ["id", "name"]) fields[member].oninput = () => write(member, fields[member].value.trim());
  for (const member of ["paths", "allowed_origins"]) fields[member].oninput = () => write(member, lines(fields[member].value));
  for (const box of methods) box.onchange = () => write("methods", methods.filter(({ checked }) => checked).map(({ value }) => value));
  // The fields are disabled while the text is not JSON, because they would overwrite what somebody is typing.
  const wait = (isHalf) => [...Object.values(fields), ...methods].forEach((field) => (field.disabled = isHalf));
  text.oninput = () => {
    try {
      lastGood = parsed();
      read();
      wait(false);
    } catch {
      wait(true);
    }
  };

  const all = [...Object.values(fields), text];
  const invalid = (field, hint) => {
    $(`${field.id}-hint`).textContent = hint;
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", `${field.id}-hint`);
    field.focus();
  };
  const clear = () => {
    failed.textContent = "";
    for (const field of all.filter((field) => field.isConnected)) {
      $(`${field.id}-hint`).textContent = "";
      field.removeAttribute("aria-invalid");
      field.removeAttribute("aria-describedby");
    }
  };
  const submit = async (event) => {
    event.preventDefault();
    clear();
    let body;
    try {
      body = parsed();
    } catch (error) {
      return invalid(text, `This is not a JSON object: ${error.message}`);
    }
    save.disabled = true;
    // Sends only changed members, because somebody else may have changed the others since this page read them.
    const sent = Object.entries(body).filter(([member, value]) => JSON.stringify(value) !== JSON.stringify(record[member]));
    try {
      const made = await send(Object.fromEntries(sent));
      if (made.sk) showSecret(dialog, made);
      else end(dialog);
    } catch (error) {
      const member = error.code === "key-exists" ? "id" : /^\w*/.exec(error.field ?? "")[0];
      const field = fields[member]?.isConnected ? fields[member] : text;
      if (error.hint || field === fields.id) invalid(field, field === text && error.field ? `${error.field}: ${error.hint}` : (error.hint ?? error.message));
      else tell(failed, error);
    }
    save.disabled = false;
  };

  const save = h("button", { className: "first" }, isNew ? "Create key" : "Save");
  const boxes = methods.map((box) => h("label", {}, box, box.value));
  const form = h("form", { className: "fields", noValidate: true, onsubmit: submit },
    isNew ? labelled("Id", fields.id, "If empty, the gate makes an id.") : h("p", {}, "Key ", written(id)),
    labelled("Name", fields.name),
    labelled("Paths", fields.paths, "One per line, such as /posts/*. If empty, all paths."),
    labelled("Origins", fields.allowed_origins, "One per line, such as https://www.example.com. If empty, all origins."),
    h("fieldset", {}, h("legend", {}, "Methods"), ...boxes, h("small", {}, "If none is checked, all methods.")),
    labelled("Record", text, isNew ? "The JSON that the page sends." : "null removes a member. The page sends only the members that you change."),
    failed,
    h("div", { className: "row" }, save, button("Cancel", () => dialog.close())));
  const dialog = openDialog(name, form);
  all.find((field) => field.isConnected).focus();
};
