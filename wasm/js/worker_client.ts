/**
 * The outside of a worker: calls that are answered.
 *
 * Guaranteed: every call is answered, or rejects with a {@link WorkerError} when the worker has ended, crashed or taken too
 * long; after that the worker is gone and `crashed` says so.
 */

import type { Clock } from "./clock.js";
import { CoreError, WorkerError } from "./errors.js";
import * as limits from "./limits.js";
import type { CallName, Calls, Reply, Request } from "./protocol.js";

/** What of a worker the package uses; the browser's `Worker` has it. */
export type WorkerLike = {
  postMessage(message: unknown): void;
  terminate(): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: "error", listener: (event: { readonly message?: string }) => void): void;
};

export type WorkerClient = {
  readonly call: <Name extends CallName>(name: Name, given: Calls[Name]["given"]) => Promise<Calls[Name]["answer"]>;
  /** Resolves when the worker may be given another check. */
  readonly whenReady: () => Promise<void>;
  readonly isGone: () => boolean;
  readonly terminate: () => void;
};

type Waiting = {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
  readonly cancelTimeout: () => void;
};

export function createWorkerClient(worker: WorkerLike, clock: Clock): WorkerClient {
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let gone: WorkerError | undefined;
  let hasBegun = false;
  let checking = 0;
  let whenReady: (() => void)[] = [];

  function end(error: WorkerError) {
    if (gone !== undefined) return;
    gone = error;
    worker.terminate();
    for (const { reject, cancelTimeout } of waiting.values()) {
      cancelTimeout();
      reject(error);
    }
    waiting.clear();
    becomeReady();
  }

  function becomeReady() {
    for (const resolve of whenReady) resolve();
    whenReady = [];
  }

  function receive(reply: Reply) {
    hasBegun = true;
    if (reply.kind === "ready") {
      checking -= 1;
      if (checking === 0) becomeReady();
      return;
    }
    const call = waiting.get(reply.id);
    if (call === undefined) return;
    waiting.delete(reply.id);
    call.cancelTimeout();
    if (reply.kind === "answer") call.resolve(reply.answer as never);
    else call.reject(new CoreError(reply.code, reply.message));
  }

  worker.addEventListener("message", ({ data }) => receive(data as Reply));
  worker.addEventListener("error", ({ message }) => {
    const [code, what] = hasBegun ? (["WORKER_CRASHED", "crashed"] as const) : (["NO_WORKER", "could not be started"] as const);
    end(new WorkerError(code, `A worker ${what}${message ? `: ${message}` : ""}`));
  });

  return {
    call(name, given) {
      if (gone !== undefined) return Promise.reject(gone);
      return new Promise((resolve, reject) => {
        const id = (lastId += 1);
        const late = () => end(new WorkerError("WORKER_CRASHED", `A worker has not answered \`${name}\` in time`));
        waiting.set(id, { resolve, reject, cancelTimeout: clock.after(limits.WORKER_MS, late) });
        if (name === "check") checking += 1;
        worker.postMessage({ id, name, given } as Request);
      });
    },
    whenReady() {
      if (gone !== undefined || checking === 0) return Promise.resolve();
      return new Promise((resolve) => whenReady.push(resolve));
    },
    isGone: () => gone !== undefined,
    terminate: () => end(new WorkerError("STOPPED", "The verifier was stopped")),
  };
}
