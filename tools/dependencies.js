// The JavaScript dependencies, exactly as package-lock.json names them.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { must } from "./command.js";
import { root } from "./paths.js";
import { digest, unlessUpToDate } from "./up_to_date.js";

/**
 * Installs what package-lock.json names, unless it is there.
 * @param {import("./command.js").RunOptions} [options]
 */
export async function ensureDependencies(options) {
  const { workspaces } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const manifests = ["package.json", "package-lock.json", ".npmrc", ...workspaces.map(manifestOf)];
  const job = {
    name: "dependencies",
    inputs: digest(manifests.map((file) => join(root, file)), process.version),
    outputs: [join(root, "node_modules")],
  };
  const install = () => must("npm", ["ci", "--no-progress"], options);
  // Beside what it speaks of, so that it goes when somebody removes the folder.
  await unlessUpToDate(job, install, join(root, "node_modules", ".ocelli-stamp"));
}

/** @param {string} workspace */
function manifestOf(workspace) {
  return `${workspace}/package.json`;
}
