import assert from "node:assert/strict";
import { test } from "node:test";
import * as limits from "./limits.js";
import { createRoom } from "./room.js";
import { settled } from "./testing/settled.js";

test("a block is let in when the lowest task that waits is near enough, and no sooner", async () => {
  let lowest = 1;
  const room = createRoom(() => lowest);
  await room.at(limits.BLOCKS_AHEAD);
  let isIn = false;
  void room.at(limits.BLOCKS_AHEAD + 1).then(() => (isIn = true));
  room.look();
  await settled();
  assert.equal(isIn, false);
  lowest = 2;
  room.look();
  await settled();
  assert.equal(isIn, true);
});

test("where nothing waits there is room for any block", async () => {
  await createRoom(() => Infinity).at(1_000_000);
});
