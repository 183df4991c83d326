// Builds the crate `ocelli-wasm` into `wasm/dist/<variant>/`: `ocelli_bg.wasm`, and for the first variant the bindings that all
// share, an ES module `ocelli.js` and its types. And its examples for every variant, into whatever folder.

import { cpSync, readFileSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { must } from "./command.js";
import { root, targetDir, wasmCrate, wasmDist } from "./paths.js";
import { ensureCrateTool, findToolchain, lockedVersion, wasmTarget } from "./rust.js";
import { digest, forget, unlessUpToDate } from "./up_to_date.js";

/** @typedef {import("./command.js").RunOptions} RunOptions */

/**
 * A build for browsers that have certain WebAssembly features. A browser refuses a whole module for one instruction that
 * it does not know, so each set of features is a module of its own.
 * @typedef {object} Variant
 * @property {string} name its folder in `wasm/dist`
 * @property {string[]} targetFeatures what rustc may use beyond its defaults for wasm32
 * @property {string[]} optimiserFeatures the same in the words of wasm-opt
 * @property {32 | 64} limbs how many bits the limbs of `k256` have: as many as the features can multiply at once
 * @property {string} [toolchain] what compiles it, if not what rust-toolchain.toml names
 *
 * @typedef {object} Artifact what is built of the crate
 * @property {string} name of the module and its bindings
 * @property {string[]} select it, in cargo's words
 * @property {string} file in the folder of the profile
 */

/**
 * `simd` is for Chromium since 114, Firefox since 145 and Node since 22. Plain simd128 is in more browsers, but a module of its
 * own for them would be another download to test, and what it is faster at alone is Keccak-256. `wide` is for engines that have
 * wide arithmetic besides. LLVM 22 compiles it wrongly (llvm/llvm-project#199910: `u128::saturating_add` gives other sums), so it
 * needs a Rust with LLVM 23. rustc warns of the feature once a crate: it is stable in WebAssembly and not yet in Rust.
 * @type {Variant[]}
 */
export const variants = [
  { name: "base", targetFeatures: [], optimiserFeatures: [], limbs: 32 },
  { name: "simd", targetFeatures: ["simd128", "relaxed-simd"], optimiserFeatures: ["simd", "relaxed-simd"], limbs: 32 },
  {
    name: "wide",
    targetFeatures: ["simd128", "relaxed-simd", "wide-arithmetic"],
    optimiserFeatures: ["simd", "relaxed-simd", "wide-arithmetic"],
    limbs: 64,
    toolchain: "1.99.1",
  },
];

/** @type {Artifact} */
const LIBRARY = { name: "ocelli", select: ["--lib"], file: "ocelli_wasm.wasm" };

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
 * once, takes one core. Where the toolchain of one is not to be had, the module of the variant before stands in for it: what
 * runs the one runs the other.
 * @param {RunOptions} [options]
 * @returns {Promise<string[]>} for whom others stand in, in words
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
  /** @type {string[]} */
  const standIns = [];
  /** @type {Promise<string> | undefined} */
  let installed;
  const bindgen = () => (installed ??= ensureWasmBindgen(options));
  const build = async (/** @type {typeof jobs[number]} */ { variant, out }) => {
    await buildVariant(variant, LIBRARY, out, await bindgen(), options);
    console.log(`Built wasm/dist/${variant.name}: ${readdirSync(out).join(", ")}`);
  };
  const buildable = await compilable(options);
  await Promise.all(jobs.filter(({ variant }) => buildable.includes(variant)).map((job) => unlessUpToDate(job, () => build(job))));
  for (const [at, { name, variant, out }] of jobs.entries()) {
    if (buildable.includes(variant)) continue;
    forget(name);
    cpSync(join(jobs[at - 1].out, "ocelli_bg.wasm"), join(out, "ocelli_bg.wasm"));
    standIns.push(`wasm/dist/${variant.name} is a copy of ${jobs[at - 1].variant.name}: Rust ${variant.toolchain} is missing`);
  }
  for (const standIn of standIns) console.log(standIn);
  for (const { variant, out } of jobs.slice(1)) shareBindings(variant, out);
  return standIns;
}

/**
 * The variants whose toolchain is there.
 * @param {RunOptions} [options]
 */
export async function compilable(options) {
  /** @type {Variant[]} */
  const found = [];
  for (const variant of variants) {
    const { toolchain } = variant;
    if (toolchain === undefined || (await findToolchain(toolchain, [wasmTarget], options))) found.push(variant);
  }
  return found;
}

/**
 * Builds an example of the crate for every variant whose toolchain is there, with bindings each, into a folder of `out` each.
 * @param {string} name
 * @param {string} out
 * @param {RunOptions} [options]
 */
export async function buildExample(name, out, options) {
  const tool = await ensureWasmBindgen(options);
  rmSync(out, { recursive: true, force: true });
  const artifact = { name, select: ["--example", name], file: join("examples", `${name}.wasm`) };
  const buildable = await compilable(options);
  await Promise.all(buildable.map((variant) => buildVariant(variant, artifact, join(out, variant.name), tool, options)));
}

/**
 * @param {Variant} variant
 * @param {Artifact} artifact
 * @param {string} out
 * @param {string} bindgen
 * @param {RunOptions} [options]
 */
async function buildVariant(variant, artifact, out, bindgen, options) {
  const module = await compile(variant, artifact, options);
  rmSync(out, { recursive: true, force: true });
  await must(bindgen, ["--target", "web", "--out-name", artifact.name, "--out-dir", out, module], options);
  await optimise(variant, join(out, `${artifact.name}_bg.wasm`), options);
}

/**
 * What tells cargo with what to compile and for which features, and how large limbs are to be, in place of `.cargo/config.toml`:
 * that has the flags of the first variant, and what is asked for otherwise would come on top of them.
 * @param {Variant} variant
 * @returns {NodeJS.ProcessEnv}
 */
export function compiler({ targetFeatures, limbs, toolchain }) {
  const flags = ["--cfg", `cpubits="${limbs}"`];
  if (targetFeatures.length > 0) flags.push("-C", `target-feature=${targetFeatures.map((feature) => `+${feature}`).join(",")}`);
  const env = { RUSTFLAGS: undefined, CARGO_ENCODED_RUSTFLAGS: flags.join("\x1f") };
  return toolchain === undefined ? env : { ...env, RUSTUP_TOOLCHAIN: toolchain };
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
 * @param {Artifact} artifact
 * @param {RunOptions} [options]
 * @returns {Promise<string>} the path of the module
 */
async function compile(variant, { select, file }, options) {
  const args = ["build", "--package", "ocelli-wasm", ...select, "--profile", "wasm", "--target", wasmTarget];
  // A folder of its own: cargo lets nobody else into one where it builds.
  const folder = variant === variants[0] ? targetDir : join(targetDir, `wasm-${variant.name}`);
  const env = { CARGO_TARGET_DIR: folder, ...compiler(variant) };
  await must("cargo", args, { ...options, env });
  return join(folder, wasmTarget, "wasm", file);
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
