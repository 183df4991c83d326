// The bindings in a real browser, through wasm-bindgen-test. `wasm/webdriver.json` says how the browser is started.

import { ensureChromium } from "../chromium.js";
import { ensureRust, wasmTarget } from "../rust.js";
import { ensureWasmBindgen } from "../wasm.js";

/** For all tests of the crate together; the runner's own limit of 20 s is for machines that do nothing else. */
const BROWSER_SECONDS = "300";

/** @type {import("../suite.js").Suite} */
export const wasm = {
  name: "wasm",
  about: "the bindings in headless Chromium",
  folders: ["wasm"],
  limitMinutes: 20,
  async run(bench) {
    await ensureRust(bench.options);
    await ensureWasmBindgen(bench.options);
    const { driver } = await ensureChromium(bench.options);
    const env = {
      CHROMEDRIVER: driver,
      WASM_BINDGEN_USE_BROWSER: "1",
      WASM_BINDGEN_TEST_TIMEOUT: BROWSER_SECONDS,
      // They would replace the flags in .cargo/config.toml.
      RUSTFLAGS: undefined,
      CARGO_ENCODED_RUSTFLAGS: undefined,
    };
    const args = ["--package", "ocelli-wasm", "--target", wasmTarget, "--lib", "--tests"];
    await bench.cargoTest("ocelli-wasm in Chromium", args, { env });
  },
};
