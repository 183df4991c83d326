/** What can go wrong around a verifier. What is wrong with a block is an event, not an error. */

/** Stable names to react to; messages are for people and may change. */
export type OcelliErrorCode =
  | "CONNECTION_LOST"
  | "HTTP_STATUS"
  | "TOO_LARGE"
  | "ENDPOINT_LIED"
  | "MALFORMED"
  | "OTHER_CHAIN"
  | "OTHER_GENESIS"
  | "UNSUPPORTED_CHAIN"
  | "INVALID_ARGUMENT"
  | "NO_WEBASSEMBLY"
  | "WASM_NOT_COMPILED"
  | "NO_WEBSOCKET"
  | "NO_WORKER"
  | "WORKER_CRASHED"
  | "FELL_BEHIND"
  | "NOT_ATTESTED"
  | "CLOCK_BEHIND"
  | "STOPPED"
  | "INTERNAL";

export type OcelliErrorOptions = {
  readonly cause?: unknown;
  /** What the caller can do about it, if it differs from what the code says. */
  readonly advice?: string;
};

/** Every error of this package. `code` is stable; `advice` says what to do. */
export class OcelliError extends Error {
  readonly code: OcelliErrorCode;
  readonly advice: string;

  constructor(code: OcelliErrorCode, message: string, { cause, advice = ADVICE[code] }: OcelliErrorOptions = {}) {
    super(`${message}. ${advice}`, cause === undefined ? {} : { cause });
    this.name = new.target.name;
    this.code = code;
    this.advice = advice;
  }
}

type EndpointErrorOptions = {
  readonly url: string;
  readonly status?: number | undefined;
  readonly reason?: string;
  readonly retryAfterMs?: number;
};

/** The endpoint could not be reached, or it answered with a status other than success. */
export class EndpointError extends OcelliError {
  readonly url: string;
  /** The HTTP status, if there was an answer. */
  readonly status: number | undefined;
  /** The endpoint's own code for why it refused, such as `not_registered`; empty if it gave none. */
  readonly reason: string;
  /** How long to wait before the same is asked again, in milliseconds, if the endpoint said so; otherwise 0. */
  readonly retryAfterMs: number;

  constructor(
    code: "CONNECTION_LOST" | "HTTP_STATUS" | "TOO_LARGE" | "ENDPOINT_LIED" | "FELL_BEHIND",
    message: string,
    { url, status, reason = "", retryAfterMs = 0, ...options }: OcelliErrorOptions & EndpointErrorOptions,
  ) {
    super(code, message, options);
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
    this.url = url;
    this.status = status;
  }
}

/** The environment lacks what a verifier needs, or its policy forbids it. */
export class EnvironmentError extends OcelliError {}

/** A worker ended or stopped answering. It is replaced, and what it did is done again. */
export class WorkerError extends OcelliError {}

/** The core refused what it was given. */
export class CoreError extends OcelliError {}

/** What was thrown, as an error of this package. */
export function asOcelliError(error: unknown): OcelliError {
  if (error instanceof OcelliError) return error;
  return new OcelliError("INTERNAL", error instanceof Error ? error.message : String(error), { cause: error });
}

const ADVICE: Readonly<Record<OcelliErrorCode, string>> = {
  CONNECTION_LOST: "Check that the endpoint is up and reachable; the verifier tries again by itself",
  HTTP_STATUS: "Check the endpoint's address and version",
  TOO_LARGE: "The endpoint sends more than the protocol allows; use another one",
  ENDPOINT_LIED: "The endpoint sends what the chain has not committed to; use another one",
  MALFORMED: "The endpoint is of another version than this package, or is not an Ocelli endpoint",
  OTHER_CHAIN: "The endpoint serves another chain; check its address, or create a new verifier for that chain",
  OTHER_GENESIS: "The endpoint serves another chain than the one pinned; check `genesis` and `url`",
  UNSUPPORTED_CHAIN: "Install a version of this package that supports the chain's parameters",
  INVALID_ARGUMENT: "See the documentation of the option",
  NO_WEBASSEMBLY: "The browser has WebAssembly switched off, as in Lockdown Mode; switch it on for this site",
  WASM_NOT_COMPILED: "Serve the .wasm file and allow its origin in connect-src and 'wasm-unsafe-eval' in script-src, or set `wasmUrl`",
  NO_WEBSOCKET: "Use Node 22 or later, or install the package `ws`",
  NO_WORKER: "See that the worker's script is served from the page's origin, as JavaScript, and that worker-src allows it, or pass `createWorker`",
  WORKER_CRASHED: "It has been replaced; if this happens again and again, lower `workers`",
  FELL_BEHIND: "Give the verifier more `workers` or `cpu`",
  NOT_ATTESTED: "Someone's attestation is nobody's word; it is left out",
  CLOCK_BEHIND: "Set this computer's clock; until then its votes come late or not at all",
  INTERNAL: "This is a mistake in the package; please report it",
  STOPPED: "Create a new verifier",
};
