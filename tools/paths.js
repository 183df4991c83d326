// Where things are in the repository and what the build makes of them. All paths are absolute.

import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** cargo's output; `CARGO_TARGET_DIR` moves it, as it does for cargo itself. */
export const targetDir = resolve(root, process.env.CARGO_TARGET_DIR ?? "target");

/** Command line tools that the build installs for itself. `.cargo/config.toml` names this folder too. */
export const installedTools = join(root, "target", "tools");

export const wasmCrate = join(root, "wasm");
export const wasmDist = join(wasmCrate, "dist");
export const webDemo = join(root, "web-demo");
export const webDemoDist = join(webDemo, "dist");

/**
 * The `ocelli` binary as cargo leaves it.
 * @param {"dev" | "release"} profile
 */
export function ocelliBinary(profile) {
  return process.env.OCELLI_BIN ?? join(targetDir, profile === "dev" ? "debug" : profile, "ocelli");
}
