/**
 * The blocks that were followed, lowest first, each the parent of the next: to go back to, and to check the tasks of.
 * Documents are kept of the newest ones only, and fetched again for others.
 */

import type { Bytes, Hex } from "./api.js";
import type { BlockInfo, TaskInfo } from "./base/ocelli.js";
import { createByteCache } from "./byte_cache.js";
import * as limits from "./limits.js";

export type FollowedBlock = {
  readonly info: BlockInfo;
  /** The encoded header. */
  readonly header: Bytes;
  readonly signedHeader: Bytes;
  readonly tasks: readonly TaskInfo[];
  /** The encoded header of its parent; none if that is the genesis. */
  readonly parent: Bytes | undefined;
  /** Whether it was taken on the sequencer's word and not opened on its parent. */
  readonly isAnchor: boolean;
};

export type FollowedBlocks = {
  /** The highest block; none at the genesis. */
  readonly head: () => FollowedBlock | undefined;
  /** The height of the head; 0 at the genesis. */
  readonly height: () => number;
  readonly at: (height: number) => FollowedBlock | undefined;
  /** Adds the block above the head, with its encoded document. */
  readonly push: (block: FollowedBlock, document: Bytes) => void;
  /** The block's encoded document, if it is still there. */
  readonly document: (hash: Hex) => Bytes | undefined;
  /** Removes the blocks above `height`. */
  readonly rewind: (height: number) => void;
  /** Forgets everything and continues from `anchor`; without one, from the genesis. */
  readonly restart: (anchor?: FollowedBlock) => void;
  /** The highest block that was opened, is below `below` and has a time not after `latestTimeMs`. */
  readonly votable: (below: number, latestTimeMs: number) => BlockInfo | undefined;
};

export function createFollowedBlocks(): FollowedBlocks {
  const blocks = new Map<number, FollowedBlock>();
  const documents = createByteCache(limits.DOCUMENTS_KEPT_BYTES);
  let height = 0;

  return {
    head: () => blocks.get(height),
    height: () => height,
    at: (at) => blocks.get(at),
    push(block, document) {
      height = block.info.height;
      blocks.set(height, block);
      documents.set(block.info.hash, document);
      blocks.delete(height - limits.REMEMBERED_BLOCKS);
    },
    document: (hash) => documents.get(hash),
    rewind(to) {
      for (const at of [...blocks.keys()]) if (at > to) blocks.delete(at);
      height = Math.min(height, to);
    },
    restart(anchor) {
      blocks.clear();
      height = anchor?.info.height ?? 0;
      if (anchor) blocks.set(height, anchor);
    },
    votable(below, latestTimeMs) {
      for (let at = Math.min(height, below - 1); ; at -= 1) {
        const block = blocks.get(at);
        if (block === undefined || block.isAnchor) return undefined;
        if (block.info.timeMs <= latestTimeMs) return block.info;
      }
    },
  };
}
