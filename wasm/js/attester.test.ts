import assert from "node:assert/strict";
import { test } from "node:test";
import { type Attested, createAttester } from "./attester.js";
import type { BlockInfo, TaskList } from "./base/ocelli.js";
import { EndpointError, OcelliError } from "./errors.js";
import * as limits from "./limits.js";
import { blockInfo } from "./testing/block_info.js";
import { createManualClock } from "./testing/manual_clock.js";
import { settled } from "./testing/settled.js";

type Signed = { readonly height: number; readonly blocks: readonly TaskList[] };

function attest() {
  const clock = createManualClock();
  const signed: Signed[] = [];
  const attested: Attested[] = [];
  const problems: unknown[] = [];
  const signing: { during: () => void } = { during() {} };
  const state: { head: BlockInfo | undefined; refusal: Error | undefined; posting: Promise<void> } = {
    head: undefined,
    refusal: undefined,
    posting: Promise.resolve(),
  };
  const attester = createAttester({
    clock,
    votable: (latest) => (state.head !== undefined && state.head.timeMs <= latest ? state.head : undefined),
    async sign({ height }, blocks) {
      signed.push({ height, blocks });
      signing.during();
      return new Uint8Array();
    },
    async post() {
      await state.posting;
      if (state.refusal) throw state.refusal;
    },
    onAttested: (what) => void attested.push(what),
    onProblem: (error) => void problems.push(error),
  });
  /** A new head, and time enough to say so. */
  const goOn = async (height: number, ms = 0) => {
    state.head = blockInfo({ height, timeMs: clock.now() });
    attester.wake();
    clock.advance(ms);
    await settled();
  };
  return { clock, attester, signed, attested, problems, state, signing, goOn };
}

const refusal = (status: number, reason: string) => new EndpointError("HTTP_STATUS", "no", { url: "", status, reason });

test("tasks of several blocks are said in one attestation, at most one in an interval", async () => {
  const { attester, signed, goOn } = attest();
  await goOn(1);
  assert.equal(signed.length, 1);
  attester.checked(1, 3);
  attester.checked(2, 1);
  attester.checked(2, 0);
  await goOn(2, limits.ATTESTATION_INTERVAL_MS - 1);
  assert.equal(signed.length, 1, "not so soon");
  await goOn(2, 1);
  assert.deepEqual(signed[1], { height: 2, blocks: [{ height: 1, tasks: [3] }, { height: 2, tasks: [0, 1] }] });
});

test("a vote is given without tasks, but never twice", async () => {
  const { signed, goOn } = attest();
  await goOn(1);
  await goOn(1, limits.ATTESTATION_INTERVAL_MS);
  assert.deepEqual(signed, [{ height: 1, blocks: [] }]);
});

test("tasks above the header voted for wait for a later vote", async () => {
  const { attester, signed, goOn } = attest();
  attester.checked(2, 0);
  await goOn(1);
  assert.deepEqual(signed, [{ height: 1, blocks: [] }]);
  await goOn(2, limits.ATTESTATION_INTERVAL_MS);
  assert.deepEqual(signed[1]?.blocks, [{ height: 2, tasks: [0] }]);
});

test("nothing is voted for that claims a time ahead of the own clock", async () => {
  const { clock, attester, signed, state } = attest();
  state.head = blockInfo({ height: 1, timeMs: clock.now() + limits.CLOCK_AHEAD_MS + 1 });
  attester.wake();
  clock.advance(0);
  await settled();
  assert.equal(signed.length, 0);
});

test("what could not be handed in is said again, what was refused is not", async () => {
  const { attester, signed, attested, problems, state, goOn } = attest();
  attester.checked(1, 0);
  state.refusal = new EndpointError("CONNECTION_LOST", "gone", { url: "" });
  await goOn(1);
  state.refusal = refusal(409, "stale");
  await goOn(1, limits.ATTESTATION_INTERVAL_MS);
  state.refusal = undefined;
  await goOn(2, limits.ATTESTATION_INTERVAL_MS);
  assert.deepEqual(signed.map(({ blocks }) => blocks.length), [1, 1, 0]);
  assert.equal(problems.length, 1);
  assert.equal(attested.length, 1);
});

test("another session of the same owner being faster is no problem", async () => {
  const { attester, problems, state, goOn } = attest();
  attester.checked(1, 0);
  state.refusal = refusal(409, "nothing_new");
  await goOn(1);
  assert.deepEqual(problems, []);
});

test("who has no vote stops attesting, until somebody delegates", async () => {
  const { attester, signed, problems, state, goOn } = attest();
  state.refusal = refusal(403, "not_registered");
  await goOn(1);
  await goOn(2, limits.ATTESTATION_INTERVAL_MS);
  assert.equal(signed.length, 1);
  assert.equal(problems.length, 1);
  state.refusal = undefined;
  attester.ownerChanged();
  await goOn(3, limits.ATTESTATION_INTERVAL_MS);
  assert.equal(signed.length, 2);
});

test("what was checked while nobody with a vote stood behind the key is said for whoever delegates", async () => {
  const { attester, signed, state, goOn } = attest();
  for (const [height, reason] of [[1, "not_registered"], [2, "invalid_attestation"]] as const) {
    attester.checked(height, 0);
    state.refusal = refusal(403, reason);
    await goOn(height, limits.ATTESTATION_INTERVAL_MS);
    state.refusal = undefined;
    attester.ownerChanged();
    await goOn(height, limits.ATTESTATION_INTERVAL_MS);
    assert.deepEqual(signed.at(-1), { height, blocks: [{ height, tasks: [0] }] });
  }
  assert.equal(signed.length, 4);
});

test("a refusal of the owner before silences no new one", async () => {
  const { attester, signed, attested, problems, state, goOn } = attest();
  let answer = () => {};
  state.posting = new Promise((resolve) => (answer = resolve));
  state.refusal = refusal(403, "not_registered");
  attester.checked(1, 0);
  await goOn(1);
  attester.ownerChanged();
  answer();
  await settled();
  state.refusal = undefined;
  await goOn(1, limits.ATTESTATION_INTERVAL_MS);
  assert.deepEqual([signed.length, problems.length], [2, 0]);
  assert.deepEqual(attested[0]?.blocks, [{ height: 1, tasks: [0] }]);
});

test("an endpoint that does not know the header yet is told again, later each time", async () => {
  const { attester, signed, attested, state, goOn } = attest();
  attester.checked(1, 0);
  state.refusal = refusal(404, "unknown_block");
  for (let again = 0; again < 8; again += 1) await goOn(1, limits.ATTESTATION_INTERVAL_MS);
  assert.ok(signed.length > 1 && signed.length < 6, `${signed.length}`);
  state.refusal = undefined;
  await goOn(1, limits.RETRY_MAX_MS);
  assert.deepEqual(attested[0]?.blocks, [{ height: 1, tasks: [0] }]);
});

test("an endpoint that says when to come again is not asked before", async () => {
  const { attester, signed, state, goOn } = attest();
  attester.checked(1, 0);
  state.refusal = new EndpointError("HTTP_STATUS", "busy", { url: "", status: 503, reason: "stopped", retryAfterMs: 10_000 });
  await goOn(1);
  await goOn(1, 9_999);
  assert.equal(signed.length, 1);
  await goOn(1, 1);
  assert.equal(signed.length, 2);
});

test("a header that was replaced is not voted for again, and what was checked below it is not lost", async () => {
  const { attester, signed, attested, state, goOn } = attest();
  attester.checked(1, 0);
  attester.checked(2, 0);
  state.refusal = refusal(409, "other_term");
  await goOn(2);
  await goOn(2, limits.RETRY_MAX_MS);
  assert.equal(signed.length, 1);
  state.refusal = undefined;
  attester.rewind(1);
  state.head = undefined;
  await goOn(2, limits.ATTESTATION_INTERVAL_MS);
  assert.deepEqual(attested[0]?.blocks, [{ height: 1, tasks: [0] }]);
});

test("a header ahead of the own clock is voted for when its time comes, and the clock is told of once", async () => {
  const { clock, attester, signed, problems, state } = attest();
  state.head = blockInfo({ height: 1, timeMs: clock.now() + limits.CLOCK_AHEAD_MS + 5_000 });
  attester.wake();
  attester.checked(1, 0);
  clock.advance(4_999);
  await settled();
  assert.equal(signed.length, 0);
  clock.advance(1);
  await settled();
  assert.deepEqual(signed, [{ height: 1, blocks: [{ height: 1, tasks: [0] }] }]);
  assert.deepEqual(problems.map((error) => error instanceof OcelliError && error.code), ["CLOCK_BEHIND"]);
});

test("what is signed when a fault is found below it is not sent", async () => {
  const { attester, attested, state, signing, goOn } = attest();
  attester.checked(1, 0);
  signing.during = () => (state.head = undefined);
  await goOn(1);
  assert.deepEqual(attested, []);
});

test("what a certificate covers is not said, whether it was checked before or after", async () => {
  const { attester, signed, goOn } = attest();
  attester.checked(1, 0);
  attester.checked(3, 1);
  attester.certified(2);
  attester.checked(2, 0);
  await goOn(2, limits.ATTESTATION_INTERVAL_MS);
  assert.deepEqual(signed, [], "the header is certified too");
  await goOn(3, limits.ATTESTATION_INTERVAL_MS);
  assert.deepEqual(signed, [{ height: 3, blocks: [{ height: 3, tasks: [1] }] }]);
});

test("blocks that were replaced are not attested", async () => {
  const { attester, signed, goOn } = attest();
  await goOn(2);
  attester.checked(2, 0);
  attester.checked(1, 0);
  attester.rewind(1);
  await goOn(2, limits.ATTESTATION_INTERVAL_MS);
  assert.deepEqual(signed[1], { height: 2, blocks: [{ height: 1, tasks: [0] }] });
});

test("no more is remembered than one attester may, and no attestation lists more blocks than it may", async () => {
  const { attester, signed, goOn } = attest();
  const heights = limits.REMEMBERED_BLOCKS + 10;
  for (let height = 1; height <= heights; height += 1) attester.checked(height, 0);
  await goOn(heights);
  assert.equal(signed[0]?.blocks.length, limits.ATTESTATION_BLOCKS);
  assert.equal(signed[0]?.blocks[0]?.height, 11);
});

test("after close nothing is said", async () => {
  const { clock, attester, signed, goOn } = attest();
  attester.close();
  attester.checked(1, 0);
  await goOn(1, limits.ATTESTATION_INTERVAL_MS);
  assert.deepEqual([signed.length, clock.waiting()], [0, 0]);
});
