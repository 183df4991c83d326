import assert from "node:assert/strict";
import { test } from "node:test";
import { createFollowedBlocks } from "./followed_blocks.js";
import * as limits from "./limits.js";
import { blockInfo } from "./testing/block_info.js";

const none = new Uint8Array();

function block(height: number, { timeMs = 0, isAnchor = false } = {}) {
  return { info: blockInfo({ height, timeMs }), header: none, signedHeader: none, tasks: [], parent: undefined, isAnchor };
}

function upTo(height: number) {
  const blocks = createFollowedBlocks();
  for (let at = 1; at <= height; at += 1) blocks.push(block(at, { timeMs: 100 * at }), Uint8Array.of(at));
  return blocks;
}

test("the highest block is voted for that was opened, is below every fault and not of the future", () => {
  const blocks = upTo(5);
  assert.equal(blocks.votable(Infinity, Infinity)?.height, 5);
  assert.equal(blocks.votable(4, Infinity)?.height, 3);
  assert.equal(blocks.votable(Infinity, 200)?.height, 2);
  assert.equal(blocks.votable(1, Infinity), undefined);
  blocks.restart(block(9, { isAnchor: true }));
  assert.equal(blocks.votable(Infinity, Infinity), undefined, "nobody has opened it");
});

test("what is rewound is forgotten, and nothing below", () => {
  const blocks = upTo(3);
  blocks.rewind(2);
  assert.deepEqual([blocks.height(), blocks.head()?.info.height], [2, 2]);
  assert.equal(blocks.at(3), undefined);
  assert.equal(blocks.at(1)?.info.height, 1);
});

test("no more blocks are remembered than may be", () => {
  const blocks = upTo(limits.REMEMBERED_BLOCKS + 1);
  assert.equal(blocks.at(1), undefined);
  assert.equal(blocks.at(2)?.info.height, 2);
});

test("nothing is left of the blocks before a restart", () => {
  const blocks = upTo(3);
  blocks.restart(block(9));
  assert.deepEqual([blocks.height(), blocks.at(3)], [9, undefined]);
  blocks.restart();
  assert.deepEqual([blocks.height(), blocks.head()], [0, undefined]);
});
