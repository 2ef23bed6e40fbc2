#!/usr/bin/env node
// The command `writegate`: starts the program of this machine's platform, which npm installed as an optional package.

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import process from "node:process";

// The platforms that a release packs; a test compares them with publish.yml.
const PLATFORMS = ["linux-x64", "linux-arm64", "darwin-arm64", "darwin-x64", "win32-x64"];

const platform = `${process.platform}-${process.arch}`;
const program = process.platform === "win32" ? "writegate.exe" : "writegate";

function find() {
  try {
    return createRequire(import.meta.url).resolve(`@writegate/cli-${platform}/${program}`);
  } catch {
    console.error(`writegate: ${missing()}`);
    process.exit(2);
  }
}

// Why there is no program, and what to do.
function missing() {
  const musl = process.platform === "linux" && !process.report.getReport().header.glibcVersionRuntime;
  if (musl || !PLATFORMS.includes(platform)) {
    return (
      `npm has no program for ${platform}${musl ? " with musl" : ""} (only for ${PLATFORMS.join(", ")}): ` +
      "build the command with Rust, by cargo install --git (see the README). The Worker itself runs without it"
    );
  }
  return (
    `the package @writegate/cli-${platform} is not installed. npm leaves it out with --omit=optional or --no-optional, or ` +
    "if node_modules comes from another platform: delete node_modules, and run npm install --include=optional"
  );
}

// A terminal sends Ctrl-C to both; any other signal reaches only this process and is passed on. Windows has no
// signals: a console sends Ctrl-C to both there, too, and passing on SIGTERM ends the program.
process.on("SIGINT", () => {});
// Before the program starts: a signal that ended this process would leave the program alone.
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
// The command names itself in hints as it was called.
const env = { ...process.env, WRITEGATE_COMMAND: "npx writegate" };
const child = spawn(find(), process.argv.slice(2), { stdio: "inherit", env });
child.on("error", (error) => {
  console.error(`writegate: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  for (const one of ["SIGINT", "SIGTERM", "SIGHUP"]) process.removeAllListeners(one);
  // For a signal that Node ignores.
  process.exitCode = 1;
  process.kill(process.pid, signal);
});
