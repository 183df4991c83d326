import assert from "node:assert/strict";
import { test } from "node:test";
import { Covered } from "./covered.js";

test("a height is covered whether it is known before or after the certificate", () => {
  const covered = new Covered();
  const log: string[] = [];
  covered.when(2, () => log.push("before"));
  covered.upTo(1);
  assert.equal(log.length, 0);
  covered.upTo(3);
  covered.when(2, () => log.push("after"));
  covered.upTo(2);
  covered.when(3, () => log.push("still"));
  covered.when(4, () => log.push("not yet"));
  assert.deepEqual(log, ["before", "after", "still"]);
});
