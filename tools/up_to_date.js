// Skips work whose inputs have not changed since it was last done. Inputs are compared by content, so that switching
// branches forth and back, or a fresh checkout over a kept `target/`, rebuilds nothing.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { root, targetDir } from "./paths.js";

const NOT_INPUTS = new Set(["node_modules", "dist", "target", ".git"]);

/**
 * A digest of files and folders (recursively, without build outputs), their names included. What does not exist counts
 * as empty.
 * @param {string[]} paths absolute
 * @param {string} [salt] anything else that the result depends on
 */
export function digest(paths, salt = "") {
  const hash = createHash("sha256").update(salt);
  for (const path of paths) {
    for (const file of filesUnder(path)) {
      hash.update(`\0${relative(root, file)}\0`).update(readFileSync(file));
    }
  }
  return hash.digest("hex");
}

/**
 * Does the work unless it was done before with the same inputs and its outputs are still there.
 * @param {object} job
 * @param {string} job.name unique among jobs
 * @param {string} job.inputs `digest` of the inputs
 * @param {string[]} job.outputs absolute paths
 * @param {() => Promise<void>} work
 * @param {string} [stamp] where to remember it
 * @returns {Promise<boolean>} whether it had to be done
 */
export async function unlessUpToDate({ name, inputs, outputs }, work, stamp = join(targetDir, "stamps", name)) {
  if (outputs.every(existsSync) && existsSync(stamp) && readFileSync(stamp, "utf8") === inputs) return false;
  rmSync(stamp, { force: true });
  await work();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, inputs);
  return true;
}

/**
 * Has a job be done again.
 * @param {string} name
 */
export function forget(name) {
  rmSync(join(targetDir, "stamps", name), { force: true });
}

/**
 * @param {string} path
 * @returns {string[]}
 */
function filesUnder(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (!stat.isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => !NOT_INPUTS.has(name))
    .sort()
    .flatMap((name) => filesUnder(join(path, name)));
}
