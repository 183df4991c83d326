import assert from "node:assert/strict";
import { test } from "node:test";
import { CoreError, WorkerError } from "./errors.js";
import * as limits from "./limits.js";
import { superviseWorker } from "./supervised_worker.js";
import { createFakeWorker, type FakeWorker } from "./testing/fake_worker.js";
import { createManualClock } from "./testing/manual_clock.js";
import { createWorkerClient } from "./worker_client.js";

const given = { frame: new Uint8Array() };

function supervise(isHealthy: (started: number) => boolean) {
  const workers: FakeWorker[] = [];
  const crashes: WorkerError[] = [];
  const supervised = superviseWorker(
    async () => {
      const started = workers.length + 1;
      const worker = createFakeWorker(({ id }) => {
        if (isHealthy(started)) return [{ kind: "answer", id, answer: { kind: "lagged" } }];
        queueMicrotask(() => worker.crash());
        return [];
      });
      workers.push(worker);
      return createWorkerClient(worker, createManualClock());
    },
    (error) => void crashes.push(error),
  );
  return { supervised, workers, crashes };
}

test("one worker is started, when it is first called, and answers all calls", async () => {
  const { supervised, workers } = supervise(() => true);
  assert.equal(workers.length, 0);
  await Promise.all([1, 2].map(() => supervised.call("decode", given)));
  assert.equal(workers.length, 1);
});

test("after a crash the call is answered by a new worker", async () => {
  const { supervised, workers, crashes } = supervise((started) => started > 1);
  assert.deepEqual(await supervised.call("decode", given), { kind: "lagged" });
  assert.deepEqual([workers.length, crashes.length], [2, 1]);
});

test("a call that crashes every worker is given up", async () => {
  const { supervised, workers } = supervise(() => false);
  await assert.rejects(supervised.call("decode", given), WorkerError);
  assert.equal(workers.length, limits.TASK_ATTEMPTS);
});

test("a worker that cannot be started says why, and is tried anew by the next call", async () => {
  let starts = 0;
  const supervised = superviseWorker(
    async () => {
      starts += 1;
      throw new CoreError("OTHER_GENESIS", "another chain");
    },
    () => {},
  );
  for (const expected of [1, 2]) {
    await assert.rejects(supervised.call("decode", given), (error) => error instanceof CoreError);
    assert.equal(starts, expected);
  }
});

test("after close there is no worker", async () => {
  const { supervised, workers } = supervise(() => true);
  await supervised.call("decode", given);
  supervised.close();
  await assert.rejects(supervised.call("decode", given), (error) => error instanceof WorkerError && error.code === "STOPPED");
  assert.equal(workers[0]?.isTerminated(), true);
});
