/** A worker that is there whenever it is called: started when first needed, and again after it crashed. */

import { WorkerError } from "./errors.js";
import * as limits from "./limits.js";
import type { WorkerClient } from "./worker_client.js";

export type SupervisedWorker = { readonly call: WorkerClient["call"]; readonly close: () => void };

/** Calls must be such that they can be made twice. */
export function superviseWorker(
  start: () => Promise<WorkerClient>,
  onCrash: (error: WorkerError) => void,
): SupervisedWorker {
  let starting: Promise<WorkerClient> | undefined;
  let closed = false;

  async function client(): Promise<WorkerClient> {
    if (closed) throw new WorkerError("STOPPED", "The verifier was stopped");
    starting ??= start();
    try {
      const current = await starting;
      if (closed) current.terminate();
      if (!current.isGone() || closed) return current;
    } catch (error) {
      starting = undefined;
      throw error;
    }
    starting = undefined;
    return client();
  }

  return {
    async call(name, given) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await (await client()).call(name, given);
        } catch (error) {
          if (closed || !(error instanceof WorkerError) || attempt >= limits.TASK_ATTEMPTS) throw error;
          onCrash(error);
        }
      }
    },
    close() {
      closed = true;
      starting?.then(
        (current) => current.terminate(),
        () => {},
      );
    },
  };
}
