// Builds everything that runs: `npm run build`. `npm run build:wasm` stops after the modules for the browser, `npm pack` in
// `wasm` after the package.

import { pathToFileURL } from "node:url";
import { must } from "./command.js";
import { buildDemo, buildPackage } from "./demo.js";
import { ensureDependencies } from "./dependencies.js";
import { ensureRust, forThisMachine } from "./rust.js";
import { script } from "./script.js";
import { buildWasm } from "./wasm.js";

/** @typedef {import("./command.js").RunOptions} RunOptions */

/** In this order: the binary serves the page, the page uses the package, the package loads the modules. */
const steps = [
  { title: "Rust toolchain", run: ensureRust },
  { title: "JavaScript dependencies", run: ensureDependencies },
  { title: "Core for the browser", run: buildWasm },
  { title: "npm package", run: buildPackage },
  { title: "Demo page", run: buildDemo },
  { title: "ocelli, the binary", run: () => buildOcelli("release") },
];

/**
 * @param {"dev" | "release"} profile what is released is for the machine at hand
 * @param {RunOptions & { features?: string[] }} [options]
 */
export async function buildOcelli(profile, { features = [], env, ...options } = {}) {
  const args = ["build", "--package", "ocelli-sequencer", "--bin", "ocelli", "--profile", profile];
  const chosen = features.flatMap((feature) => ["--features", feature]);
  const flags = profile === "release" ? forThisMachine() : {};
  await must("cargo", [...args, ...chosen], { ...options, env: { ...env, ...flags } });
}

/**
 * Does what of it has not been done, and shows where it is.
 * @param {number} [count] how many of the steps
 */
export async function build(count = steps.length) {
  for (const [index, { title, run }] of steps.slice(0, count).entries()) {
    console.log(`[${index + 1}/${count}] ${title}`);
    await run();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  /** @type {[string, () => Promise<unknown>][]} */
  const parts = [["wasm", buildWasm], ["package", buildPackage]];
  const stops = new Map(parts);
  const last = stops.get(process.argv[2]) ?? steps.at(-1)?.run;
  await script(() => build(steps.findIndex(({ run }) => run === last) + 1));
}
