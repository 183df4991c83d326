import assert from "node:assert/strict";
import { test } from "node:test";
import { createBackoff } from "./backoff.js";

test("waits double up to the longest, and begin anew after a success", () => {
  const backoff = createBackoff({ minMs: 100, maxMs: 500, random: () => 1 });
  assert.deepEqual([1, 2, 3, 4, 5].map(() => backoff.next()), [100, 200, 400, 500, 500]);
  backoff.reset();
  assert.equal(backoff.next(), 100);
});

test("half of a wait is left to chance", () => {
  const backoff = createBackoff({ minMs: 100, maxMs: 500, random: () => 0 });
  assert.equal(backoff.next(), 50);
});
