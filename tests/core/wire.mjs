// Calls functions of src/edge/wire.js as standard input says, and prints what each returns. For the tests of wire.rs.

import { readFileSync } from "node:fs";
import * as wire from "../../src/edge/wire.js";

/** Room for a request at first, in bytes: too little for some, so that both answers of writeRequest are met. */
const ROOM = 64;

function writeRequest({ method, url, headers, hasBody, cf }) {
  const request = { method, url, headers, body: hasBody ? {} : null, cf };
  let buffer = new Uint8Array(ROOM);
  let written = wire.writeRequest(request, buffer);
  if (written < 0) {
    buffer = new Uint8Array(-written);
    written = wire.writeRequest(request, buffer);
  }
  return new TextDecoder().decode(buffer.subarray(0, written));
}

const calls = JSON.parse(readFileSync(0, "utf8"));
const results = calls.map(([name, ...values]) => (name === "writeRequest" ? writeRequest(...values) : wire[name](...values)));
process.stdout.write(JSON.stringify(results));
