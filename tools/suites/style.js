// Formatting and lints, where the lints are those of the workspace and every warning is an error.

import { ensureRust, wasmTarget } from "../rust.js";

const DENY_WARNINGS = ["--", "-D", "warnings"];

/** @type {import("../suite.js").Suite} */
export const style = {
  name: "style",
  about: "rustfmt and clippy, on the host and for the browser",
  folders: ["core", "native-sequencer", "tests", "wasm"],
  limitMinutes: 15,
  async run(bench) {
    await ensureRust(bench.options);
    await bench.check("rustfmt", "cargo", ["fmt", "--all", "--check"]);
    const lint = ["clippy", "--all-targets"];
    // With the peers of measurements, which no other suite compiles; the few lines that stand for them otherwise `npm run check` lints.
    await bench.check("clippy", "cargo", [...lint, "--workspace", "--features", "ocelli-sequencer/peers", ...DENY_WARNINGS]);
    const browser = ["--package", "ocelli-wasm", "--target", wasmTarget];
    await bench.check("clippy for the browser", "cargo", [...lint, ...browser, ...DENY_WARNINGS]);
  },
};
