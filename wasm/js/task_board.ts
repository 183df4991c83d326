/**
 * Which task comes next.
 *
 * First the tasks that too few registered verifiers are known to have checked, oldest block first, because a certificate
 * waits for those; then the rest, newest block first, because an idle verifier is the more eyes. In each block a verifier
 * has an order of its own, so that verifiers begin in different places. What is beyond a number of blocks is left to others.
 */

import type { Hex } from "./api.js";

export type BoardBlock = {
  readonly height: number;
  readonly hash: Hex;
  /** The tasks' numbers in this verifier's order. */
  readonly order: Iterable<number>;
};

export type BoardTask = { readonly height: number; readonly hash: Hex; readonly task: number };

export type TaskBoard = {
  /** Adds a block above all that are there. */
  readonly add: (block: BoardBlock) => void;
  /** Takes the next task, if there is one. */
  readonly take: () => BoardTask | undefined;
  /** Puts back a task that was taken and could not be checked. */
  readonly giveBack: (task: BoardTask) => void;
  /** Notes that a registered verifier attested tasks of the block at `height`. */
  readonly attested: (owner: Hex, height: number, tasks: Iterable<number>) => void;
  /** Notes that a certificate covers all blocks up to `height`. */
  readonly certified: (height: number) => void;
  /** Removes the blocks above `height`: they are not of the chain any more. */
  readonly rewind: (height: number) => void;
  /** The lowest height with a task that nobody has taken; `Infinity` if there is none. */
  readonly lowest: () => number;
  /** Tasks that nobody has taken, and how many of them are not covered. */
  readonly waiting: () => { readonly tasks: number; readonly uncovered: number };
};

export type TaskBoardOptions = {
  /** How many registered verifiers must have checked a task for it to be covered. */
  readonly redundancy: number;
  /** Most blocks. */
  readonly maxBlocks: number;
  /** Most certified blocks. */
  readonly maxCertified: number;
};

type Entry = {
  readonly height: number;
  readonly hash: Hex;
  /** Tasks that nobody has taken and that are not covered, in order; then the same for covered ones. */
  readonly uncovered: Set<number>;
  readonly covered: Set<number>;
  /** Who attested what. */
  readonly owners: Map<Hex, Set<number>>;
  readonly counts: Map<number, number>;
  certified: boolean;
};

export function createTaskBoard({ redundancy, maxBlocks, maxCertified }: TaskBoardOptions): TaskBoard {
  /** Ascending by height. */
  const entries = new Map<number, Entry>();
  const needed = Math.max(1, redundancy);

  const isCovered = (entry: Entry, task: number) => entry.certified || (entry.counts.get(task) ?? 0) >= needed;
  const newestFirst = () => [...entries.values()].reverse();

  function dropOldest(heights: readonly number[], keep: number) {
    for (const old of heights.slice(0, Math.max(0, heights.length - keep))) entries.delete(old);
  }

  function takeFrom(entry: Entry, tasks: Set<number>): BoardTask | undefined {
    for (const task of tasks) {
      tasks.delete(task);
      return { height: entry.height, hash: entry.hash, task };
    }
    return undefined;
  }

  function count(entry: Entry, owner: Hex, task: number) {
    let theirs = entry.owners.get(owner);
    if (theirs === undefined) entry.owners.set(owner, (theirs = new Set()));
    if (theirs.has(task)) return;
    theirs.add(task);
    entry.counts.set(task, (entry.counts.get(task) ?? 0) + 1);
    if (isCovered(entry, task) && entry.uncovered.delete(task)) entry.covered.add(task);
  }

  return {
    add({ height, hash, order }) {
      const uncovered = new Set(order);
      entries.set(height, {
        height,
        hash,
        uncovered,
        covered: new Set(),
        owners: new Map(),
        counts: new Map(),
        certified: false,
      });
      dropOldest([...entries.keys()], maxBlocks);
    },
    take() {
      for (const entry of entries.values()) {
        const task = takeFrom(entry, entry.uncovered);
        if (task !== undefined) return task;
      }
      for (const entry of newestFirst()) {
        const task = takeFrom(entry, entry.covered);
        if (task !== undefined) return task;
      }
      return undefined;
    },
    giveBack({ height, hash, task }) {
      const entry = entries.get(height);
      if (entry?.hash !== hash) return;
      (isCovered(entry, task) ? entry.covered : entry.uncovered).add(task);
    },
    attested(owner, height, tasks) {
      const entry = entries.get(height);
      if (entry === undefined) return;
      for (const task of tasks) count(entry, owner, task);
    },
    certified(height) {
      for (const entry of entries.values()) {
        if (entry.height > height || entry.certified) continue;
        entry.certified = true;
        for (const task of entry.uncovered) entry.covered.add(task);
        entry.uncovered.clear();
      }
      dropOldest([...entries.keys()].filter((at) => at <= height), maxCertified);
    },
    rewind(height) {
      for (const above of entries.keys()) if (above > height) entries.delete(above);
    },
    lowest() {
      for (const { height, uncovered, covered } of entries.values()) if (uncovered.size + covered.size > 0) return height;
      return Infinity;
    },
    waiting() {
      let [tasks, uncovered] = [0, 0];
      for (const entry of entries.values()) {
        tasks += entry.uncovered.size + entry.covered.size;
        uncovered += entry.uncovered.size;
      }
      return { tasks, uncovered };
    },
  };
}
