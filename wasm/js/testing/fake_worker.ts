/** A worker whose inside is the test. */

import type { Reply, Request } from "../protocol.js";
import type { WorkerLike } from "../worker_client.js";

export type FakeWorker = WorkerLike & {
  /** What it was sent. */
  readonly requests: Request[];
  readonly isTerminated: () => boolean;
  readonly reply: (reply: Reply) => void;
  readonly crash: (message?: string) => void;
};

type Listener = (event: { readonly data: unknown; readonly message?: string }) => void;

/** `answer` is called with each request; what it returns is replied. */
export function createFakeWorker(answer?: (request: Request) => readonly Reply[]): FakeWorker {
  const listeners: { readonly type: string; readonly listener: Listener }[] = [];
  const requests: Request[] = [];
  let terminated = false;
  const dispatch = (type: string, event: Parameters<Listener>[0]) => {
    for (const entry of listeners) if (entry.type === type) entry.listener(event);
  };
  const reply = (data: Reply) => dispatch("message", { data });
  return {
    requests,
    isTerminated: () => terminated,
    reply,
    crash: (message) => dispatch("error", { data: undefined, ...(message && { message }) }),
    addEventListener: (type: string, listener: Listener) => void listeners.push({ type, listener }),
    terminate: () => void (terminated = true),
    postMessage(message) {
      const request = message as Request;
      requests.push(request);
      const replies = answer?.(request) ?? [];
      queueMicrotask(() => replies.forEach(reply));
    },
  };
}
