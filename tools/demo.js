// Builds the npm package's TypeScript and the demo page, for which the wasm module must have been built.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { must } from "./command.js";
import { root, wasmCrate, wasmDist, webDemo, webDemoDist } from "./paths.js";
import { digest, unlessUpToDate } from "./up_to_date.js";
import { variants } from "./wasm.js";

/** @typedef {import("./command.js").RunOptions} RunOptions */

const LOCK = join(root, "package-lock.json");

/**
 * Runs the script `build` of the npm package: `wasm/js` to `wasm/dist`, beside the modules.
 * @param {RunOptions} [options]
 */
export async function buildPackage(options) {
  const inputs = digest([LOCK, wasmCrate, ...modules()]);
  await buildWorkspace({ name: "package", folder: wasmCrate, inputs, outputs: [join(wasmDist, "index.js")] }, options);
}

/**
 * Runs the script `build` of the demo page.
 * @param {RunOptions} [options]
 */
export async function buildDemo(options) {
  const inputs = digest([LOCK, webDemo, wasmCrate, ...modules()]);
  await buildWorkspace({ name: "demo", folder: webDemo, inputs, outputs: [join(webDemoDist, "index.html")] }, options);
}

/**
 * @param {{ name: string, folder: string, inputs: string, outputs: string[] }} job
 * @param {RunOptions} [options]
 */
async function buildWorkspace({ folder, ...job }, options) {
  const manifest = join(folder, "package.json");
  if (!existsSync(manifest)) throw new Error(`${manifest} is missing`);
  if (JSON.parse(readFileSync(manifest, "utf8")).scripts?.build === undefined) {
    throw new Error(`${manifest} has no script "build"`);
  }
  await unlessUpToDate(job, () => must("npm", ["run", "build"], { ...options, cwd: folder }));
}

/** The modules that wasm.js built; `digest` leaves out a folder `dist` inside of others but not when it is asked for. */
function modules() {
  return variants.map(({ name }) => join(wasmDist, name));
}
