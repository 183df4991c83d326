// Installs packages on Debian and its relatives.

import { existsSync } from "node:fs";
import { must, run } from "./command.js";

/** Whether packages can be installed here without asking anybody. */
export function hasAptGet() {
  return existsSync("/usr/bin/apt-get") && process.getuid?.() === 0;
}

/**
 * @param {string[]} packages
 * @param {import("./command.js").RunOptions} [options]
 */
export async function aptInstall(packages, options) {
  console.log(`Installing the Debian packages ${packages.join(" ")}`);
  const apt = { ...options, env: { DEBIAN_FRONTEND: "noninteractive" } };
  // A list that cannot be refreshed may still do.
  await run("apt-get", ["update"], apt);
  await must("apt-get", ["install", "--yes", "--no-install-recommends", ...packages], apt);
}
