// The whole: the binary, the page it serves, real wallets' libraries and a real browser.

import { join } from "node:path";
import { buildOcelli } from "../build.js";
import { ensureChromium } from "../chromium.js";
import { buildDemo, buildPackage } from "../demo.js";
import { ensureDependencies } from "../dependencies.js";
import { filesEnding } from "../node_test.js";
import { ocelliBinary, root } from "../paths.js";
import { ensureRust } from "../rust.js";
import { buildWasm } from "../wasm.js";

/** @type {import("../suite.js").Suite} */
export const e2e = {
  name: "e2e",
  about: "the binary, the page and a real Chromium",
  folders: ["native-sequencer", "tests/e2e", "wasm", "web-demo"],
  limitMinutes: 25,
  async run(bench) {
    await ensureDependencies(bench.options);
    const { browser } = await ensureChromium(bench.options);
    await ensureRust(bench.options);
    await buildWasm(bench.options);
    await buildPackage(bench.options);
    await buildDemo(bench.options);
    // With its assertions, and mostly compiled by the suite `rust` already.
    await buildOcelli("dev", bench.options);
    const env = { CHROMIUM: browser, OCELLI_BIN: ocelliBinary("dev") };
    const files = filesEnding(join(root, "tests", "e2e"), ".test.ts");
    await bench.nodeTest("tests/e2e", files, { timeoutMs: 600_000, env });
  },
};
