/** The section Tokens: `GET status`. */

import { $, h, row, table } from "./dom.js";

const columns = ["Secret", "State", "Age", "Expires", "Fingerprint", "Advice"].map((title) => ({ title }));

const days = (count) => `${count} ${Math.abs(count) === 1 ? "day" : "days"}`;

const age = ({ secret, age_days: age, max_age_days: max }) => {
  if (age === null) return "unknown";
  // The state column says by a word what the bar's length says.
  return h("span", {}, h("meter", { min: 0, max, value: age, "aria-label": `Age of ${secret}` }), `${age} of ${days(max)}`);
};

const expiry = ({ expires_in_days: left }) => {
  if (left === null) return undefined;
  return left < 0 ? `${days(-left)} ago` : `in ${days(left)}`;
};

export const showTokens = ({ tokens, bindings, version }) => {
  const rows = tokens.map((token) =>
    row(token.secret, token.state, age(token), expiry(token), token.fingerprint ? h("code", {}, token.fingerprint) : undefined, token.advice || undefined));
  const named = (there) => Object.keys(bindings).filter((name) => bindings[name] === there).join(", ") || "none";
  const line = `Bindings: ${named(true)}; missing: ${named(false)}. Version ${version}.`;
  $("tokens").replaceChildren(table("Tokens", columns, rows), h("p", {}, line));
};
