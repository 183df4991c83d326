/** What both entry points export besides `createVerifier`. */

export {
  CoreError,
  EndpointError,
  EnvironmentError,
  OcelliError,
  type OcelliErrorCode,
  WorkerError,
} from "./errors.js";
export type { Bytes, Hex } from "./api.js";
export type { BlockInfo, TaskInfo, TaskKind } from "./base/ocelli.js";
export { hasRelaxedSimd } from "./has_relaxed_simd.js";
export { hasWideArithmetic } from "./has_wide_arithmetic.js";
export { wideModuleUrl } from "./module_url.js";
export type { From } from "./follower.js";
export type { VerifierOptions } from "./options.js";
export type { ChainInfo, Delegation } from "./protocol.js";
export type { By, Verifier, VerifierEvents, VerifierStatus } from "./verifier.js";
export type { WorkerLike } from "./worker_client.js";
