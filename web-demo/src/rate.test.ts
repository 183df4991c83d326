import assert from "node:assert/strict";
import { test } from "node:test";
import { Rate } from "./rate.js";

test("what was counted is forgotten after three seconds, and the highest is not", () => {
  const rate = new Rate();
  for (let at = 10_000; at < 13_000; at += 10) rate.add(at);
  assert.equal(rate.perSecond(12_999), 100);
  assert.equal(rate.perSecond(14_499), 50);
  assert.equal(rate.perSecond(16_000), 0);
  assert.equal(rate.highest, 100);
});

test("a long silence empties everything at once", () => {
  const rate = new Rate();
  rate.add(1_000);
  assert.equal(rate.perSecond(10_000_000), 0);
  rate.add(10_000_000);
  assert.equal(rate.perSecond(10_000_000), 1 / 3);
});
