// Unit tests of the npm package in Node, against the built modules, and of what the demo page counts; `e2e` opens the page.

import { join } from "node:path";
import { buildPackage } from "../demo.js";
import { ensureDependencies } from "../dependencies.js";
import { filesEnding } from "../node_test.js";
import { root } from "../paths.js";
import { ensureRust } from "../rust.js";
import { buildWasm } from "../wasm.js";

/** @type {import("../suite.js").Suite} */
export const unit = {
  name: "unit",
  about: "the npm package in Node, and what the page counts",
  folders: ["wasm/js", "web-demo/src"],
  limitMinutes: 15,
  async run(bench) {
    await ensureDependencies(bench.options);
    await ensureRust(bench.options);
    await buildWasm(bench.options);
    await buildPackage(bench.options);
    for (const folder of ["wasm/js", "web-demo/src"]) {
      await bench.nodeTest(folder, filesEnding(join(root, folder), ".test.ts"), { timeoutMs: 60_000 });
    }
  },
};
