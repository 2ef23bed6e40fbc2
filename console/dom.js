/** Builds elements. Text gets into the page by `textContent` only, so a record with markup in it is text. */

/** Returns the element with this id. */
export const $ = (id) => document.getElementById(id);

/** Returns a new element with these properties, attributes (those with `-`, `role`, `for`) and children. */
export const h = (name, given = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (/-|^role$|^for$/.test(key)) element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
};

/** Returns text that an operator or a caller wrote, isolated, so that its direction changes nothing around it. */
export const written = (text) => h("bdi", { textContent: String(text) });

/** Returns a table named by its caption, in a region that scrolls by itself and can be focused to do so. */
export const table = (caption, columns, rows, foot) => {
  const heads = columns.map(({ title, isNumber }) => h("th", { scope: "col", className: isNumber ? "number" : "" }, title));
  const parts = [h("caption", {}, caption), h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows)];
  if (foot) parts.push(h("tfoot", {}, foot));
  return h("div", { className: "scrolls", role: "region", tabIndex: 0, "aria-label": `${caption}, scrollable` }, h("table", {}, ...parts));
};

/** Returns a row; its first cell is its header. */
export const row = (first, ...cells) =>
  h("tr", {}, h("th", { scope: "row" }, first), ...cells.map((cell) => (cell?.localName === "td" ? cell : h("td", {}, cell ?? "–"))));

/** Returns a cell with a number. */
export const number = (value) => h("td", { className: "number" }, value.toLocaleString("en"));
