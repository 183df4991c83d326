// The Rust toolchain that rust-toolchain.toml names, and command line tools that are built from crates.

import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { must, output } from "./command.js";
import { hasAptGet, aptInstall } from "./debian.js";
import { installedTools, root } from "./paths.js";

/** @typedef {import("./command.js").RunOptions} RunOptions */

export const wasmTarget = "wasm32-unknown-unknown";

/**
 * Makes sure that cargo, all that rust-toolchain.toml names and a linker are there.
 * @param {RunOptions} [options]
 */
export async function ensureRust(options) {
  addCargoToPath();
  if ((await output("rustup", ["--version"], options)) === undefined) {
    throw new Error("Rust is missing: install rustup from https://rustup.rs and run this again");
  }
  await ensureToolchain(namedToolchain(), options);
  await ensureLinker(options);
}

/**
 * Makes sure that the core can be compiled for targets beyond those that rust-toolchain.toml names.
 * @param {string[]} targets
 * @param {RunOptions} [options]
 */
export async function ensureTargets(targets, options) {
  const { channel } = namedToolchain();
  await ensureToolchain({ channel, components: [], targets }, options);
}

/**
 * Makes sure that there is a toolchain beside the one that rust-toolchain.toml names, if it is to be had.
 * @param {string} channel
 * @param {string[]} targets
 * @param {RunOptions} [options]
 * @returns {Promise<boolean>} whether it is there
 */
export async function findToolchain(channel, targets, options) {
  return ensureToolchain({ channel, components: [], targets }, options).then(
    () => true,
    () => false,
  );
}

/** What Linux calls the instruction sets of x86-64-v3 (System V ABI, AMD64 supplement, 3.1.1). */
const X86_64_V3 = ["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"];

/**
 * What has cargo compile for the level of x86-64 that the machine at hand is of, v3 or any; docs/decisions.md says why not for all that
 * it has. Whoever sets RUSTFLAGS decides.
 * @param {string[]} [features] what the processor can do
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {NodeJS.ProcessEnv} to be set on top of `env`
 */
export function forThisMachine(features = cpuFeatures(), env = process.env) {
  const isV3 = X86_64_V3.every((feature) => features.includes(feature));
  return isV3 && env.RUSTFLAGS === undefined ? { RUSTFLAGS: "-C target-cpu=x86-64-v3" } : {};
}

/** What the processor can do, as Linux names it; nothing on other systems. @returns {string[]} */
export function cpuFeatures() {
  try {
    return readFileSync("/proc/cpuinfo", "utf8").match(/^flags\s*:(.*)$/m)?.[1].split(/\s+/) ?? [];
  } catch {
    return [];
  }
}

/** The target that cargo builds for when it is told nothing. @returns {Promise<string | undefined>} */
export async function hostTarget() {
  return (await output("rustc", ["-vV"]))?.match(/^host: (\S+)$/m)?.[1];
}

/**
 * Builds and installs a tool from crates.io under `target/tools`, unless it is there in this very version.
 * @param {{ crate: string, binary: string, version: string }} tool
 * @param {RunOptions} [options]
 * @returns {Promise<string>} the path of its binary
 */
export async function ensureCrateTool({ crate, binary, version }, options) {
  const path = join(installedTools, "bin", binary);
  const words = existsSync(path) ? await output(path, ["--version"], options) : undefined;
  if (words?.split(/\s+/).includes(version)) return path;
  console.log(`Installing ${crate} ${version} (once, takes some minutes)`);
  const args = ["install", crate, "--version", `=${version}`, "--locked", "--force", "--root", installedTools];
  // It runs for seconds and is compiled for minutes: hardly optimised it costs the least.
  const env = { RUSTFLAGS: undefined, CARGO_PROFILE_RELEASE_OPT_LEVEL: "1", CARGO_PROFILE_RELEASE_LTO: "off" };
  await must("cargo", args, { ...options, env });
  return path;
}

/**
 * @param {string} crate
 * @returns {string | undefined} the version that Cargo.lock holds of it
 */
export function lockedVersion(crate) {
  const lock = readFileSync(join(root, "Cargo.lock"), "utf8");
  return lock.match(new RegExp(`name = "${crate}"\nversion = "([^"]+)"`))?.[1];
}

/** rustup's installer changes the PATH of later shells only. */
function addCargoToPath() {
  const bin = join(process.env.CARGO_HOME ?? join(homedir(), ".cargo"), "bin");
  const path = (process.env.PATH ?? "").split(delimiter);
  if (existsSync(bin) && !path.includes(bin)) process.env.PATH = [...path, bin].join(delimiter);
}

/**
 * @typedef {object} Toolchain
 * @property {string} channel
 * @property {string[]} components
 * @property {string[]} targets
 */

/** @returns {Toolchain} what rust-toolchain.toml names */
function namedToolchain() {
  const file = readFileSync(join(root, "rust-toolchain.toml"), "utf8");
  const words = (/** @type {string} */ key) =>
    Array.from(file.match(new RegExp(`^${key} = (.*)$`, "m"))?.[1].matchAll(/"([^"]+)"/g) ?? [], ([, word]) => word);
  const [channel] = words("channel");
  return { channel, components: words("components"), targets: words("targets") };
}

/**
 * rustup would install what is missing when cargo is first called, or not, depending on its version and settings.
 * @param {Toolchain} toolchain
 * @param {RunOptions} [options]
 */
async function ensureToolchain({ channel, components, targets }, options) {
  const listed = await output("rustup", ["component", "list", "--installed", "--toolchain", channel], options);
  const there = listed?.split("\n") ?? [];
  const needed = ["rustc", ...components, ...targets.map((target) => `rust-std-${target}`)];
  if (needed.every((name) => there.some((entry) => entry === name || entry.startsWith(`${name}-`)))) return;
  const parts = [...components.flatMap((name) => ["--component", name]), ...targets.flatMap((t) => ["--target", t])];
  await must("rustup", ["toolchain", "install", channel, "--profile", "minimal", "--no-self-update", ...parts], options);
}

/** @param {RunOptions} [options] */
async function ensureLinker(options) {
  if ((await output("cc", ["--version"], options)) !== undefined) return;
  if (!hasAptGet()) throw new Error("Rust needs a C linker and there is no `cc`: install gcc or clang");
  await aptInstall(["gcc", "libc6-dev"], options);
}
