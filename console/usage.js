/** The section Usage: `GET usage`, as bars and as tables of the same numbers. */

import { clearBars, drawBars } from "./chart.js";
import { $, h, number, row, table } from "./dom.js";
import { ask, tell } from "./gate.js";

const OUTCOMES = ["minted", "forwarded", "cached", "refused", "failed"];
const DAY = 86_400_000;

const isoDay = (time) => new Date(time).toISOString().slice(0, 10);

/** Adds rows up: requests by day and outcome, by outcome, and by code. */
const sums = (rows) => {
  const byDay = new Map();
  const total = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0]));
  const byCode = new Map();
  for (const { day, outcome, code, requests } of rows.filter(({ outcome }) => outcome in total)) {
    if (!byDay.has(day)) byDay.set(day, { ...Object.fromEntries(OUTCOMES.map((name) => [name, 0])) });
    byDay.get(day)[outcome] += requests;
    total[outcome] += requests;
    if (code) byCode.set(code, (byCode.get(code) ?? 0) + requests);
  }
  return { byDay: new Map([...byDay].sort()), total, byCode: [...byCode].sort(([, a], [, b]) => b - a) };
};

/** The titles of the codes, from the page that explains them, put here when the console is built. */
const titles = PROBLEM_TITLES;

const show = (key, days, rows) => {
  const { byDay, total, byCode } = sums(rows);
  const counts = Object.fromEntries(OUTCOMES.map((name) => [name, days.map((day) => byDay.get(day)?.[name] ?? 0)]));
  const summary = OUTCOMES.map((name) => `${total[name].toLocaleString("en")} ${name}`).join(", ");
  const sentence = `Requests of ${key} from ${days[0]} to ${days.at(-1)}: ${summary}.`;
  const columns = ["Day", ...OUTCOMES.map((name) => name[0].toUpperCase() + name.slice(1))];
  const heads = columns.map((title, index) => ({ title, isNumber: index > 0 }));
  const numbers = (of) => OUTCOMES.map((name) => number(of[name]));
  const dayRows = [...byDay].map(([day, of]) => row(day, ...numbers(of)));
  const codeRows = byCode.map(([code, requests]) => {
    const link = h("a", { href: `/_gate/problems#${encodeURIComponent(code)}` }, h("code", {}, code));
    return row(h("span", {}, link, ` ${titles[code] ?? ""}`), number(requests));
  });
  const canvas = h("canvas", { role: "img", "aria-label": sentence });
  $("usage").replaceChildren(
    h("div", { className: "chart" }, canvas),
    table("Usage by day", heads, dayRows, row("Total", ...numbers(total))),
    table("Refusals by code", [{ title: "Code" }, { title: "Requests", isNumber: true }], codeRows),
  );
  drawBars(canvas, days, counts);
};

let asked = 0;

/** Asks for the usage of the chosen key and period, and shows it unless another was chosen meanwhile. */
export const showUsage = async () => {
  const [key, count, turn] = [$("key").value, Number($("period").value), ++asked];
  $("usage-failed").textContent = "";
  if (!key) return clearUsage();
  const today = Date.now();
  const days = Array.from({ length: count }, (_, index) => isoDay(today - (count - 1 - index) * DAY));
  const query = new URLSearchParams({ key, from: days[0], to: days.at(-1) });
  try {
    const { rows } = await ask(`usage?${query}`);
    if (turn === asked) show(key, days, rows);
  } catch (error) {
    if (turn !== asked) return;
    if (error.status !== 401) clearUsage();
    tell($("usage-failed"), error);
  }
};

export const clearUsage = () => {
  clearBars();
  $("usage").replaceChildren();
};
