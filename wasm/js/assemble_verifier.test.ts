import assert from "node:assert/strict";
import { test } from "node:test";
import type { Api, Hex } from "./api.js";
import { assembleVerifier } from "./assemble_verifier.js";
import type { StreamEvent, Verdict, VoterInfo } from "./base/ocelli.js";
import { EndpointError } from "./errors.js";
import { createEmitter } from "./events.js";
import * as limits from "./limits.js";
import type { CallName, Calls } from "./protocol.js";
import { blockInfo } from "./testing/block_info.js";
import { createFakeSocket, type FakeSocket } from "./testing/fake_socket.js";
import { createManualClock } from "./testing/manual_clock.js";
import { settled } from "./testing/settled.js";
import type { VerifierEvents } from "./verifier.js";

const bytes = (value: number) => Uint8Array.from([value]);
const [ME, ANN] = ["0xme", "0xann"] as const;

/** A verifier of a chain with so many blocks, each of one row and one column; a block's encodings are its height. */
async function verify(length: number) {
  const clock = createManualClock();
  const sockets: FakeSocket[] = [];
  const events = createEmitter<VerifierEvents>();
  const log: string[] = [];
  events.on("task", ({ height, task, verdict, by }) => void log.push(`${height}/${task} ${verdict} ${by}`));
  events.on("fault", ({ height, by }) => void log.push(`fault ${height} ${by}`));
  const signed: Calls["attest"]["given"][] = [];
  const state = {
    check: async (_block: Hex, _index: number): Promise<Verdict> => ({ kind: "valid" }),
    checkEvidence: async (): Promise<Calls["checkEvidence"]["answer"]> => ({ kind: "fault", height: 2, block: "0x2", description: "row" }),
    voter: { owner: ANN, session: "0xother", registered: true } as VoterInfo,
    event: undefined as StreamEvent | undefined,
  };
  const handlers: Partial<{ [Name in CallName]: (given: Calls[Name]["given"]) => unknown }> = {
    open: ({ document: [height = 0] }) => ({
      verdict: { kind: "valid" },
      info: blockInfo({ height }),
      header: bytes(height),
      signedHeader: bytes(height),
      tasks: [{ task: 0, kind: "row", index: 0 }, { task: 1, kind: "column", index: 0 }],
      order: Uint32Array.of(0, 1),
    }),
    decode: () => state.event,
    voter: () => state.voter,
    checkEvidence: () => state.checkEvidence(),
    attest(given) {
      signed.push(given);
      return bytes(0);
    },
  };
  const api: Api = {
    chain: async () => bytes(0),
    summary: async () => ({ head: length, attested: 0, genesis: "0xgenesis", faults: [] }),
    block: async (name) => bytes(Number(name)),
    row: async () => bytes(0),
    column: async () => bytes(0),
    code: async () => bytes(0),
    certificate: async () => bytes(0),
    evidence: async () => bytes(0),
    postAttestation: async () => {},
    postEvidence: async () => {},
  };
  const verifier = assembleVerifier({
    settings: { url: "http://chain.example", workers: 1, from: "latest" } as never,
    api,
    openSocket(url) {
      const socket = createFakeSocket(url);
      sockets.push(socket);
      return socket;
    },
    ending: new AbortController(),
    events,
    problem() {},
    workers: {
      call: (async (name: CallName, given: never) => handlers[name]?.(given)) as never,
      pool: { check: async ({ block, index }) => ({ verdict: await state.check(block, index), ms: 1 }), close() {} },
      setKey: async () => ({ address: ME, owner: ME }),
      chain: async () => assert.fail("it is known"),
      close() {},
    },
    clock,
    chain: { chainId: 1, genesisHash: "0xgenesis", redundancy: 1, verifiers: [] },
    identity: { address: ME, owner: ME },
  });
  const pass = async (ms: number) => {
    await settled();
    clock.advance(ms);
    await settled();
  };
  /** A frame of the stream says this. */
  const say = async (event: StreamEvent) => {
    state.event = event;
    sockets.at(-1)?.server.send(new ArrayBuffer(1));
    await settled();
  };
  return { verifier, state, api, log, signed, pass, say };
}

test("every task is checked, and said in an attestation", async () => {
  const { verifier, log, signed, pass } = await verify(2);
  await pass(0);
  await pass(limits.ATTESTATION_INTERVAL_MS);
  assert.deepEqual(log.sort(), ["1/0 valid me", "1/1 valid me", "2/0 valid me", "2/1 valid me"]);
  const listed = signed.flatMap(({ blocks }) => blocks.flatMap(({ height, tasks }) => tasks.map((task) => `${height}/${task}`)));
  assert.deepEqual(listed.sort(), ["1/0", "1/1", "2/0", "2/1"]);
  verifier.stop();
});

test("nothing is signed on or above a block that was found wrong, while its evidence is checked a second time", async () => {
  const { verifier, state, log, signed, pass } = await verify(3);
  state.check = async (block) => (block === "0x2" ? { kind: "fault", description: "row", evidence: bytes(1) } : { kind: "valid" });
  let confirm = () => {};
  const second = new Promise<void>((resolve) => (confirm = resolve));
  const { checkEvidence } = state;
  state.checkEvidence = () => second.then(checkEvidence);
  await pass(0);
  await pass(limits.ATTESTATION_INTERVAL_MS);
  assert.ok(log.some((line) => line.startsWith("2/0 fault")));
  assert.deepEqual(signed.map(({ height }) => height), [1]);
  confirm();
  await settled();
  assert.ok(log.includes("fault 2 me"));
  verifier.stop();
});

test("a task whose body is not to be had for now is checked later", async () => {
  const { verifier, api, log, pass } = await verify(1);
  const { row } = api;
  Object.assign(api, { row: async () => Promise.reject(new EndpointError("HTTP_STATUS", "busy", { url: "", status: 503 })) });
  for (let time = 0; time < limits.FETCH_ATTEMPTS; time += 1) await pass(limits.RETRY_MAX_MS);
  assert.deepEqual(log, ["1/1 valid me"]);
  Object.assign(api, { row });
  for (let time = 0; time < limits.FETCH_ATTEMPTS; time += 1) await pass(limits.RETRY_MAX_MS);
  assert.deepEqual(log, ["1/1 valid me", "1/0 valid me"]);
  verifier.stop();
});

test("checks by others are told of only if a registered owner stands behind them", async () => {
  const { verifier, state, log, pass, say } = await verify(1);
  await pass(0);
  const before = log.length;
  const checked: StreamEvent = { kind: "checked", attestation: bytes(0), height: 1, header: "0x1", blocks: [{ height: 1, tasks: [0] }] };
  state.voter = { owner: ANN, session: "0xother", registered: false };
  await say(checked);
  assert.equal(log.length, before);
  state.voter = { owner: ANN, session: "0xother", registered: true };
  await say(checked);
  assert.deepEqual(log.slice(before), ["1/0 valid 0xann"]);
  verifier.stop();
});
