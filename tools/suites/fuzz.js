// Each fuzz target for some seconds: long enough to find what a change broke outright, with the corpus kept in
// `target/fuzz` from run to run. cargo-fuzz needs a nightly compiler; without one the suite is skipped.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { output } from "../command.js";
import { fuzzCrate, targetDir } from "../paths.js";
import { ensureCrateTool, ensureRust } from "../rust.js";

const CARGO_FUZZ = { crate: "cargo-fuzz", binary: "cargo-fuzz", version: "0.13.2" };
const SECONDS_PER_TARGET = 15;

/** @type {import("../suite.js").Suite} */
export const fuzz = {
  name: "fuzz",
  about: "each fuzz target for a few seconds",
  folders: ["tests/fuzz"],
  limitMinutes: 12,
  async run(bench) {
    await ensureRust(bench.options);
    const missing = await whatIsMissing();
    if (missing) return bench.skip(missing);
    const cargoFuzz = await ensureCrateTool(CARGO_FUZZ, bench.options);
    const inNightly = { cwd: fuzzCrate, env: { RUSTUP_TOOLCHAIN: "nightly" } };
    const folder = ["--fuzz-dir", fuzzCrate];
    const targets = (await output(cargoFuzz, ["list", ...folder], inNightly))?.split("\n").filter(Boolean) ?? [];
    for (const target of targets) {
      const corpus = join(targetDir, "fuzz", "corpus", target);
      mkdirSync(corpus, { recursive: true });
      // Without a sanitizer: what is fuzzed is safe Rust, where a wrong index panics, and runs faster so.
      const build = [...folder, "--sanitizer", "none", "--target-dir", join(targetDir, "fuzz")];
      const limits = [`-max_total_time=${SECONDS_PER_TARGET}`, "-timeout=10", "-rss_limit_mb=2048"];
      const args = ["run", ...build, target, corpus, "--", ...limits];
      await bench.check(target, cargoFuzz, args, inNightly);
    }
  },
};

async function whatIsMissing() {
  if (!(await output("rustup", ["toolchain", "list"]))?.includes("nightly")) {
    return "no nightly toolchain (rustup toolchain install nightly)";
  }
  if ((await output("c++", ["--version"])) === undefined) return "no C++ compiler, which libFuzzer needs";
  return undefined;
}
