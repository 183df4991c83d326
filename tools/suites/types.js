// The type-checker over all TypeScript, and over the tools, whose types are in comments. It needs the types that
// wasm-bindgen makes of the Rust sources.

import { join } from "node:path";
import { buildPackage } from "../demo.js";
import { ensureDependencies } from "../dependencies.js";
import { root } from "../paths.js";
import { ensureRust } from "../rust.js";
import { buildWasm } from "../wasm.js";

const TSC = join(root, "node_modules", "typescript", "bin", "tsc");

/** @type {import("../suite.js").Suite} */
export const types = {
  name: "types",
  about: "TypeScript's type-checker",
  folders: ["wasm", "web-demo", "tests/e2e", "tests/verdicts", "tools"],
  limitMinutes: 20,
  async run(bench) {
    await ensureDependencies(bench.options);
    await bench.check("tools", process.execPath, [TSC, "--noEmit", "--project", "tools"]);
    await ensureRust(bench.options);
    await buildWasm(bench.options);
    await buildPackage(bench.options);
    for (const folder of ["wasm", "web-demo", "tests/e2e", "tests/verdicts"]) {
      await bench.check(folder, process.execPath, [TSC, "--noEmit", "--project", folder]);
    }
  },
};
