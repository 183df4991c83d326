/**
 * The frames of an endpoint's stream, over as many connections as it takes.
 *
 * Guaranteed: frames are handed over one after the other, each when the one before has been dealt with, and a connection is
 * prepared when the last frame of the one before has been; between two connections `onOpen` is called; no more than a
 * fixed number of frames and bytes wait. What was sent while there was no connection is the endpoint's to send again, from
 * the height that is asked for.
 */

import type { Bytes } from "./api.js";
import { createBackoff } from "./backoff.js";
import type { Clock } from "./clock.js";
import { EndpointError, OcelliError, asOcelliError } from "./errors.js";
import * as limits from "./limits.js";
import type { OpenSocket, Socket } from "./socket.js";

export type StreamOptions = {
  /** Where the endpoint is, without `/v1`. */
  readonly url: string;
  readonly openSocket: OpenSocket;
  readonly clock: Clock;
  readonly random?: () => number;
  /** Gets ready for a connection, and says which height is there: the endpoint begins with the next one. */
  readonly prepare: () => Promise<number>;
  /** Asked when the stream has been silent: whether there was something that should have come. Rejects if nobody answers. */
  readonly hasMissed: () => Promise<boolean>;
  readonly onOpen: () => void;
  /** Why there is no connection now; another one is made after a while. */
  readonly onLost: (error: OcelliError) => void;
  /** If it rejects, the connection is made again. */
  readonly onFrame: (frame: Bytes) => Promise<void>;
};

export type Stream = { readonly close: () => void };

/** Connects, and stays connected until closed. */
export function openStream(options: StreamOptions): Stream {
  const { clock, openSocket, random = Math.random } = options;
  const backoff = createBackoff({ minMs: limits.RETRY_MIN_MS, maxMs: limits.RETRY_MAX_MS, random });
  let closed = false;
  let current: Connection | undefined;
  let cancelRetry = () => {};
  /** Settles when no frame is being dealt with. */
  let dealtWith = Promise.resolve();

  async function connect(): Promise<void> {
    if (closed) return;
    let url: string;
    try {
      url = streamUrl(options.url, await options.prepare());
    } catch (error) {
      if (!closed) lost(asOcelliError(error));
      return;
    }
    if (closed) return;
    const connection = openConnection({
      url,
      openSocket,
      clock,
      hasMissed: options.hasMissed,
      onOpen: options.onOpen,
      onFrame(frame) {
        const dealing = options.onFrame(frame);
        dealtWith = dealing.then(backoff.reset).catch(() => {});
        return dealing;
      },
      onEnd(error) {
        if (!closed && current === connection) lost(error);
      },
    });
    current = connection;
  }

  function lost(error: OcelliError) {
    current = undefined;
    options.onLost(error);
    // Whoever is told may have closed it.
    if (!closed) cancelRetry = clock.after(backoff.next(), () => void dealtWith.then(connect));
  }

  void connect();
  return {
    close() {
      closed = true;
      cancelRetry();
      current?.close();
    },
  };
}

/** The stream's address; `url` is an address. */
function streamUrl(url: string, from: number): string {
  const address = new URL(`${url.replace(/\/+$/, "")}/v1/stream`);
  address.protocol = address.protocol === "https:" || address.protocol === "wss:" ? "wss:" : "ws:";
  address.searchParams.set("from", String(from));
  return address.href;
}

type Connection = { readonly close: () => void };

type ConnectionOptions = {
  readonly url: string;
  readonly openSocket: OpenSocket;
  readonly clock: Clock;
  readonly hasMissed: () => Promise<boolean>;
  readonly onOpen: () => void;
  readonly onFrame: (frame: Bytes) => Promise<void>;
  /** Called once, never before this function has returned. */
  readonly onEnd: (error: OcelliError) => void;
};

function openConnection({ url, openSocket, clock, hasMissed, onOpen, onFrame, onEnd }: ConnectionOptions): Connection {
  const waiting: Bytes[] = [];
  let waitingBytes = 0;
  let reading = false;
  let isOpen = false;
  let ended = false;
  let socket: Socket | undefined;
  let cancelSilence = () => {};

  function end(error?: OcelliError) {
    if (ended) return;
    ended = true;
    waiting.length = 0;
    cancelSilence();
    socket?.close();
    if (error !== undefined) queueMicrotask(() => onEnd(error));
  }

  function lost(message: string, cause?: unknown) {
    end(new EndpointError("CONNECTION_LOST", message, { url, cause }));
  }

  function listen() {
    cancelSilence();
    cancelSilence = clock.after(limits.SILENCE_MS, () => void askWhySilent());
  }

  /** An idle chain is silent: the server's pings, which would tell it from a dead connection, are hidden in a browser. */
  async function askWhySilent() {
    if (!isOpen) return lost(`${url} does not answer`);
    const beat = (cancelSilence = () => {});
    try {
      const missed = await hasMissed();
      if (ended || cancelSilence !== beat) return;
      if (missed) lost(`${url} has been silent for too long`);
      else listen();
    } catch (cause) {
      if (cancelSilence === beat) lost(`${url} cannot be reached`, cause);
    }
  }

  async function read() {
    reading = true;
    for (let frame = waiting.shift(); frame !== undefined; frame = waiting.shift()) {
      waitingBytes -= frame.length;
      try {
        await onFrame(frame);
      } catch (cause) {
        if (cause instanceof OcelliError) end(cause);
        else lost("A frame could not be dealt with", cause);
      }
    }
    reading = false;
  }

  function receive(data: unknown) {
    if (ended) return;
    if (!(data instanceof ArrayBuffer) || data.byteLength > limits.FRAME_BYTES) {
      end(new EndpointError("TOO_LARGE", `${url} sent what is no frame of the stream`, { url }));
      return;
    }
    listen();
    waiting.push(new Uint8Array(data));
    waitingBytes += data.byteLength;
    if (waiting.length > limits.WAITING_FRAMES || waitingBytes > limits.WAITING_BYTES) {
      end(new EndpointError("FELL_BEHIND", "Frames come faster than they can be read", { url }));
    } else if (!reading) void read();
  }

  try {
    socket = openSocket(url);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      isOpen = true;
      if (!ended) onOpen();
    });
    socket.addEventListener("message", ({ data }) => receive(data));
    socket.addEventListener("close", ({ code, reason }) =>
      lost(`${url} closed the connection (${code}${reason && `, ${reason}`})`),
    );
    socket.addEventListener("error", () => lost(`${url} cannot be reached`));
    listen();
  } catch (cause) {
    if (cause instanceof OcelliError) end(cause);
    else lost(`${url} cannot be reached`, cause);
  }
  return { close: () => end() };
}
