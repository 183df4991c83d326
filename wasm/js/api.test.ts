import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { type Api, createApi } from "./api.js";
import { EndpointError } from "./errors.js";
import * as limits from "./limits.js";

/** An endpoint that answers like this. */
async function serve(listener: RequestListener): Promise<AsyncDisposable & { readonly api: Api; readonly stop: () => void }> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const ending = new AbortController();
  return {
    api: createApi({ url: `http://127.0.0.1:${port}/`, signal: ending.signal }),
    stop: () => ending.abort(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const failsWith = (check: (error: EndpointError) => void) => (error: unknown) => {
  assert.ok(error instanceof EndpointError);
  check(error);
  return true;
};

test("objects are asked for by their names and come as they are", async () => {
  const asked: string[] = [];
  await using endpoint = await serve(({ url = "", method }, response) => {
    asked.push(`${method} ${url}`);
    response.end(Buffer.from([1, 2, 3]));
  });
  const { api } = endpoint;
  assert.deepEqual(await api.chain(), Uint8Array.from([1, 2, 3]));
  await api.block(7);
  await api.block("0xab");
  await api.row("0xab", 1);
  await api.column("0xab", 2);
  await api.code("0xcd");
  await api.evidence("0xef");
  await api.postAttestation(new Uint8Array());
  await api.postEvidence(new Uint8Array());
  assert.deepEqual(asked, [
    "GET /v1/chain",
    "GET /v1/blocks/7",
    "GET /v1/blocks/0xab",
    "GET /v1/blocks/0xab/rows/1",
    "GET /v1/blocks/0xab/columns/2",
    "GET /v1/codes/0xcd",
    "GET /v1/evidence/0xef",
    "POST /v1/attestations",
    "POST /v1/evidence",
  ]);
});

test("a refusal says the status, the endpoint's code and its sentence", async () => {
  await using endpoint = await serve((_, response) => {
    response.writeHead(403, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: { code: "not_registered", message: "nobody knows you" } }));
  });
  await assert.rejects(
    endpoint.api.postAttestation(new Uint8Array()),
    failsWith(({ code, status, reason, message, advice }) => {
      assert.deepEqual([code, status, reason], ["HTTP_STATUS", 403, "not_registered"]);
      assert.match(message, /nobody knows you/);
      assert.match(advice, /delegate/, "the endpoint's address is not what is wrong");
    }),
  );
});

test("an endpoint that is busy says when to come again", async () => {
  let seconds = "2";
  await using endpoint = await serve((_, response) => response.writeHead(503, { "retry-after": seconds }).end());
  for (const [said, ms] of [["2", 2_000], ["999999", limits.RETRY_MAX_MS], ["Fri, 27 Nov 2026 12:00:00 GMT", 0]] as const) {
    seconds = said;
    await assert.rejects(endpoint.api.chain(), failsWith(({ retryAfterMs }) => assert.equal(retryAfterMs, ms)));
  }
});

test("an answer longer than the protocol allows is not read to its end", async () => {
  await using endpoint = await serve((_, response) => {
    const part = Buffer.alloc(1 << 16);
    const more = () => {
      while (response.write(part));
    };
    response.on("drain", more).on("error", () => {});
    more();
  });
  await assert.rejects(
    endpoint.api.code("0xab"),
    failsWith(({ code, message }) => {
      assert.equal(code, "TOO_LARGE");
      assert.match(message, new RegExp(`${limits.CODE_BYTES}`));
    }),
  );
});

test("an answer that is cut short, and none at all, are a lost connection", async () => {
  await using endpoint = await serve((_, response) => {
    response.writeHead(200, { "content-length": "10" });
    response.write(Buffer.from([1]), () => response.destroy());
  });
  await assert.rejects(endpoint.api.chain(), failsWith(({ code }) => assert.equal(code, "CONNECTION_LOST")));
  endpoint.stop();
  await assert.rejects(endpoint.api.chain(), failsWith(({ code }) => assert.equal(code, "CONNECTION_LOST")));
});

test("where the chain is must be said in the agreed form", async () => {
  const [genesis, evidence] = [`0x${"ab".repeat(32)}`, `0x${"cd".repeat(32)}`];
  const agreed = { genesis, head: { height: 7, hash: "0x" }, attestedHeight: 5, faults: [{ height: 6, evidence }, { evidence: 1 }] };
  let answer: unknown = agreed;
  await using endpoint = await serve((_, response) => response.end(JSON.stringify(answer)));
  assert.deepEqual(await endpoint.api.summary(), { head: 7, attested: 5, genesis, faults: [evidence] });
  const others = [{ head: 7 }, { head: { height: -1 } }, { genesis: "0x" }, { faults: undefined }];
  for (answer of [null, {}, ...others.map((other) => ({ ...agreed, ...other }))]) {
    await assert.rejects(endpoint.api.summary(), failsWith(({ code }) => assert.equal(code, "ENDPOINT_LIED")));
  }
});
