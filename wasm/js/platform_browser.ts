import { EnvironmentError } from "./errors.js";
import { moduleUrl } from "./module_url.js";
import type { Platform } from "./platform.js";

export const browserPlatform: Platform = {
  async compileModule(url = moduleUrl()) {
    if (typeof WebAssembly !== "object") {
      throw new EnvironmentError("NO_WEBASSEMBLY", "There is no WebAssembly here");
    }
    try {
      const response = await fetch(url);
      if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
      const streaming = response.headers.get("content-type")?.startsWith("application/wasm") ?? false;
      return await (streaming ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer()));
    } catch (cause) {
      throw new EnvironmentError("WASM_NOT_COMPILED", `The module at ${url} could not be compiled`, { cause });
    }
  },
  createWorker() {
    if (typeof Worker !== "function") throw new EnvironmentError("NO_WORKER", "There are no workers here");
    // In this one expression, because bundlers look for it.
    return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  },
  openSocket: () => Promise.resolve((url) => new WebSocket(url)),
  parallelism: () => navigator.hardwareConcurrency || 2,
};
