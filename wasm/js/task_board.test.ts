import assert from "node:assert/strict";
import { test } from "node:test";
import { createTaskBoard, type TaskBoard } from "./task_board.js";

const [ANN, BOB] = ["0xa", "0xb"] as const;

function board(options: { redundancy?: number; maxBlocks?: number; maxCertified?: number } = {}): TaskBoard {
  return createTaskBoard({ redundancy: 1, maxBlocks: 8, maxCertified: 8, ...options });
}

function add(tasks: TaskBoard, height: number, order: readonly number[]) {
  tasks.add({ height, hash: `0x${height}`, order });
}

/** All that can be taken, as "height/task". */
function takeAll(tasks: TaskBoard): string[] {
  const taken: string[] = [];
  for (let next = tasks.take(); next; next = tasks.take()) taken.push(`${next.height}/${next.task}`);
  return taken;
}

test("tasks come block by block, in each in the verifier's own order, and each once", () => {
  const tasks = board();
  add(tasks, 1, [2, 0, 1]);
  add(tasks, 2, [0, 1]);
  assert.deepEqual(takeAll(tasks), ["1/2", "1/0", "1/1", "2/0", "2/1"]);
});

test("what registered verifiers attested comes after everything that nobody did, the newest first", () => {
  const tasks = board();
  add(tasks, 1, [0, 1]);
  add(tasks, 2, [0, 1]);
  tasks.attested(ANN, 1, [0]);
  tasks.attested(ANN, 2, [1]);
  assert.deepEqual(tasks.waiting(), { tasks: 4, uncovered: 2 });
  assert.deepEqual(takeAll(tasks), ["1/1", "2/0", "2/1", "1/0"]);
});

test("a task is covered by as many different verifiers as the chain asks for", () => {
  const tasks = board({ redundancy: 2 });
  add(tasks, 1, [0, 1]);
  tasks.attested(ANN, 1, [0]);
  tasks.attested(ANN, 1, [0]);
  assert.equal(tasks.waiting().uncovered, 2);
  tasks.attested(BOB, 1, [0]);
  assert.equal(tasks.waiting().uncovered, 1);
});

test("a task given back is taken again", () => {
  const tasks = board();
  add(tasks, 1, [0]);
  const task = tasks.take();
  assert.ok(task);
  assert.equal(tasks.take(), undefined);
  tasks.giveBack(task);
  assert.deepEqual(tasks.take(), task);
});

test("a certificate covers all tasks up to its height, and only so many certified blocks are kept", () => {
  const tasks = board({ maxCertified: 1 });
  for (const height of [1, 2, 3]) add(tasks, height, [0]);
  tasks.certified(2);
  assert.deepEqual(takeAll(tasks), ["3/0", "2/0"]);
});

test("no more blocks wait than may", () => {
  const tasks = board({ maxBlocks: 2 });
  for (const height of [1, 2, 3]) add(tasks, height, [0]);
  assert.deepEqual(takeAll(tasks), ["2/0", "3/0"]);
});

test("tasks of blocks that were replaced are gone, also those under way", () => {
  const tasks = board();
  add(tasks, 1, [0]);
  add(tasks, 2, [0, 1]);
  assert.equal(tasks.take()?.height, 1);
  const underWay = tasks.take();
  assert.ok(underWay);
  tasks.rewind(1);
  tasks.giveBack(underWay);
  assert.deepEqual(takeAll(tasks), []);
  tasks.add({ height: 2, hash: "0xother", order: [5] });
  tasks.giveBack(underWay);
  assert.deepEqual(takeAll(tasks), ["2/5"]);
});

test("the lowest height is that of the lowest block with a task that nobody has taken", () => {
  const tasks = board();
  assert.equal(tasks.lowest(), Infinity);
  add(tasks, 1, [0]);
  add(tasks, 2, [0]);
  tasks.certified(1);
  assert.equal(tasks.lowest(), 1);
  assert.equal(tasks.take()?.height, 2);
  assert.equal(tasks.lowest(), 1);
  tasks.take();
  assert.equal(tasks.lowest(), Infinity);
});
