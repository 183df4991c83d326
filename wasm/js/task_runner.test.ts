import assert from "node:assert/strict";
import { test } from "node:test";
import { EndpointError, WorkerError } from "./errors.js";
import * as limits from "./limits.js";
import { createTaskBoard } from "./task_board.js";
import { createTaskRunner } from "./task_runner.js";
import { createManualClock } from "./testing/manual_clock.js";
import { settled } from "./testing/settled.js";

const lost = new EndpointError("CONNECTION_LOST", "gone", { url: "" });
const busy = new EndpointError("HTTP_STATUS", "busy", { url: "", status: 503, retryAfterMs: 5_000 });
const notThere = new EndpointError("HTTP_STATUS", "none", { url: "", status: 404 });
const crashed = new WorkerError("WORKER_CRASHED", "crash");

/** A runner of so many tasks of block 1, each of which ends as `outcome` says at that time. */
function run(tasks: number, outcome: (task: number) => Error | undefined, atOnce = 2) {
  const clock = createManualClock();
  const board = createTaskBoard({ redundancy: 1, maxBlocks: 8, maxCertified: 8 });
  const [tried, done, problems]: [number[], number[], unknown[]] = [[], [], []];
  const runner = createTaskRunner({
    clock,
    board,
    atOnce,
    async run({ task }) {
      tried.push(task);
      const error = outcome(task);
      if (error) throw error;
      done.push(task);
    },
    onDone() {},
    onProblem: (error) => void problems.push(error),
  });
  board.add({ height: 1, hash: "0x1", order: [...Array(tasks).keys()] });
  runner.wake();
  const pass = async (ms: number) => {
    await settled();
    clock.advance(ms);
    await settled();
  };
  return { clock, board, runner, tried, done, problems, pass };
}

for (const [name, error] of Object.entries({ lost, busy, notThere, crashed })) {
  test(`a task is done once whatever kept it from it has passed: ${name}`, async () => {
    let refusal: Error | undefined = error;
    const { done, problems, pass } = run(3, () => refusal);
    for (let time = 0; time < 4; time += 1) await pass(limits.RETRY_MAX_MS);
    assert.deepEqual(done, []);
    assert.ok(problems.length > 0);
    refusal = undefined;
    for (let time = 0; time < 2; time += 1) await pass(limits.RETRY_MAX_MS);
    assert.deepEqual(done.sort(), [0, 1, 2]);
  });
}

test("an endpoint that is the trouble is asked for no other task until it said that it may be", async () => {
  const { tried, pass } = run(9, () => busy);
  await pass(4_999);
  assert.equal(tried.length, 2, "those that were under way");
  await pass(1);
  assert.equal(tried.length, 4);
});

test("a connection ends the rest", async () => {
  let refusal: Error | undefined = busy;
  const { runner, done } = run(1, () => refusal);
  await settled();
  refusal = undefined;
  runner.connected();
  await settled();
  assert.deepEqual(done, [0]);
});

test("a task that is not to be had keeps no other waiting, and is given up after a long time", async () => {
  const { clock, runner, tried, done, pass } = run(5, (task) => (task === 1 ? notThere : undefined));
  await pass(0);
  assert.deepEqual(done, [0, 2, 3, 4]);
  assert.equal(runner.lowest(), 1);
  for (let ms = 0; ms <= limits.TASK_PATIENCE_MS + limits.RETRY_MAX_MS; ms += limits.RETRY_MAX_MS) await pass(limits.RETRY_MAX_MS);
  assert.equal(runner.lowest(), Infinity);
  const tries = tried.length;
  await pass(limits.TASK_PATIENCE_MS);
  assert.deepEqual([tried.length, clock.waiting()], [tries, 0]);
});

test("a task whose body is not kept any more is given up at once", async () => {
  const gone = new EndpointError("HTTP_STATUS", "gone", { url: "", status: 410, reason: "not_kept" });
  const { clock, runner, tried, done, problems, pass } = run(3, (task) => (task === 1 ? gone : undefined));
  for (let time = 0; time < 4; time += 1) await pass(limits.RETRY_MAX_MS);
  assert.deepEqual([tried, done, problems], [[0, 1, 2], [0, 2], [gone]]);
  assert.deepEqual([runner.lowest(), clock.waiting()], [Infinity, 0]);
});

test("after close nothing is tried and nothing waits", async () => {
  const { clock, runner, tried, pass } = run(4, (task) => (task === 0 ? notThere : lost));
  await pass(0);
  runner.close();
  const tries = tried.length;
  assert.equal(clock.waiting(), 0);
  await pass(limits.RETRY_MAX_MS);
  assert.equal(tried.length, tries);
});

test("paused, nothing is taken", async () => {
  const { board, runner, done, pass } = run(1, () => undefined);
  await pass(0);
  runner.pause();
  board.add({ height: 2, hash: "0x2", order: [7] });
  runner.wake();
  await pass(0);
  assert.deepEqual(done, [0]);
  runner.resume();
  await pass(0);
  assert.deepEqual(done, [0, 7]);
});
