/**
 * What this verifier has checked and not yet said, and when it says it: at most one attestation in an interval, each a vote
 * for the highest header that may be voted for, with the tasks of all blocks since.
 *
 * Guaranteed: nothing is signed for a header that is not followed, is above a fault, or claims a time ahead of the own
 * clock; tasks are kept until an endpoint has taken them.
 */

import type { Bytes, Hex } from "./api.js";
import type { BlockInfo, TaskList } from "./base/ocelli.js";
import type { Clock } from "./clock.js";
import { EndpointError } from "./errors.js";
import * as limits from "./limits.js";

export type Attested = { readonly height: number; readonly header: Hex; readonly blocks: readonly TaskList[] };

export type Attester = {
  /** Notes that this verifier has found a task valid. */
  readonly checked: (height: number, task: number) => void;
  /** Says that there may be more to vote for. */
  readonly wake: () => void;
  /** Says that the key has another owner: it may have a vote now. */
  readonly ownerChanged: () => void;
  /** Forgets what was checked up to `height`: a certificate covers it, so that no endpoint takes it any more. */
  readonly certified: (height: number) => void;
  /** Forgets what was checked above `height`: those blocks are not of the chain any more. */
  readonly rewind: (height: number) => void;
  readonly close: () => void;
};

export type AttesterOptions = {
  readonly clock: Clock;
  /** The highest block that may be voted for, given the latest time that its header may claim. */
  readonly votable: (latestTimeMs: number) => BlockInfo | undefined;
  readonly sign: (vote: BlockInfo, blocks: readonly TaskList[]) => Promise<Bytes>;
  readonly post: (attestation: Bytes) => Promise<void>;
  readonly onAttested: (attested: Attested) => void;
  readonly onProblem: (error: unknown) => void;
};

/** The status of who may say it again later. */
const TOO_MANY = 429;
/** Refusals that are no trouble: another session of the same owner was faster, or a certificate was. */
const SAID_ALREADY = new Set(["nothing_new", "stale"]);

export function createAttester(options: AttesterOptions): Attester {
  const { clock, votable, sign, post } = options;
  /** By height: what was checked and not yet taken by an endpoint. */
  const pending = new Map<number, Set<number>>();
  let voted = 0;
  let certified = 0;
  let nextAt = 0;
  let busy = false;
  let closed = false;
  /** Nobody with a vote stands behind the key: only faults are of use. */
  let muted = false;
  let cancel: (() => void) | undefined;

  function schedule() {
    if (closed || muted || busy || cancel !== undefined || (pending.size === 0 && !hasNewVote())) return;
    const wait = nextAt - clock.now();
    // Also for what may be sent at once: what happens together is then said together.
    cancel = clock.after(Math.max(0, wait), () => {
      cancel = undefined;
      void attest();
    });
  }

  function hasNewVote(): boolean {
    return (votable(clock.now() + limits.CLOCK_AHEAD_MS)?.height ?? 0) > voted;
  }

  async function attest() {
    const vote = votable(clock.now() + limits.CLOCK_AHEAD_MS);
    if (closed || vote === undefined) return;
    const blocks = collect(vote.height);
    if (blocks.length === 0 && vote.height <= voted) return;
    busy = true;
    nextAt = clock.now() + limits.ATTESTATION_INTERVAL_MS;
    try {
      await post(await sign(vote, blocks));
      taken(vote, blocks);
    } catch (error) {
      refused(error, vote, blocks);
    } finally {
      busy = false;
      schedule();
    }
  }

  /** What was checked up to `height`, ascending, no more than one attestation may list. */
  function collect(height: number): TaskList[] {
    const heights = [...pending.keys()].filter((at) => at <= height).sort((one, two) => one - two);
    const blocks: TaskList[] = [];
    let count = 0;
    for (const at of heights.slice(0, limits.ATTESTATION_BLOCKS)) {
      const tasks = [...(pending.get(at) ?? [])].sort((one, two) => one - two);
      count += tasks.length;
      if (count > limits.ATTESTATION_TASKS && blocks.length > 0) break;
      blocks.push({ height: at, tasks });
    }
    return blocks;
  }

  function refused(error: unknown, vote: BlockInfo, blocks: readonly TaskList[]) {
    const { status = 0, reason = "" } = error instanceof EndpointError ? error : {};
    // What an endpoint refuses it will refuse again; one that is busy or not there may take it later.
    if (status >= 400 && status < 500 && status !== TOO_MANY) forget(vote, blocks);
    muted = reason === "not_registered";
    if (!SAID_ALREADY.has(reason)) options.onProblem(error);
  }

  function taken(vote: BlockInfo, blocks: readonly TaskList[]) {
    forget(vote, blocks);
    if (!closed) options.onAttested({ height: vote.height, header: vote.hash, blocks });
  }

  function forget(vote: BlockInfo, blocks: readonly TaskList[]) {
    voted = Math.max(voted, vote.height);
    for (const { height, tasks } of blocks) {
      const left = pending.get(height);
      for (const task of tasks) left?.delete(task);
      if (left?.size === 0) pending.delete(height);
    }
  }

  return {
    checked(height, task) {
      if (height <= certified) return;
      let tasks = pending.get(height);
      if (tasks === undefined) pending.set(height, (tasks = new Set()));
      tasks.add(task);
      // What cannot be handed in for so long, others have checked by now.
      if (pending.size > limits.REMEMBERED_BLOCKS) pending.delete(Math.min(...pending.keys()));
      schedule();
    },
    wake: schedule,
    ownerChanged() {
      muted = false;
      schedule();
    },
    certified(height) {
      certified = Math.max(certified, height);
      for (const covered of pending.keys()) if (covered <= height) pending.delete(covered);
      voted = Math.max(voted, height);
    },
    rewind(height) {
      for (const above of pending.keys()) if (above > height) pending.delete(above);
      voted = Math.min(voted, height);
    },
    close() {
      closed = true;
      cancel?.();
    },
  };
}
