import assert from "node:assert/strict";
import { test } from "node:test";
import type { EvidenceVerdict } from "./base/ocelli.js";
import { EndpointError, WorkerError } from "./errors.js";
import { createFaultDesk } from "./fault_desk.js";
import * as limits from "./limits.js";
import { createManualClock } from "./testing/manual_clock.js";
import { settled } from "./testing/settled.js";
import type { VerifierEvents } from "./verifier.js";

const evidence = new Uint8Array([1]);
const mine = { by: "me", height: 7, block: "0x7", evidence } as const;
const theirs = { by: "network", evidence: "0xe" } as const;
const proved: EvidenceVerdict = { kind: "fault", height: 7, block: "0x7", description: "row 0" };

function desk() {
  const clock = createManualClock();
  const told: VerifierEvents["fault"][] = [];
  const problems: unknown[] = [];
  const state = { fetches: 0, fetch: async () => evidence, check: async (): Promise<EvidenceVerdict> => proved, posts: 0, post: async () => {} };
  const faults = createFaultDesk({
    clock,
    call: (() => state.check()) as never,
    fetch() {
      state.fetches += 1;
      return state.fetch();
    },
    post() {
      state.posts += 1;
      return state.post();
    },
    onFault: (fault) => void told.push(fault),
    onProblem: (error) => void problems.push(error),
  });
  const passing = async () => {
    for (let wait = 0; wait < 2 * limits.FETCH_ATTEMPTS; wait += 1) {
      await settled();
      clock.advance(limits.RETRY_MAX_MS);
    }
    await settled();
  };
  return { faults, told, problems, state, passing, lowest: () => faults.lowest(() => true) };
}

test("a block that this verifier found wrong is wrong before, and whatever, the second check says", async () => {
  const { faults, told, problems, state, lowest, passing } = desk();
  const checks: (() => Promise<EvidenceVerdict>)[] = [
    () => new Promise(() => {}),
    () => Promise.reject(new WorkerError("WORKER_CRASHED", "crash")),
    async () => ({ kind: "not-evidence", reason: "holds" }),
  ];
  for (const [at, check] of checks.entries()) {
    state.check = check;
    void faults.take({ ...mine, height: 7 - at, block: `0x${7 - at}` });
    assert.equal(lowest(), 7 - at);
    await passing();
    assert.equal(lowest(), 7 - at);
  }
  assert.deepEqual([told.length, problems.length], [0, 2]);
});

test("a fault by others counts once it is confirmed, and is not published again", async () => {
  const { faults, told, state, lowest } = desk();
  state.check = async () => ({ kind: "not-evidence", reason: "holds" });
  await faults.take(theirs);
  assert.equal(lowest(), Infinity);
  state.check = async () => proved;
  await faults.take({ ...theirs, evidence: "0xf" });
  assert.deepEqual([lowest(), told.length, state.posts], [7, 1, 0]);
});

test("evidence of others is fetched once, or again if it could not be had", async () => {
  const { faults, told, problems, state, passing } = desk();
  state.fetch = () => Promise.reject(new EndpointError("CONNECTION_LOST", "gone", { url: "" }));
  void faults.take(theirs);
  await passing();
  assert.deepEqual([told.length, problems.length], [0, 1]);
  state.fetch = async () => evidence;
  const fetches = state.fetches;
  await Promise.all([faults.take(theirs), faults.take(theirs)]);
  assert.deepEqual([told.length, state.fetches - fetches], [1, 1]);
});

test("evidence of others is fetched one piece at a time", async () => {
  const { faults, state } = desk();
  let arrive = () => {};
  state.fetch = () => new Promise((resolve) => (arrive = () => resolve(evidence)));
  const both = ["0xe", "0xf"].map((hash) => faults.take({ by: "network", evidence: hash as `0x${string}` }));
  await settled();
  assert.equal(state.fetches, 1);
  arrive();
  await both[0];
  await settled();
  assert.equal(state.fetches, 2);
  arrive();
  await both[1];
});

test("no more evidence of others is fetched than may be", async () => {
  const { faults, state } = desk();
  for (let at = 0; at < limits.FOREIGN_EVIDENCE + 5; at += 1) await faults.take({ by: "network", evidence: `0x${at}` });
  assert.equal(state.fetches, limits.FOREIGN_EVIDENCE);
});

test("a fault is told once and its evidence is published, also if that takes some attempts", async () => {
  const { faults, told, problems, state, passing } = desk();
  state.post = async () => {
    if (state.posts < limits.FETCH_ATTEMPTS) throw new EndpointError("CONNECTION_LOST", "gone", { url: "" });
  };
  void faults.take(mine);
  await passing();
  await faults.take(theirs);
  assert.deepEqual(told.map(({ by }) => by), ["me"]);
  assert.deepEqual([state.posts, problems.length], [limits.FETCH_ATTEMPTS, 0]);
});

test("only faults of blocks that are followed keep from voting", async () => {
  const { faults } = desk();
  await faults.take(mine);
  assert.equal(faults.lowest((height, block) => height === 7 && block === "0x7"), 7);
  assert.equal(faults.lowest(() => false), Infinity);
});
