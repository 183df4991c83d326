// `npm run bench`: `ocelli bench` with an optimised binary. `npm run bench:browser`: the same work in a tab, through the
// built npm package. Arguments after `--` are passed on.

import { join } from "node:path";
import { buildOcelli } from "./build.js";
import { ensureChromium } from "./chromium.js";
import { must } from "./command.js";
import { buildPackage } from "./demo.js";
import { ensureDependencies } from "./dependencies.js";
import { ocelliBinary, root } from "./paths.js";
import { ensureRust } from "./rust.js";
import { script } from "./script.js";
import { buildWasm } from "./wasm.js";

const [where, ...args] = process.argv.slice(2);
await script(async () => {
  await ensureRust();
  await (where === "browser" ? benchBrowser() : benchNative());
});

async function benchNative() {
  await buildOcelli("release");
  await must(ocelliBinary("release"), ["bench", ...args]);
}

async function benchBrowser() {
  await ensureDependencies();
  const { browser } = await ensureChromium();
  await buildWasm();
  await buildPackage();
  const bench = join(root, "tests", "e2e", "bench.ts");
  await must(process.execPath, ["--import", "tsx", bench, ...args], { env: { CHROMIUM: browser } });
}
