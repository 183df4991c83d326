import assert from "node:assert/strict";
import { test } from "node:test";
import { Tally } from "./tally.js";

test("a task counts once for this tab and once for all others, however often it is said", () => {
  const tally = new Tally();
  tally.add(1, 4);
  for (const [task, by] of [[0, "me"], [0, "me"], [1, "other"], [1, "other"], [2, "me"], [2, "other"]] as const) {
    tally.check(1, task, by);
  }
  assert.deepEqual(tally.counts, { mine: 1, others: 1, both: 1, waiting: 1 });
});

test("a block that is told of twice has its tasks once, and a task that it lacks is none", () => {
  const tally = new Tally();
  tally.add(1, 2);
  tally.add(1, 2);
  tally.check(1, 2, "me");
  tally.check(7, 0, "me");
  assert.deepEqual(tally.counts, { mine: 0, others: 0, both: 0, waiting: 2 });
});

test("what a certificate covers waits for nobody, and is still this tab's when it is checked here too", () => {
  const tally = new Tally();
  tally.add(1, 2);
  tally.add(2, 1);
  tally.check(1, 0, "me");
  tally.certified(1);
  assert.deepEqual(tally.counts, { mine: 1, others: 1, both: 0, waiting: 1 });
  tally.check(1, 1, "me");
  assert.deepEqual(tally.counts, { mine: 1, others: 0, both: 1, waiting: 1 });
});

test("replaced blocks are not counted, and those that replace them are", () => {
  const tally = new Tally();
  tally.add(1, 2);
  tally.add(2, 3);
  tally.check(1, 0, "me");
  tally.check(2, 0, "me");
  tally.rewind(1);
  assert.deepEqual(tally.counts, { mine: 1, others: 0, both: 0, waiting: 1 });
  tally.add(2, 5);
  assert.deepEqual(tally.counts, { mine: 1, others: 0, both: 0, waiting: 6 });
});

test("blocks beyond those that are remembered stay counted as they were", () => {
  const tally = new Tally(2);
  tally.add(1, 1);
  tally.check(1, 0, "me");
  tally.add(2, 1);
  tally.add(3, 1);
  tally.check(1, 0, "other");
  assert.deepEqual(tally.counts, { mine: 1, others: 0, both: 0, waiting: 2 });
});
