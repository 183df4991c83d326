// The built modules against the native core: every verdict on honest blocks, lies, flipped bits and Ethereum's
// state tests, with the plain module in Node and those for relaxed SIMD and for wide arithmetic in Chromium.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { ensureChromium } from "../chromium.js";
import { must } from "../command.js";
import { buildPackage } from "../demo.js";
import { ensureDependencies } from "../dependencies.js";
import { filesEnding } from "../node_test.js";
import { root, targetDir } from "../paths.js";
import { ensureRust } from "../rust.js";
import { buildWasm } from "../wasm.js";

/** Programs of the crate `tests`, each of which writes transcripts. */
const WRITERS = ["write_transcripts", "write_state_test_transcript"];

/** @type {import("../suite.js").Suite} */
export const verdicts = {
  name: "verdicts",
  about: "the built modules against the native core, verdict by verdict",
  folders: ["tests/verdicts"],
  limitMinutes: 20,
  async run(bench) {
    await ensureDependencies(bench.options);
    const { browser } = await ensureChromium(bench.options);
    await ensureRust(bench.options);
    for (const standIn of await buildWasm(bench.options)) bench.skip(standIn);
    await buildPackage(bench.options);
    const env = { CHROMIUM: browser, OCELLI_TRANSCRIPTS: join(targetDir, "transcripts") };
    rmSync(env.OCELLI_TRANSCRIPTS, { recursive: true, force: true });
    // With the features of the whole workspace, and so mostly compiled by the suite `rust` already.
    const bins = WRITERS.flatMap((writer) => ["--bin", writer]);
    await must("cargo", ["build", "--workspace", ...bins], bench.options);
    for (const writer of WRITERS) await bench.checkOrSkip(writer, join(targetDir, "debug", writer), [], { env });
    const files = filesEnding(join(root, "tests", "verdicts"), ".test.ts");
    await bench.nodeTest("tests/verdicts", files, { timeoutMs: 600_000, env });
  },
};
