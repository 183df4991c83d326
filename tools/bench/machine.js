// Where and of what figures were taken: the machine, the commit, the tools and their flags.

import { readFileSync } from "node:fs";
import { arch, cpus, loadavg, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { output } from "../command.js";
import { root } from "../paths.js";
import { cpuFeatures, forThisMachine } from "../rust.js";

/** CPU features that decide which kernels run, as Linux names them. */
const FEATURES = ["bmi2", "adx", "avx", "avx2", "fma", "avx512f", "avx512vl", "avx512ifma", "avx512_vbmi2", "sha_ni", "vaes"];

/**
 * Facts by name, for people.
 * @returns {Promise<[string, string][]>}
 */
export async function machine() {
  const [load] = loadavg();
  const rustFlags = { ...process.env, ...forThisMachine() }.RUSTFLAGS ?? "";
  const facts = [
    ["Processor", `${cpus()[0]?.model.trim() ?? "unknown"}, ${cpus().length} cores, ${arch()}`],
    ["Its features", features()],
    ["Memory", `${Math.round(totalmem() / 2 ** 30)} GiB`],
    ["System", `${platform()} ${release()}`],
    ["Load when it began", `${load.toFixed(2)} processes that want to run, for ${cpus().length} cores`],
    ["Date", `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`],
    ["Commit", await commit()],
    ["Rust", (await output("rustc", ["--version"])) ?? "unknown"],
    ["Flags", `${profile("release")}; RUSTFLAGS=${rustFlags}; wasm: ${profile("wasm")}, then wasm-opt -O3`],
    ["Node", process.version],
  ];
  return /** @type {[string, string][]} */ (facts);
}

async function commit() {
  const hash = (await output("git", ["rev-parse", "HEAD"])) ?? "unknown";
  // What is measured is what is built; the document itself is no part of that.
  const changed = await output("git", ["status", "--porcelain", "--", ".", ":!docs"]);
  return changed ? `${hash}, with changes that are not committed` : hash;
}

/** The CPU features of the list above that there are. */
function features() {
  const found = cpuFeatures();
  return FEATURES.filter((feature) => found.includes(feature)).join(" ") || "none that kernels use, or unknown";
}

/** The settings of a cargo profile, in one line. @param {string} name */
function profile(name) {
  const text = readFileSync(join(root, "Cargo.toml"), "utf8");
  const section = text.split(`[profile.${name}]\n`)[1]?.split(/\n\s*\n|\n\[/)[0] ?? "";
  const settings = section.split("\n").filter((line) => line.includes("=")).join(", ");
  return `profile ${name} (${settings.replaceAll(/\s*=\s*/g, "=")})`;
}
