/**
 * The workers that check tasks. One that crashes is replaced, and what it was doing is done again elsewhere.
 */

import type { Api, Bytes, FetchOptions, Hex } from "./api.js";
import type { ByteCache } from "./byte_cache.js";
import { WorkerError } from "./errors.js";
import * as limits from "./limits.js";
import type { BlockSource, CheckRequest } from "./protocol.js";
import type { Verdict } from "./base/ocelli.js";
import type { WorkerClient } from "./worker_client.js";

export type CheckedTask = { readonly verdict: Verdict; readonly ms: number };

export type Checkable = Pick<CheckRequest, "block" | "kind" | "index" | "body"> & { readonly source: BlockSource };

export type CheckerPool = {
  /**
   * Checks a task in the next free worker. Rejects if code is not to be had, or if workers crash over it again and again.
   * `fresh` code is fetched past every cache.
   */
  readonly check: (task: Checkable, options?: FetchOptions) => Promise<CheckedTask>;
  readonly close: () => void;
};

export type CheckerPoolOptions = {
  readonly size: number;
  /** Starts a worker that has been given the chain. */
  readonly start: () => Promise<WorkerClient>;
  readonly fetchCode: Api["code"];
  /** Code that valid rows have used. */
  readonly codes: ByteCache;
  readonly onCrash: (error: WorkerError) => void;
};

/** A place for a worker, filled when it is needed. */
type Seat = { client: WorkerClient | undefined };

export function createCheckerPool(options: CheckerPoolOptions): CheckerPool {
  const { size, start, onCrash } = options;
  const free: Seat[] = Array.from({ length: size }, () => ({ client: undefined }));
  const all = [...free];
  const waiting: ((seat: Seat) => void)[] = [];
  let closed = false;

  function acquire(): Promise<Seat> {
    const seat = free.shift();
    return seat ? Promise.resolve(seat) : new Promise((resolve) => waiting.push(resolve));
  }

  function release(seat: Seat) {
    const next = waiting.shift();
    if (next) next(seat);
    else free.push(seat);
  }

  async function seated(seat: Seat): Promise<WorkerClient> {
    if (closed) throw new WorkerError("STOPPED", "The verifier was stopped");
    if (seat.client === undefined || seat.client.isGone()) seat.client = await start();
    if (closed) seat.client.terminate();
    return seat.client;
  }

  async function attempt(task: Checkable, fetching: FetchOptions): Promise<CheckedTask> {
    const seat = await acquire();
    try {
      return await checkIn(await seated(seat), task, options, fetching);
    } finally {
      // The seat is free again when its worker has rested.
      void (seat.client?.whenReady() ?? Promise.resolve()).then(() => release(seat));
    }
  }

  return {
    async check(task, fetching = {}) {
      for (let attempts = 1; ; attempts += 1) {
        try {
          return await attempt(task, fetching);
        } catch (error) {
          if (closed || !(error instanceof WorkerError) || attempts >= limits.TASK_ATTEMPTS) throw error;
          onCrash(error);
        }
      }
    },
    close() {
      closed = true;
      for (const { client } of all) client?.terminate();
    },
  };
}

/** Gives the worker what it says it needs, until it gives an answer. */
async function checkIn(
  client: WorkerClient,
  task: Checkable,
  { codes, fetchCode }: CheckerPoolOptions,
  fetching: FetchOptions,
): Promise<CheckedTask> {
  const { source, ...rest } = task;
  const given = new Map<Hex, Bytes>();
  const { fresh = false } = fetching;
  let request: CheckRequest = { ...rest, source: undefined, codes: [], fresh };
  for (;;) {
    const result = await client.call("check", request);
    if (result.kind === "checked") {
      if (result.verdict.kind === "valid") for (const [hash, code] of given) codes.set(hash, code);
      return result;
    }
    if (result.kind === "needs-block") {
      request = { ...request, source };
      continue;
    }
    const find = (hash: Hex) => (fresh ? undefined : codes.get(hash)) ?? fetchCode(hash, fetching);
    const found = result.hashes.map(async (hash) => given.set(hash, await find(hash)));
    await Promise.all(found);
    request = { ...request, codes: result.hashes.flatMap((hash) => given.get(hash) ?? []) };
  }
}
