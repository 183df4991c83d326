/** A WebSocket whose other end is the test. */

import type { Socket } from "../socket.js";

export type FakeSocket = Socket & {
  readonly url: string;
  readonly isClosed: () => boolean;
  /** What the server does. */
  readonly server: {
    readonly open: () => void;
    readonly send: (data: unknown) => void;
    readonly close: (code?: number, reason?: string) => void;
    readonly fail: () => void;
  };
};

type Listener = (event: { readonly data: unknown; readonly code: number; readonly reason: string }) => void;

export function createFakeSocket(url: string): FakeSocket {
  const listeners = new Map<string, Listener[]>();
  let closed = false;
  const dispatch = (type: string, event: Partial<Parameters<Listener>[0]> = {}) => {
    for (const listener of listeners.get(type) ?? []) listener({ data: undefined, code: 0, reason: "", ...event });
  };
  return {
    url,
    binaryType: "blob",
    addEventListener(type: string, listener: Listener) {
      listeners.set(type, [...(listeners.get(type) ?? []), listener]);
    },
    close: () => void (closed = true),
    isClosed: () => closed,
    server: {
      open: () => dispatch("open"),
      send: (data) => dispatch("message", { data }),
      close: (code = 1006, reason = "") => dispatch("close", { code, reason }),
      fail: () => dispatch("error"),
    },
  };
}
