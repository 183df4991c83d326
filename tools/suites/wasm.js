// The bindings and the kernels in a real browser, through wasm-bindgen-test, with all that the browser's module may use.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromiumArguments, ensureChromium } from "../chromium.js";
import { targetDir } from "../paths.js";
import { ensureRust, wasmTarget } from "../rust.js";
import { ensureWasmBindgen, featureFlags, variants } from "../wasm.js";

/** For all tests of the crate together; the runner's own limit of 20 s is for machines that do nothing else. */
const BROWSER_SECONDS = "300";

/** @type {import("../suite.js").Suite} */
export const wasm = {
  name: "wasm",
  about: "the bindings and the kernels in headless Chromium",
  folders: ["wasm"],
  limitMinutes: 20,
  async run(bench) {
    await ensureRust(bench.options);
    await ensureWasmBindgen(bench.options);
    const chromium = await ensureChromium(bench.options);
    const env = {
      CHROMEDRIVER: chromium.driver,
      WASM_BINDGEN_TEST_WEBDRIVER_JSON: writeCapabilities(chromium),
      WASM_BINDGEN_USE_BROWSER: "1",
      WASM_BINDGEN_TEST_TIMEOUT: BROWSER_SECONDS,
      // They would replace the flags in .cargo/config.toml.
      RUSTFLAGS: undefined,
      CARGO_ENCODED_RUSTFLAGS: undefined,
    };
    const features = featureFlags(variants[variants.length - 1]);
    const args = ["--package", "ocelli-wasm", "--target", wasmTarget, "--lib", "--tests", ...features];
    await bench.cargoTest("ocelli-wasm in Chromium", args, { env });
  },
};

/**
 * Tells chromedriver which browser to start and how; it adds an empty profile itself.
 * @param {import("../chromium.js").Chromium} chromium
 * @returns {string} the file for wasm-bindgen's runner
 */
function writeCapabilities({ browser }) {
  const file = join(targetDir, "webdriver.json");
  mkdirSync(targetDir, { recursive: true });
  writeFileSync(file, JSON.stringify({ "goog:chromeOptions": { binary: browser, args: chromiumArguments } }));
  return file;
}
