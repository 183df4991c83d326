// Unit tests of the npm package in Node, against the built modules. The demo page holds no logic of its own; `e2e` opens it.

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
  about: "the npm package in Node",
  folders: ["wasm/js"],
  limitMinutes: 15,
  async run(bench) {
    await ensureDependencies(bench.options);
    await ensureRust(bench.options);
    await buildWasm(bench.options);
    await buildPackage(bench.options);
    await bench.nodeTest("wasm/js", filesEnding(join(root, "wasm", "js"), ".test.ts"), { timeoutMs: 60_000 });
  },
};
