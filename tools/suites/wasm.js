// The bindings and the kernels in a real browser, through wasm-bindgen-test, with all that any of the browser's modules may use;
// the kernels with what the plain one may use, too, because those are others.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromiumArguments, ensureChromium, takesWideArithmetic, wideArithmetic } from "../chromium.js";
import { targetDir } from "../paths.js";
import { ensureRust, wasmTarget } from "../rust.js";
import { compilable, compiler, ensureWasmBindgen } from "../wasm.js";

/** For all tests of the crate together; the runner's own limit of 20 s is for machines that do nothing else. */
const BROWSER_SECONDS = "300";
/** The tests of kernels. */
const KERNELS = "kernels_in_a_browser_are_the_portable_ones";

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
    const wide = await takesWideArithmetic(chromium.browser);
    const variants = (await compilable(bench.options)).filter(({ name }) => wide || name !== "wide");
    const [plain, last] = [variants.at(0), variants.at(-1)];
    if (plain === undefined || last === undefined) throw new Error("no module can be compiled");
    if (last.name !== "wide") bench.skip("this Chromium or this machine's Rust has no wide arithmetic: the kernels were run without");
    const browser = {
      CHROMEDRIVER: chromium.driver,
      WASM_BINDGEN_TEST_WEBDRIVER_JSON: writeCapabilities(chromium),
      WASM_BINDGEN_USE_BROWSER: "1",
      WASM_BINDGEN_TEST_TIMEOUT: BROWSER_SECONDS,
    };
    const args = ["--package", "ocelli-wasm", "--target", wasmTarget];
    await bench.cargoTest("ocelli-wasm in Chromium", [...args, "--lib", "--tests"], { env: { ...browser, ...compiler(last) } });
    await bench.cargoTest("plain kernels in Chromium", [...args, "--test", KERNELS], { env: { ...browser, ...compiler(plain) } });
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
  writeFileSync(file, JSON.stringify({ "goog:chromeOptions": { binary: browser, args: [...chromiumArguments, wideArithmetic] } }));
  return file;
}
