// House rules that a machine can check, over every file that git tracks.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { root } from "./paths.js";

const MAX_LINES = 600;

// A container often runs as somebody else than the owner of the clone.
const files = spawnSync("git", ["-c", "safe.directory=*", "ls-files", "-z"], { cwd: root, encoding: "utf8" })
  .stdout.split("\0")
  .filter((file) => file !== "" && existsSync(join(root, file)));
const sources = files.filter((file) => /\.(rs|js|ts|tsx|css|html|sol)$/.test(file) && file !== "tools/tidy.test.js");

/** @param {string} file */
function read(file) {
  return readFileSync(join(root, file), "utf8");
}

/**
 * Every line of a source that matches, as `file:line: text`.
 * @param {string[]} among
 * @param {RegExp} pattern
 */
function linesLike(among, pattern) {
  return among.flatMap((file) =>
    read(file)
      .split("\n")
      .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [])),
  );
}

test("there are files to check", () => {
  assert.ok(sources.length > 10);
});

test("every file is named after what it does", () => {
  const vague = /^(utils?|helpers?|common|misc|manager|mod)\.(rs|js|ts|tsx)$/;
  assert.deepEqual(files.filter((file) => vague.test(basename(file))), []);
});

test("no file is too long to read", () => {
  const long = sources.filter((file) => read(file).split("\n").length > MAX_LINES);
  assert.deepEqual(long, []);
});

test("nothing is left for later or switched off", () => {
  assert.deepEqual(linesLike(sources, /\b(TODO|FIXME|XXX|HACK)\b/), []);
  const rust = sources.filter((file) => file.endsWith(".rs"));
  assert.deepEqual(linesLike(rust, /#\[ignore|allow\(dead_code|allow\(unused|\btodo!\(|\bunimplemented!\(/), []);
  const typescript = sources.filter((file) => /\.tsx?$/.test(file));
  assert.deepEqual(linesLike(typescript, /@ts-ignore|@ts-nocheck|\bas any\b|: any\b/), []);
  const tests = sources.filter((file) => /\.test\.(js|ts)$/.test(file) && !file.startsWith("tools/"));
  assert.deepEqual(linesLike(tests, /\b(test|it|describe)\.(only|skip|todo)\b/), []);
});

test("the lock file names no host", () => {
  const { packages } = JSON.parse(read("package-lock.json"));
  const hosts = Object.values(packages)
    .map(({ resolved }) => resolved)
    .filter((resolved) => /^[a-z+]+:\/\//.test(resolved ?? ""));
  assert.deepEqual(hosts, []);
});

test("JavaScript dependencies are exact versions", () => {
  const manifests = files.filter((file) => basename(file) === "package.json");
  const loose = manifests.flatMap((file) => {
    const { dependencies, devDependencies } = JSON.parse(read(file));
    return Object.entries({ ...dependencies, ...devDependencies })
      .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(/** @type {string} */ (version)))
      .map(([name, version]) => `${file}: ${name} ${version}`);
  });
  assert.deepEqual(loose, []);
});
