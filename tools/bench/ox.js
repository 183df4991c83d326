// The peer of signature recovery in a tab, in one file that the page imports: as it comes it is for bundlers.

import { fileURLToPath } from "node:url";
import { root } from "../paths.js";

/** @param {string} out the folder for `ox.js` */
export async function bundleOx(out) {
  // Not sooner: it may have been installed only now.
  const { build } = await import("vite");
  const entry = fileURLToPath(import.meta.resolve("ox/wasm/Secp256k1"));
  const lib = { entry, formats: /** @type {["es"]} */ (["es"]), fileName: "ox" };
  await build({ configFile: false, root, logLevel: "warn", build: { lib, outDir: out, emptyOutDir: true } });
}
