import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { EnvironmentError } from "./errors.js";
import type { Platform } from "./platform.js";
import { startVerifier } from "./start_verifier.js";
import { createFakeWorker } from "./testing/fake_worker.js";

/** An endpoint whose configuration is no matter, because the worker is the test. */
async function serveChain(): Promise<AsyncDisposable & { readonly url: string }> {
  const endpoint = createServer((_, response) => response.end("chain")).listen(0, "127.0.0.1");
  await once(endpoint, "listening");
  return {
    url: `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      endpoint.closeAllConnections();
      endpoint.close();
    },
  };
}

const platformWith = (createWorker: Platform["createWorker"]): Platform => ({
  compileModule: async () => ({}) as WebAssembly.Module,
  createWorker,
  openSocket: () => Promise.resolve(() => assert.fail("no socket is needed")),
  parallelism: () => 1,
});

test("a worker that cannot be made is an error with what to do, whatever the host threw", async () => {
  await using endpoint = await serveChain();
  const cause = new Error("SecurityError");
  const platform = platformWith(() => {
    throw cause;
  });
  await assert.rejects(startVerifier({ url: endpoint.url }, platform), (error) => {
    assert.ok(error instanceof EnvironmentError);
    assert.deepEqual([error.code, error.cause], ["NO_WORKER", cause]);
    return true;
  });
});

test("a verifier that is stopped while it begins leaves no worker behind", async () => {
  await using endpoint = await serveChain();
  const stopping = new AbortController();
  const worker = createFakeWorker(() => {
    stopping.abort();
    return [];
  });
  const stopped = { name: "OcelliError", code: "STOPPED" };
  await assert.rejects(startVerifier({ url: endpoint.url, signal: stopping.signal }, platformWith(() => worker)), stopped);
  assert.equal(worker.isTerminated(), true);
  const none = platformWith(() => assert.fail("no worker is needed"));
  await assert.rejects(startVerifier({ url: endpoint.url, signal: stopping.signal }, none), stopped);
});

test("a verifier that cannot begin leaves no request behind", { timeout: 10_000 }, async () => {
  const endpoint = createServer().listen(0, "127.0.0.1");
  try {
    await once(endpoint, "listening");
    const asked = once(endpoint, "request");
    const refused = new EnvironmentError("NO_WEBASSEMBLY", "There is none");
    const platform: Platform = {
      compileModule: () => asked.then(() => Promise.reject(refused)),
      createWorker: () => assert.fail("no worker is needed"),
      openSocket: () => Promise.resolve(() => assert.fail("no socket is needed")),
      parallelism: () => 1,
    };
    const { port } = endpoint.address() as AddressInfo;
    await assert.rejects(startVerifier({ url: `http://127.0.0.1:${port}` }, platform), refused);
    const [, response] = (await asked) as [IncomingMessage, ServerResponse];
    if (!response.destroyed) await once(response, "close");
  } finally {
    endpoint.closeAllConnections();
    endpoint.close();
  }
});
