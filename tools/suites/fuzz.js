// The fuzz targets of `tests/fuzz`, each for some seconds: enough to find what breaks at once, and to keep them working.

import { readdirSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { delimiter, join } from "node:path";
import { must } from "../command.js";
import { root, targetDir } from "../paths.js";
import { ensureCrateTool, ensureRust } from "../rust.js";

const CARGO_FUZZ = { crate: "cargo-fuzz", binary: "cargo-fuzz", version: "0.13.2" };
const SECONDS_A_TARGET = 10;
/** What a target may take in memory, beside what the sanitizer takes for itself; a decoder that asks for more ends it. */
const MEGABYTES = 2048;

const folder = join(root, "tests", "fuzz");

/** @type {import("../suite.js").Suite} */
export const fuzz = {
  name: "fuzz",
  about: "the fuzz targets, for some seconds each",
  folders: ["tests/fuzz"],
  limitMinutes: 20,
  async run(bench) {
    const targets = readdirSync(join(folder, "targets")).map((file) => file.replace(/\.rs$/, ""));
    await ensureRust(bench.options);
    const cargoFuzz = await ensureCrateTool(CARGO_FUZZ, bench.options);
    // With the features of the whole workspace, and so mostly compiled by the suite `rust` already.
    await must("cargo", ["build", "--workspace", "--bin", "write_seeds"], bench.options);
    await must(join(targetDir, "debug", "write_seeds"), [], bench.options);
    const env = {
      // Instrumenting is not stable yet, but the compiler that makes what is released can do it: that one is to be fuzzed.
      RUSTC_BOOTSTRAP: "1",
      PATH: [join(cargoFuzz, ".."), process.env.PATH].join(delimiter),
      CARGO_TARGET_DIR: join(targetDir, "fuzz"),
    };
    await must(cargoFuzz, ["build", "--fuzz-dir", folder], { ...bench.options, cwd: folder, env });
    const limits = [`-max_total_time=${SECONDS_A_TARGET}`, `-rss_limit_mb=${MEGABYTES}`, "-timeout=10", "-verbosity=0"];
    // Each takes one core, and may take so much memory.
    const workers = Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / 2 ** 20 / MEGABYTES)));
    const worker = async () => {
      for (let target = targets.shift(); target !== undefined; target = targets.shift()) {
        await bench.check(target, cargoFuzz, ["run", "--fuzz-dir", folder, target, "--", ...limits], { cwd: folder, env });
      }
    };
    await Promise.all(Array.from({ length: workers }, worker));
  },
};
