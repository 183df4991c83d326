// Builds the crate `ocelli-wasm` into `wasm/dist/<variant>/`: `ocelli_bg.wasm`, and for the first variant the bindings that all
// share, an ES module `ocelli.js` and its types.

import { readFileSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { must } from "./command.js";
import { root, targetDir, wasmCrate, wasmDist } from "./paths.js";
import { ensureCrateTool, lockedVersion, wasmTarget } from "./rust.js";
import { digest, unlessUpToDate } from "./up_to_date.js";

/** @typedef {import("./command.js").RunOptions} RunOptions */

/**
 * A build for browsers that have certain WebAssembly features. A browser refuses a whole module for one instruction that
 * it does not know, so each set of features is a module of its own.
 * @typedef {object} Variant
 * @property {string} name its folder in `wasm/dist`
 * @property {string[]} targetFeatures what rustc may use beyond its defaults for wasm32
 * @property {string[]} optimiserFeatures the same in the words of wasm-opt
 */

/**
 * `simd` is for Chromium since 114, Firefox since 145 and Node since 22. Plain simd128 is in more browsers, but a module of its
 * own for them would be another download to test, and what it is faster at alone is Keccak-256.
 * @type {Variant[]}
 */
export const variants = [
  { name: "base", targetFeatures: [], optimiserFeatures: [] },
  { name: "simd", targetFeatures: ["simd128", "relaxed-simd"], optimiserFeatures: ["simd", "relaxed-simd"] },
];

/** rustc's defaults for wasm32: what every browser since 2022 has. */
const BASE_FEATURES = [
  "bulk-memory",
  "bulk-memory-opt",
  "multivalue",
  "mutable-globals",
  "nontrapping-float-to-int",
  "reference-types",
  "sign-ext",
];

/**
 * The version of wasm-bindgen's command line must be that of the library: the two share an unstable format.
 * @param {RunOptions} [options]
 * @returns {Promise<string>} the path of the binary
 */
export async function ensureWasmBindgen(options) {
  const version = lockedVersion("wasm-bindgen");
  if (version === undefined) throw new Error("Cargo.lock holds no wasm-bindgen: the crate `wasm` is missing");
  return ensureCrateTool({ crate: "wasm-bindgen-cli", binary: "wasm-bindgen", version }, options);
}

/**
 * Builds the variants whose inputs have changed, side by side: the longest step of each, which optimises the whole module at
 * once, takes one core.
 * @param {RunOptions} [options]
 */
export async function buildWasm(options) {
  const sources = ["Cargo.lock", "Cargo.toml", "rust-toolchain.toml", ".cargo", "core", "tools/wasm.js"];
  const rust = ["Cargo.toml", "build.rs", "src"].map((path) => join("wasm", path));
  const inputs = [...sources, ...rust].map((path) => join(root, path));
  const jobs = variants.map((variant) => {
    const out = join(wasmDist, variant.name);
    const outputs = [join(out, "ocelli_bg.wasm"), ...(variant === variants[0] ? [join(out, "ocelli.js")] : [])];
    return { variant, out, name: `wasm-${variant.name}`, inputs: digest(inputs, JSON.stringify(variant)), outputs };
  });
  /** @type {Promise<string> | undefined} */
  let installed;
  const bindgen = () => (installed ??= ensureWasmBindgen(options));
  await Promise.all(jobs.map((job) => unlessUpToDate(job, () => buildVariant(job.variant, job.out, bindgen, options))));
  for (const { variant, out } of jobs.slice(1)) shareBindings(variant, out);
}

/**
 * @param {Variant} variant
 * @param {string} out
 * @param {() => Promise<string>} bindgen
 * @param {RunOptions} [options]
 */
async function buildVariant(variant, out, bindgen, options) {
  const tool = await bindgen();
  const module = await compile(variant, options);
  rmSync(out, { recursive: true, force: true });
  await must(tool, ["--target", "web", "--out-name", "ocelli", "--out-dir", out, module], options);
  await optimise(variant, join(out, "ocelli_bg.wasm"), options);
  console.log(`Built wasm/dist/${variant.name}: ${readdirSync(out).join(", ")}`);
}

/**
 * What tells cargo which features it may compile for.
 * @param {Variant} variant
 */
export function featureFlags({ targetFeatures }) {
  if (targetFeatures.length === 0) return [];
  // `--config` adds to the flags in `.cargo/config.toml`, where the variable RUSTFLAGS would replace them.
  const flags = ["-C", `target-feature=${targetFeatures.map((feature) => `+${feature}`).join(",")}`];
  return ["--config", `target.${wasmTarget}.rustflags=${JSON.stringify(flags)}`];
}

/**
 * Removes the bindings beside a module, which are those of the first variant: scripts import one, and load any of the modules.
 * @param {Variant} variant
 * @param {string} out
 */
function shareBindings(variant, out) {
  for (const file of readdirSync(out).filter((name) => name !== "ocelli_bg.wasm")) {
    const [own, shared] = [out, join(wasmDist, variants[0].name)].map((folder) => readFileSync(join(folder, file), "utf8"));
    if (own !== shared) throw new Error(`${join(out, file)} is not the one of ${variants[0].name}: they need one each`);
    rmSync(join(out, file));
  }
}

/**
 * @param {Variant} variant
 * @param {RunOptions} [options]
 * @returns {Promise<string>} the path of the module
 */
async function compile(variant, options) {
  const args = ["build", "--package", "ocelli-wasm", "--lib", "--profile", "wasm", "--target", wasmTarget];
  args.push(...featureFlags(variant));
  // A folder of its own: cargo lets nobody else into one where it builds.
  const folder = variant === variants[0] ? targetDir : join(targetDir, `wasm-${variant.name}`);
  const env = { CARGO_TARGET_DIR: folder, RUSTFLAGS: undefined, CARGO_ENCODED_RUSTFLAGS: undefined };
  await must("cargo", args, { ...options, env });
  return join(folder, wasmTarget, "wasm", "ocelli_wasm.wasm");
}

/**
 * @param {Variant} variant
 * @param {string} module changed in place
 * @param {RunOptions} [options]
 */
async function optimise({ optimiserFeatures }, module, options) {
  const features = [...BASE_FEATURES, ...optimiserFeatures].map((feature) => `--enable-${feature}`);
  // The names and features that these sections list are a third of the download, and no browser reads them.
  const strip = ["--strip-debug", "--strip-producers", "--strip-target-features"];
  const args = ["-O3", ...features, ...strip, module, "-o", `${module}.optimised`];
  await must(process.execPath, [join(root, "node_modules", "binaryen", "bin", "wasm-opt"), ...args], options);
  renameSync(`${module}.optimised`, module);
}
