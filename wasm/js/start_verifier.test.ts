import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { EnvironmentError } from "./errors.js";
import type { Platform } from "./platform.js";
import { startVerifier } from "./start_verifier.js";

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
