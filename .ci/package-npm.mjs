#!/usr/bin/env node
// The npm packages of a release: `.ci/package-npm VERSION FOLDER PLATFORM=PROGRAM …`, after `cargo run -- build`.
//
// FOLDER gets one tarball with the Worker, and one for each platform (such as linux-x64) with the command's program.
// The first names the others as optional dependencies, of which npm installs the one that fits the machine.

import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const [version, folder, ...programs] = process.argv.slice(2);
if (!version || !folder || programs.length === 0 || !programs.every((one) => /^[a-z0-9]+-[a-z0-9]+=./.test(one))) {
  console.error("usage: .ci/package-npm VERSION FOLDER PLATFORM=PROGRAM …");
  process.exit(2);
}
const out = resolve(folder);
mkdirSync(out, { recursive: true });

const shared = {
  version,
  license: "MIT",
  // npm's provenance compares this with the repository that published.
  repository: process.env.GITHUB_REPOSITORY && { type: "git", url: `git+https://github.com/${process.env.GITHUB_REPOSITORY}.git` },
};

function pack(manifest, files) {
  const staged = mkdtempSync(join(out, "staged-"));
  try {
    for (const [to, from] of Object.entries({ LICENSE: join(root, "LICENSE"), ...files })) cpSync(from, join(staged, to), { recursive: true });
    for (const program of Object.values(manifest.bin ?? {}).concat(manifest.program ?? [])) chmodSync(join(staged, program), 0o755);
    const { program, ...rest } = manifest;
    writeFileSync(join(staged, "package.json"), `${JSON.stringify({ ...rest, ...shared }, null, 2)}\n`);
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    const packed = execFileSync(npm, ["pack", "--silent", "--ignore-scripts", "--pack-destination", out], { cwd: staged, encoding: "utf8", shell: process.platform === "win32" });
    console.log(join(out, packed.trim()));
  } finally {
    rmSync(staged, { recursive: true });
  }
}

const optionalDependencies = {};
for (const one of programs) {
  const [platform, path] = [one.slice(0, one.indexOf("=")), one.slice(one.indexOf("=") + 1)];
  const [os, cpu] = platform.split("-");
  const name = `@writegate/cli-${platform}`;
  const program = os === "win32" ? "writegate.exe" : "writegate";
  // The program is linked with glibc; elsewhere npm leaves the package out.
  const libc = os === "linux" ? ["glibc"] : undefined;
  pack({ name, description: `The command writegate for ${platform}`, os: [os], cpu: [cpu], libc, preferUnplugged: true, program }, { [program]: path });
  optionalDependencies[name] = version;
}

// The command itself writes its man pages and completions: that of this machine's platform, which is among those given.
const here = programs.find((one) => one.startsWith(`${process.platform}-${process.arch}=`));
const pages = mkdtempSync(join(out, "pages-"));
if (here) {
  const program = resolve(here.slice(here.indexOf("=") + 1));
  execFileSync(program, ["man", join(pages, "man")]);
  mkdirSync(join(pages, "completions"));
  for (const shell of ["bash", "zsh", "fish", "powershell"]) {
    writeFileSync(join(pages, "completions", shell), execFileSync(program, ["completions", shell]));
  }
}
const written = readdirSync(pages);

const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
pack(
  {
    name: "writegate",
    description: "A gate in front of a write API, on Cloudflare Workers: the Worker, its command, and its client for browsers",
    type: "module",
    bin: { writegate: "bin/writegate.js" },
    exports: {
      ".": { types: "./public/_gate/client.d.ts", default: "./public/_gate/client.js" },
      "./worker": "./worker/index.js",
      "./package.json": "./package.json",
    },
    engines,
    man: here && readdirSync(join(pages, "man")).map((page) => `man/${page}`),
    optionalDependencies,
  },
  {
    "README.md": join(root, "npm/README.md"),
    "CHANGELOG.md": join(root, "CHANGELOG.md"),
    "bin/writegate.js": join(root, "npm/writegate.js"),
    "worker/index.js": join(root, "build/index.js"),
    "worker/index_bg.wasm": join(root, "build/index_bg.wasm"),
    public: join(root, "public"),
    docs: join(root, "docs"),
    ...Object.fromEntries(written.map((folder) => [folder, join(pages, folder)])),
  },
);
rmSync(pages, { recursive: true });
