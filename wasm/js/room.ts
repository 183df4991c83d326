/** Keeps whoever follows the chain from running ahead of those that check it. */

import * as limits from "./limits.js";

export type Room = {
  /** Resolves when the block at `height` is not too far above the lowest one with unchecked tasks. */
  readonly at: (height: number) => Promise<void>;
  /** Says that there may be more room. */
  readonly look: () => void;
};

/** `lowest` is the lowest height with a task that is not checked; `Infinity` if there is none. */
export function createRoom(lowest: () => number): Room {
  let waiting: { readonly height: number; readonly resolve: () => void }[] = [];
  const isThere = (height: number) => height - lowest() < limits.BLOCKS_AHEAD;
  return {
    at(height) {
      if (isThere(height)) return Promise.resolve();
      return new Promise((resolve) => waiting.push({ height, resolve }));
    },
    look() {
      const here = waiting.filter(({ height }) => isThere(height));
      waiting = waiting.filter((one) => !here.includes(one));
      for (const { resolve } of here) resolve();
    },
  };
}
