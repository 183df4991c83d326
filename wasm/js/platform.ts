/** What differs between browsers and Node. */

import type { OpenSocket } from "./socket.js";
import type { WorkerLike } from "./worker_client.js";

export type Platform = {
  /** Compiles the module at `url`, or that one of those in the package which is the fastest here. */
  readonly compileModule: (url: string | URL | undefined) => Promise<WebAssembly.Module>;
  readonly createWorker: () => WorkerLike;
  readonly openSocket: () => Promise<OpenSocket>;
  /** How many processors there are. */
  readonly parallelism: () => number;
};
