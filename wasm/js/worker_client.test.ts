import assert from "node:assert/strict";
import { test } from "node:test";
import { CoreError, WorkerError } from "./errors.js";
import * as limits from "./limits.js";
import type { CheckRequest } from "./protocol.js";
import { createFakeWorker } from "./testing/fake_worker.js";
import { createManualClock } from "./testing/manual_clock.js";
import { settled } from "./testing/settled.js";
import { createWorkerClient } from "./worker_client.js";

const frame = new Uint8Array();
const check: CheckRequest = { block: "0x", source: undefined, kind: "row", index: 0, body: frame, codes: [], fresh: false };

test("answers come to whoever asked, in whatever order they are given", async () => {
  const worker = createFakeWorker();
  const client = createWorkerClient(worker, createManualClock());
  const calls = [1, 2].map(() => client.call("decode", { frame }));
  const [one, two] = worker.requests;
  assert.ok(one && two);
  worker.reply({ kind: "answer", id: two.id, answer: { kind: "lagged" } });
  worker.reply({ kind: "answer", id: one.id, answer: { kind: "fault", height: 1, evidence: "0x" } });
  assert.deepEqual((await Promise.all(calls)).map(({ kind }) => kind), ["fault", "lagged"]);
});

test("an error keeps the core's code", async () => {
  const worker = createFakeWorker(({ id }) => [{ kind: "error", id, code: "OTHER_GENESIS", message: "no" }]);
  const client = createWorkerClient(worker, createManualClock());
  await assert.rejects(client.call("decode", { frame }), (error) => error instanceof CoreError && error.code === "OTHER_GENESIS");
  assert.equal(client.isGone(), false);
});

test("a crash rejects every call, those to come too", async () => {
  const worker = createFakeWorker();
  const clock = createManualClock();
  const client = createWorkerClient(worker, clock);
  const call = client.call("decode", { frame });
  worker.crash("unreachable");
  await assert.rejects(call, (error) => error instanceof WorkerError && /unreachable/.test(error.message));
  await assert.rejects(client.call("decode", { frame }), WorkerError);
  assert.deepEqual([client.isGone(), worker.isTerminated(), clock.waiting()], [true, true, 0]);
  await client.whenReady();
});

test("a worker that crashes before it has said anything was none", async () => {
  const codes: string[] = [];
  for (const hasBegun of [false, true]) {
    const worker = createFakeWorker();
    const client = createWorkerClient(worker, createManualClock());
    if (hasBegun) worker.reply({ kind: "ready" });
    const call = client.call("decode", { frame });
    worker.crash();
    await call.catch((error: WorkerError) => codes.push(error.code));
  }
  assert.deepEqual(codes, ["NO_WORKER", "WORKER_CRASHED"]);
});

test("a worker that does not answer is ended", async () => {
  const worker = createFakeWorker();
  const clock = createManualClock();
  const client = createWorkerClient(worker, clock);
  const call = client.call("decode", { frame });
  clock.advance(limits.WORKER_MS);
  await assert.rejects(call, WorkerError);
  assert.equal(worker.isTerminated(), true);
});

test("a worker is ready for a check when it says so, not when it has answered", async () => {
  const worker = createFakeWorker();
  const client = createWorkerClient(worker, createManualClock());
  const call = client.call("check", check);
  let ready = false;
  void client.whenReady().then(() => (ready = true));
  worker.reply({ kind: "answer", id: worker.requests[0]?.id ?? 0, answer: { kind: "needs-block" } });
  await call;
  await settled();
  assert.equal(ready, false);
  worker.reply({ kind: "ready" });
  await settled();
  assert.equal(ready, true);
});
