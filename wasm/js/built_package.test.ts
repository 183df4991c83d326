/** The package as it is installed: built scripts, the module, worker threads. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { OcelliError, createVerifier } from "../dist/node.js";

/** An endpoint that answers everything with these bytes. */
async function serve(bytes: Uint8Array): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((_, response) => response.end(bytes)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const withCode = (code: string) => (error: unknown) => error instanceof OcelliError && error.code === code;

test("what is no configuration is refused by the core, in its worker", async () => {
  await using endpoint = await serve(Uint8Array.from([9, 9]));
  await assert.rejects(createVerifier({ url: endpoint.url, workers: 1 }), withCode("MALFORMED"));
});

test("an endpoint that is not there is a lost connection", async () => {
  let url = "";
  {
    await using endpoint = await serve(new Uint8Array());
    ({ url } = endpoint);
  }
  await assert.rejects(createVerifier({ url }), withCode("CONNECTION_LOST"));
});

test("a module that does not compile is named, with what to do", async () => {
  await using endpoint = await serve(new Uint8Array());
  const wasmUrl = new URL(endpoint.url);
  await assert.rejects(createVerifier({ url: endpoint.url, wasmUrl }), (error) => {
    assert.ok(withCode("WASM_NOT_COMPILED")(error));
    assert.match((error as OcelliError).advice, /wasm-unsafe-eval/);
    return true;
  });
});
