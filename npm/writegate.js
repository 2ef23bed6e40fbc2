#!/usr/bin/env node
// The command `writegate`: starts the program of this machine's platform, which npm installed as an optional package.

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import process from "node:process";

const platform = `${process.platform}-${process.arch}`;
const program = process.platform === "win32" ? "writegate.exe" : "writegate";

function find() {
  try {
    return createRequire(import.meta.url).resolve(`@writegate/cli-${platform}/${program}`);
  } catch {
    console.error(
      `writegate: the package @writegate/cli-${platform} is not installed. Install again without --omit=optional; ` +
        "for a platform that has no such package, build the command with Rust: cargo install --git, see the README",
    );
    process.exit(2);
  }
}

// The command names itself in hints as it was called.
const env = { ...process.env, WRITEGATE_COMMAND: "npx writegate" };
const child = spawn(find(), process.argv.slice(2), { stdio: "inherit", env });
// A terminal sends Ctrl-C to both; what is sent to this process alone is passed on.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  console.error(`writegate: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  for (const one of ["SIGINT", "SIGTERM", "SIGHUP"]) process.removeAllListeners(one);
  process.kill(process.pid, signal);
});
