/** The workers of a verifier: one that follows the chain and holds the key, and those that check tasks. */

import type { Api, Bytes, Hex } from "./api.js";
import { createByteCache } from "./byte_cache.js";
import { type CheckerPool, createCheckerPool } from "./checker_pool.js";
import type { Clock } from "./clock.js";
import { EnvironmentError, OcelliError, WorkerError } from "./errors.js";
import * as limits from "./limits.js";
import type { Settings } from "./options.js";
import type { ChainInfo, Delegation } from "./protocol.js";
import { superviseWorker } from "./supervised_worker.js";
import { type WorkerClient, type WorkerLike, createWorkerClient } from "./worker_client.js";

export type Workers = {
  /** Calls the worker that follows the chain. */
  readonly call: WorkerClient["call"];
  readonly pool: CheckerPool;
  /** Gives the following worker the key. Says whose it is, and for whom it attests. */
  readonly setKey: (delegation: Delegation | undefined) => Promise<{ readonly address: Hex; readonly owner: Hex }>;
  readonly chain: () => Promise<ChainInfo>;
  readonly close: () => void;
};

export type WorkersOptions = {
  readonly settings: Settings;
  readonly module: WebAssembly.Module;
  /** The encoded configuration of the chain. */
  readonly config: Bytes;
  readonly fetchCode: Api["code"];
  readonly clock: Clock;
  readonly onCrash: (error: WorkerError) => void;
};

export function createWorkers({ settings, module, config, fetchCode, clock, onCrash }: WorkersOptions): Workers {
  const { genesis, cpu, key, workers } = settings;
  let delegation: Delegation | undefined;
  let chain: ChainInfo | undefined;
  let closed = false;
  /** All that were started and may still run, also those that have not begun. */
  const started = new Set<WorkerClient>();

  function create(): WorkerClient {
    if (closed) throw new WorkerError("STOPPED", "The verifier was stopped");
    for (const client of started) if (client.isGone()) started.delete(client);
    let worker: WorkerLike;
    try {
      worker = settings.createWorker();
    } catch (cause) {
      if (cause instanceof OcelliError) throw cause;
      throw new EnvironmentError("NO_WORKER", "A worker could not be made", { cause });
    }
    const client = createWorkerClient(worker, clock);
    started.add(client);
    return client;
  }

  async function start(): Promise<WorkerClient> {
    const client = create();
    try {
      chain = await client.call("init", { module, config, genesis, cpu });
      return client;
    } catch (error) {
      client.terminate();
      throw error;
    }
  }

  async function startFollowing(): Promise<WorkerClient> {
    const client = await start();
    await client.call("key", { secret: key, delegation });
    return client;
  }

  const following = superviseWorker(startFollowing, onCrash);
  const codes = createByteCache(limits.CODE_CACHE_BYTES);
  const pool = createCheckerPool({ size: workers, start, fetchCode, codes, onCrash });

  return {
    call: following.call,
    pool,
    async setKey(next) {
      const known = await following.call("key", { secret: key, delegation: next });
      delegation = next;
      return known;
    },
    async chain() {
      while (chain === undefined) await following.call("key", { secret: key, delegation });
      return chain;
    },
    close() {
      closed = true;
      following.close();
      pool.close();
      for (const client of started) client.terminate();
    },
  };
}
