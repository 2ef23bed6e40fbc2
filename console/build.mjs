/**
 * Makes the console: `node console/build.mjs [FOLDER]` writes `_gate/index.html`, one file with its style and script inline,
 * and `_headers`, which has their hashes, into FOLDER (`public`). The style of `_gate/problems.html` is hashed as it is there.
 */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const out = process.argv[2] ?? join(root, "public");

const problems = readFileSync(join(root, "public/_gate/problems.html"), "utf8");
const titles = [...problems.matchAll(/<h2><code>([a-z-]+)<\/code>[^]*?<p><strong>(.*?)\.<\/strong>/g)].map(([, code, title]) => [code, title]);
if (titles.length < 30) throw new Error("problems.html has no codes: was its form changed?");

const bundle = async (options) => {
  const built = await build({ bundle: true, minify: true, write: false, charset: "utf8", legalComments: "none", target: "es2022", ...options });
  return built.outputFiles[0].text.trim();
};
const define = { PROBLEM_TITLES: JSON.stringify(Object.fromEntries(titles)) };
const script = await bundle({ entryPoints: [join(here, "main.js")], format: "iife", define });
const styles = '@import "./page.css"; @import "./console.css";';
const style = await bundle({ stdin: { contents: styles, loader: "css", resolveDir: here } });
if (/<\/(script|style)/i.test(script + style)) throw new Error("the script would end itself");

const page = readFileSync(join(here, "index.html"), "utf8")
  .replace("<style></style>", () => `<style>${style}</style>`)
  .replace("<script></script>", () => `<script>${script}</script>`);

const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
const closed = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const headers = {
  "/_gate/": {
    "Content-Security-Policy":
      `default-src 'none'; script-src ${hash(script)}; style-src ${hash(style)}; connect-src 'self'; img-src data:; ${closed}; require-trusted-types-for 'script'; trusted-types 'none'`,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
  },
  "/_gate/problems": {
    "Content-Security-Policy": `default-src 'none'; style-src ${hash(/<style>([^]*?)<\/style>/.exec(problems)[1])}; img-src data:; ${closed}`,
    "X-Content-Type-Options": "nosniff",
  },
  "/_gate/client.js": {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
    "X-TypeScript-Types": "./client.d.ts",
  },
  "/_gate/client.d.ts": {
    "Access-Control-Allow-Origin": "*",
    // The platform takes `.ts` for a video.
    "Content-Type": "text/plain; charset=utf-8",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
  },
};
const blocks = Object.entries(headers).map(([path, fields]) => [path, ...Object.entries(fields).map(([name, value]) => `  ${name}: ${value}`)].join("\n"));

mkdirSync(join(out, "_gate"), { recursive: true });
writeFileSync(join(out, "_gate/index.html"), page);
writeFileSync(join(out, "_headers"), `# Made by console/build.mjs.\n${blocks.join("\n\n")}\n`);
