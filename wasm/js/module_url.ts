import { hasRelaxedSimd } from "./has_relaxed_simd.js";
import { hasWideArithmetic } from "./has_wide_arithmetic.js";

/** Where the fastest of the proven modules is that runs here. Only that one is downloaded. */
export function moduleUrl(): URL {
  // Each in one expression, because bundlers look for them.
  if (hasRelaxedSimd()) return new URL("./simd/ocelli_bg.wasm", import.meta.url);
  return new URL("./base/ocelli_bg.wasm", import.meta.url);
}

/**
 * Where the module for wide arithmetic is, if it runs here: `createVerifier({ url, wasmUrl: wideModuleUrl() })` takes it, or the
 * usual one where this is undefined. It is not taken by itself as long as its compiler calls the feature unstable.
 */
export function wideModuleUrl(): URL | undefined {
  return hasWideArithmetic() ? new URL("./wide/ocelli_bg.wasm", import.meta.url) : undefined;
}
