#!/usr/bin/env node
// Parses the diagrams of the pages that are named, with mermaid itself, which needs a document to be in.

import { readFileSync } from "node:fs";
import { parseHTML } from "linkedom";

const { window, document } = parseHTML("<!doctype html><html><body></body></html>");
Object.assign(globalThis, { window, document });
const { default: mermaid } = await import("mermaid");

let parsed = 0;
for (const page of process.argv.slice(2)) {
  for (const [, diagram] of readFileSync(page, "utf8").matchAll(/```mermaid\n([^]*?)\n *```/g)) {
    try {
      await mermaid.parse(diagram);
      parsed += 1;
    } catch (error) {
      console.error(`${page}: ${error.message}`);
      process.exitCode = 1;
    }
  }
}
if (parsed === 0) throw new Error("no diagram was found");
console.log(`${parsed} diagrams`);
