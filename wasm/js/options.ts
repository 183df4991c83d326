/** What a verifier is made of, as the caller says it and as it is used. */

import type { Bytes, Hex } from "./api.js";
import { OcelliError } from "./errors.js";
import type { From } from "./follower.js";
import type { Platform } from "./platform.js";
import type { Delegation } from "./protocol.js";
import type { WorkerLike } from "./worker_client.js";

export type VerifierOptions = {
  /** The endpoint, such as `https://rpc.example.org`: whoever serves `/v1`. It need not be trusted. */
  readonly url: string | URL;
  /** 32 bytes that sign attestations. Without them a key is made that ends with the verifier. */
  readonly key?: Uint8Array;
  /** An owner's word that the key may attest for it; `delegate` takes one later too. */
  readonly delegation?: Delegation;
  /** How many workers check tasks, besides the one that follows the chain. Default: half of the processors, at most 4. */
  readonly workers?: number;
  /** The part of the time that a worker may be busy, above 0 and up to 1. Default: 0.5. */
  readonly cpu?: number;
  /** Pins the chain by its genesis hash. Without it, the chain is the one that the endpoint names. */
  readonly genesis?: Hex;
  /**
   * Where to begin: at the newest block, trusting the sequencer's signature for what came before, or at the genesis,
   * trusting nobody. A young chain is followed from its genesis in any case. Default: "latest".
   */
  readonly from?: From;
  /** Where the WebAssembly module is, if it is not beside the package. */
  readonly wasmUrl?: string | URL;
  /** Makes the workers, where the package's own way does not fit the host: each runs `ocelli/worker`. */
  readonly createWorker?: () => WorkerLike;
  /** Ends the verifier when aborted, also one that has not begun. */
  readonly signal?: AbortSignal;
};

export type Settings = {
  readonly url: string;
  readonly key: Bytes;
  readonly delegation: Delegation | undefined;
  readonly workers: number;
  readonly cpu: number;
  readonly genesis: Hex | undefined;
  readonly from: From;
  readonly wasmUrl: string | URL | undefined;
  readonly createWorker: () => WorkerLike;
  readonly signal: AbortSignal | undefined;
};

const MOST_WORKERS = 64;

/** @throws OcelliError with the code `INVALID_ARGUMENT` */
export function readOptions(options: VerifierOptions, platform: Pick<Platform, "createWorker" | "parallelism">): Settings {
  const { delegation, genesis, from = "latest", wasmUrl, createWorker = platform.createWorker, signal } = options;
  const workers = options.workers ?? Math.max(1, Math.min(4, Math.floor(platform.parallelism() / 2)));
  const cpu = options.cpu ?? 0.5;
  const key = options.key === undefined ? newKey() : new Uint8Array(options.key);
  check(isHttp(options.url), "`url` is not an http or https address");
  check(Number.isInteger(workers) && workers >= 1 && workers <= MOST_WORKERS, `\`workers\` is not an integer from 1 to ${MOST_WORKERS}`);
  check(cpu > 0 && cpu <= 1, "`cpu` is not above 0 and up to 1");
  check(key.length === 32, "`key` is not 32 bytes");
  check(from === "latest" || from === "genesis", '`from` is neither "latest" nor "genesis"');
  check(genesis === undefined || /^0x[0-9a-f]{64}$/i.test(genesis), "`genesis` is not 0x and 64 hexadecimal digits");
  return { url: String(options.url), key, delegation, workers, cpu, genesis, from, wasmUrl, createWorker, signal };
}

function check(holds: boolean, message: string): void {
  if (!holds) throw new OcelliError("INVALID_ARGUMENT", message);
}

function isHttp(url: string | URL): boolean {
  try {
    return /^https?:$/.test(new URL(url).protocol);
  } catch {
    return false;
  }
}

/** A random key. One set of 32 bytes in 2^128 is none, and nobody will draw it. */
function newKey(): Bytes {
  return crypto.getRandomValues(new Uint8Array(32));
}
