import { hasRelaxedSimd } from "./has_relaxed_simd.js";
import { hasWideArithmetic } from "./has_wide_arithmetic.js";

/** Where the fastest module is that runs here. Only that one is downloaded. */
export function moduleUrl(): URL {
  // Each in one expression, because bundlers look for them.
  if (hasWideArithmetic()) return new URL("./wide/ocelli_bg.wasm", import.meta.url);
  if (hasRelaxedSimd()) return new URL("./simd/ocelli_bg.wasm", import.meta.url);
  return new URL("./base/ocelli_bg.wasm", import.meta.url);
}
