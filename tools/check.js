// `npm run check`: the quick checks before a commit. Formatting, lints, types.

import { join } from "node:path";
import { must } from "./command.js";
import { ensureDependencies } from "./dependencies.js";
import { root } from "./paths.js";
import { ensureRust } from "./rust.js";
import { script } from "./script.js";

const TSC = join(root, "node_modules", "typescript", "bin", "tsc");

await script(async () => {
  await ensureRust();
  await ensureDependencies();
  await must("cargo", ["fmt", "--all", "--check"]);
  for (const parts of [["--workspace"], ["--package", "ocelli-sequencer", "--features", "peers"]]) {
    await must("cargo", ["clippy", ...parts, "--all-targets", "--", "-D", "warnings"]);
  }
  for (const folder of ["tools", "wasm", "web-demo", "tests/e2e", "tests/verdicts"]) {
    await must(process.execPath, [TSC, "--noEmit", "--project", folder]);
  }
});
