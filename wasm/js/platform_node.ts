import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { EnvironmentError } from "./errors.js";
import * as limits from "./limits.js";
import { moduleUrl } from "./module_url.js";
import type { Platform } from "./platform.js";
import type { OpenSocket } from "./socket.js";
import type { WorkerLike } from "./worker_client.js";

export const nodePlatform: Platform = {
  async compileModule(url = moduleUrl()) {
    try {
      return await WebAssembly.compile(await load(new URL(url)));
    } catch (cause) {
      throw new EnvironmentError("WASM_NOT_COMPILED", `The module at ${url} could not be compiled`, { cause });
    }
  },
  createWorker: () => wrapWorker(new Worker(new URL("./worker_node.js", import.meta.url))),
  async openSocket(): Promise<OpenSocket> {
    // Node has one of its own since version 22.
    if (typeof WebSocket === "function") return (url) => new WebSocket(url);
    try {
      const { WebSocket: Implementation } = await import("ws");
      return (url) => new Implementation(url, { maxPayload: limits.FRAME_BYTES });
    } catch (cause) {
      throw new EnvironmentError("NO_WEBSOCKET", "There is no WebSocket here", { cause });
    }
  },
  parallelism: availableParallelism,
};

async function load(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  if (url.protocol === "file:") return new Uint8Array(await readFile(url));
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** A worker thread that looks like a browser's worker. */
function wrapWorker(worker: Worker): WorkerLike {
  function addEventListener(type: "message" | "error", listener: (event: { data: unknown; message?: string }) => void) {
    if (type === "message") return void worker.on("message", (data: unknown) => listener({ data }));
    worker.on("error", ({ message }) => listener({ data: undefined, message }));
    worker.on("exit", (code) => listener({ data: undefined, message: `exit code ${code}` }));
  }
  return {
    postMessage: (message) => worker.postMessage(message),
    terminate: () => void worker.terminate(),
    addEventListener,
  };
}
