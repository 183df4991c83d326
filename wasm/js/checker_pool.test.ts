import assert from "node:assert/strict";
import { test } from "node:test";
import { createByteCache } from "./byte_cache.js";
import { type Checkable, createCheckerPool } from "./checker_pool.js";
import { EndpointError, WorkerError } from "./errors.js";
import * as limits from "./limits.js";
import type { CheckRequest, CheckResult, Reply, Request } from "./protocol.js";
import { createFakeWorker, type FakeWorker } from "./testing/fake_worker.js";
import { createManualClock } from "./testing/manual_clock.js";
import { settled } from "./testing/settled.js";
import { createWorkerClient } from "./worker_client.js";

const bytes = (...values: number[]) => Uint8Array.from(values);
const task: Checkable = { block: "0x1", kind: "row", index: 0, body: bytes(), source: { parent: undefined, document: bytes(9) } };
const valid: CheckResult = { kind: "checked", verdict: { kind: "valid" }, ms: 1 };

/** Answers a check as a worker does. */
const answers = (answer: (given: CheckRequest) => CheckResult) => (request: Request): Reply[] =>
  request.name === "check" ? [{ kind: "answer", id: request.id, answer: answer(request.given) }, { kind: "ready" }] : [];

function pool({ size = 1, answer, fetchCode }: { size?: number; answer?: (request: Request) => Reply[]; fetchCode?: () => Promise<Uint8Array<ArrayBuffer>> }) {
  const workers: FakeWorker[] = [];
  const crashes: WorkerError[] = [];
  const asked: string[] = [];
  const checkers = createCheckerPool({
    size,
    async start() {
      const worker = createFakeWorker(answer);
      workers.push(worker);
      return createWorkerClient(worker, createManualClock());
    },
    async fetchCode(hash, { fresh = false } = {}) {
      asked.push(fresh ? `${hash} fresh` : hash);
      return fetchCode ? fetchCode() : bytes(1);
    },
    codes: createByteCache(1_000),
    onCrash: (error) => void crashes.push(error),
  });
  return { checkers, workers, crashes, asked };
}

test("workers are started when they are needed, and no more of them than asked for", async () => {
  const { checkers, workers } = pool({ size: 2, answer: answers(() => valid) });
  assert.equal(workers.length, 0);
  await checkers.check(task);
  assert.equal(workers.length, 1);
  await Promise.all([1, 2, 3, 4].map(() => checkers.check(task)));
  assert.equal(workers.length, 2);
});

test("a worker gets the block and the code that it lacks, and code is fetched once for all", async () => {
  const steps: string[] = [];
  const { checkers, asked } = pool({
    answer: answers(({ source, codes }) => {
      steps.push(`${source ? "block" : ""}${codes.length}`);
      if (source === undefined) return { kind: "needs-block" };
      return codes.length === 0 ? { kind: "needs-codes", hashes: ["0xa", "0xb"] } : valid;
    }),
  });
  assert.deepEqual(await checkers.check(task), valid);
  assert.deepEqual(steps, ["0", "block0", "block2"]);
  await checkers.check(task);
  assert.deepEqual(asked, ["0xa", "0xb"]);
});

test("a task whose worker crashes is checked in another worker", async () => {
  let first = true;
  const { checkers, workers, crashes } = pool({
    answer(request) {
      if (!first) return answers(() => valid)(request);
      first = false;
      queueMicrotask(() => workers[0]?.crash());
      return [];
    },
  });
  assert.deepEqual(await checkers.check(task), valid);
  assert.deepEqual([workers.length, crashes.length, workers[0]?.isTerminated()], [2, 1, true]);
});

test("a task that crashes every worker is given up", async () => {
  const { checkers, workers } = pool({
    answer() {
      queueMicrotask(() => workers.at(-1)?.crash());
      return [];
    },
  });
  await assert.rejects(checkers.check(task), WorkerError);
  assert.equal(workers.length, limits.TASK_ATTEMPTS);
});

test("a task waits for a worker that rests", async () => {
  const { checkers, workers } = pool({});
  const [one, two] = [checkers.check(task), checkers.check(task)];
  await settled();
  const [worker] = workers;
  assert.equal(worker?.requests.length, 1);
  worker?.reply({ kind: "answer", id: worker.requests[0]?.id ?? 0, answer: valid });
  await one;
  await settled();
  assert.equal(worker?.requests.length, 1, "it has answered, and rests");
  worker?.reply({ kind: "ready" });
  await settled();
  assert.equal(worker?.requests.length, 2);
  worker?.reply({ kind: "answer", id: worker.requests[1]?.id ?? 0, answer: valid });
  await two;
});

test("a worker whose task's code is not to be had is free for the next", async () => {
  let missing = true;
  const { checkers } = pool({
    answer: answers(() => (missing ? { kind: "needs-codes", hashes: ["0xa"] } : valid)),
    fetchCode: () => Promise.reject(new EndpointError("HTTP_STATUS", "no", { url: "", status: 404 })),
  });
  await assert.rejects(checkers.check(task), EndpointError);
  missing = false;
  assert.deepEqual(await checkers.check(task), valid);
});

test("code that did not make a row valid is fetched again, past the caches when told to", async () => {
  const wrong: CheckResult = { kind: "checked", verdict: { kind: "not-committed", part: "code", reason: "other code" }, ms: 1 };
  const { checkers, asked } = pool({
    answer: answers(({ codes }) => (codes.length === 0 ? { kind: "needs-codes", hashes: ["0xa"] } : wrong)),
  });
  await checkers.check(task);
  await checkers.check(task, { fresh: true });
  assert.deepEqual(asked, ["0xa", "0xa fresh"]);
});

test("closing ends the workers and what they do", async () => {
  const { checkers, workers } = pool({});
  const check = checkers.check(task);
  await settled();
  checkers.close();
  await assert.rejects(check, (error) => error instanceof WorkerError && error.code === "STOPPED");
  assert.equal(workers[0]?.isTerminated(), true);
  await assert.rejects(checkers.check(task), WorkerError);
});

test("after a wrong check, code that is at hand is not used but fetched past every cache", async () => {
  const requests: CheckRequest[] = [];
  const { checkers, asked } = pool({
    answer: answers((given) => {
      requests.push(given);
      return given.codes.length === 0 ? { kind: "needs-codes", hashes: ["0xa"] } : valid;
    }),
  });
  await checkers.check(task);
  await checkers.check(task, { fresh: true });
  assert.deepEqual(asked, ["0xa", "0xa fresh"]);
  assert.deepEqual(requests.map(({ fresh }) => fresh), [false, false, true, true]);
});
