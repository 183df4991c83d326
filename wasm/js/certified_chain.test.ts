import assert from "node:assert/strict";
import { test } from "node:test";
import type { CertificateSpan, CertificateVerdict } from "./base/ocelli.js";
import { type Certified, createCertifiedChain } from "./certified_chain.js";
import { EndpointError } from "./errors.js";
import * as limits from "./limits.js";
import type { CallName, Calls } from "./protocol.js";
import { blockInfo } from "./testing/block_info.js";

const encode = (span: CertificateSpan) => new TextEncoder().encode(JSON.stringify(span));
const decode = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes)) as CertificateSpan;
const span = (after: number, height: number, top = height): CertificateSpan => ({ after, height, top });

/** A chain of `length` blocks above `floor`, at an endpoint that has these certificates, with a core that believes what joins. */
async function chain(length: number, served: readonly CertificateSpan[] = [], floor = 0) {
  const certificates: Certified[] = [];
  const problems: unknown[] = [];
  const asked: number[] = [];
  const verified: { readonly certified: number; readonly heights: readonly number[] }[] = [];
  const handlers: Partial<{ [Name in CallName]: (given: Calls[Name]["given"]) => Calls[Name]["answer"] }> = {
    readCertificate: ({ certificate }) => decode(certificate),
    verifyCertificate({ certificate, certified, blocks }): CertificateVerdict {
      const { after, height } = decode(certificate);
      verified.push({ certified, heights: blocks.map((block) => block.height) });
      if (after > certified || height <= certified) return { kind: "invalid", reason: "it does not join" };
      return { kind: "valid", after, height, block: `0x${height}`, attestations: 3 };
    },
  };
  const certified = createCertifiedChain({
    url: "http://chain.example",
    api: {
      async certificate(height) {
        asked.push(height);
        const found = served.find((one) => one.after < height && height <= one.height);
        if (found === undefined) throw new EndpointError("HTTP_STATUS", "not there", { url: "", status: 404 });
        return encode(found);
      },
    },
    call: (async (name: CallName, given: never) => handlers[name]?.(given)) as never,
    onCertificate: (certificate) => void certificates.push(certificate),
    onProblem: (error) => void problems.push(error),
  });
  certified.restart(floor);
  for (let height = floor + 1; height <= floor + length; height += 1) await certified.push(blockInfo({ height }));
  const take = (one: CertificateSpan) => certified.take(encode(one), one);
  const heights = () => certificates.map(({ height }) => height);
  return { certified, take, heights, problems, asked, verified };
}

test("a certificate above a block that no certificate covers certifies nothing", async () => {
  // The bodies of block 3 are withheld; all votes for block 9 are votes for it too.
  const { certified, take, heights, problems, asked } = await chain(9, [span(0, 2), span(3, 9)]);
  await take(span(0, 2));
  await take(span(3, 9));
  assert.deepEqual([heights(), asked], [[2], [3]]);
  assert.equal(certified.height(), 2);
  assert.equal(problems.length, 1);
});

test("an endpoint that answers with what does not join certifies nothing", async () => {
  const endpoint = await chain(9);
  const lying = createCertifiedChain({
    url: "",
    api: { certificate: async () => encode(span(5, 9)) },
    call: (async (name: CallName) =>
      name === "readCertificate" ? span(5, 9) : { kind: "invalid", reason: "a gap" }) as never,
    onCertificate: () => assert.fail("nothing is certified"),
    onProblem: (error) => void endpoint.problems.push(error),
  });
  for (let height = 1; height <= 9; height += 1) await lying.push(blockInfo({ height }));
  await lying.take(encode(span(5, 9)), span(5, 9));
  assert.equal(lying.height(), 0);
  assert.ok(endpoint.problems[0] instanceof EndpointError && endpoint.problems[0].code === "ENDPOINT_LIED");
});

test("certificates that were missed are fetched until they join", async () => {
  const { take, heights, asked, problems } = await chain(9, [span(0, 3), span(3, 4), span(4, 7), span(7, 9)]);
  await take(span(7, 9));
  assert.deepEqual([heights(), asked, problems], [[3, 4, 7, 9], [1, 4, 5], []]);
  await take(span(7, 9));
  assert.deepEqual(heights(), [3, 4, 7, 9], "each is told once");
});

test("what was taken on trust is the floor, in the middle of a span too", async () => {
  const { take, heights, asked, verified } = await chain(5, [span(90, 103)], 100);
  await take(span(103, 105));
  assert.deepEqual([heights(), asked], [[103, 105], [101]]);
  assert.deepEqual(verified[0], { certified: 100, heights: [101, 102, 103] });
});

test("a certificate waits until all blocks that were voted for are here", async () => {
  const { certified, take, heights, problems } = await chain(2, [span(0, 2, 3)]);
  await take(span(0, 2, 3));
  assert.deepEqual(heights(), []);
  await certified.push(blockInfo({ height: 3 }));
  await certified.push(blockInfo({ height: 4 }));
  await take(span(2, 4));
  assert.deepEqual([heights(), problems], [[2, 4], []]);
});

test("blocks that were replaced are not verified with", async () => {
  const { certified, take, heights, verified } = await chain(4);
  certified.rewind(2);
  await take(span(0, 3));
  assert.deepEqual(heights(), []);
  await certified.push(blockInfo({ height: 3, hash: "0x3b" }));
  await take(span(0, 3));
  assert.deepEqual([heights(), verified.length], [[3], 1]);
});

test("no more is fetched at once than may be, and the next certificate goes on", async () => {
  const length = limits.JOINED_CERTIFICATES + 5;
  const each = Array.from({ length }, (_, at) => span(at, at + 1));
  const { certified, take, asked } = await chain(length, each);
  await take(span(length - 1, length));
  assert.deepEqual([certified.height(), asked.length], [limits.JOINED_CERTIFICATES, limits.JOINED_CERTIFICATES]);
  await take(span(length - 1, length));
  assert.equal(certified.height(), length);
});
