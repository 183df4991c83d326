import assert from "node:assert/strict";
import { test } from "node:test";
import { type Attested, createAttester } from "./attester.js";
import type { BlockInfo, TaskList } from "./base/ocelli.js";
import { EndpointError } from "./errors.js";
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
  const state: { head: BlockInfo | undefined; refusal: Error | undefined } = { head: undefined, refusal: undefined };
  const attester = createAttester({
    clock,
    votable: (latest) => (state.head !== undefined && state.head.timeMs <= latest ? state.head : undefined),
    async sign({ height }, blocks) {
      signed.push({ height, blocks });
      return new Uint8Array();
    },
    async post() {
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
  return { clock, attester, signed, attested, problems, state, goOn };
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
  state.refusal = refusal(409, "other_block");
  await goOn(1, limits.ATTESTATION_INTERVAL_MS);
  state.refusal = undefined;
  await goOn(2, limits.ATTESTATION_INTERVAL_MS);
  assert.deepEqual(signed.map(({ blocks }) => blocks.length), [1, 1, 0]);
  assert.equal(problems.length, 2);
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
