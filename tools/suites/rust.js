// Unit tests, documentation tests and the crate `tests`, all natively.

import { ensureRust } from "../rust.js";

/** @type {import("../suite.js").Suite} */
export const rust = {
  name: "rust",
  about: "cargo test --workspace",
  folders: ["core", "native-sequencer", "tests"],
  limitMinutes: 40,
  async run(bench) {
    await ensureRust(bench.options);
    await bench.cargoTest("cargo test --workspace", ["--workspace"]);
  },
};
