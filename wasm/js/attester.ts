/**
 * What this verifier has checked and not yet said, and when it says it: at most one attestation in an interval, each a vote
 * for the highest header that may be voted for, with the tasks of all blocks since.
 *
 * Guaranteed: nothing is sent for a header that is not followed, is above a fault, or claims a time ahead of the own
 * clock; tasks are kept until an endpoint has taken them, or has said that it never will.
 */

import type { Bytes, Hex } from "./api.js";
import { createBackoff } from "./backoff.js";
import type { BlockInfo, TaskList } from "./base/ocelli.js";
import type { Clock } from "./clock.js";
import { EndpointError, OcelliError } from "./errors.js";
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

/** Refusals of what is said: saying it again is of no use. */
const SAID_IN_VAIN = new Set(["nothing_new", "stale", "no_such_task", "malformed", "too_large"]);
/** Of these, what is no trouble: another session of the same owner was faster, or a certificate was. */
const SAID_ALREADY = new Set(["nothing_new", "stale"]);
/** Refusals of the key: what it has checked may still be said once it has another owner. */
const KEY_REFUSED = new Set(["not_registered", "invalid_attestation"]);
/** Refusals of the header: it was replaced, which this verifier will hear of; what was checked below it may still hold. */
const HEADER_REFUSED = new Set(["other_block", "other_term"]);

export function createAttester(options: AttesterOptions): Attester {
  const { clock, votable, sign, post } = options;
  const backoff = createBackoff({ minMs: limits.ATTESTATION_INTERVAL_MS, maxMs: limits.RETRY_MAX_MS });
  /** By height: what was checked and not yet taken by an endpoint. */
  const pending = new Map<number, Set<number>>();
  let voted = 0;
  let certified = 0;
  let nextAt = 0;
  let busy = false;
  let closed = false;
  /** How many owners the key has had. */
  let owners = 0;
  /** Nobody with a vote stands behind the key: only faults are of use. */
  let muted = false;
  /** The header that the endpoint says was replaced. */
  let refusedHeader: Hex | undefined;
  let clockIsBehind = false;
  let timer: { readonly at: number; readonly cancel: () => void } | undefined;

  function schedule() {
    if (closed || muted || busy) return;
    const at = due();
    if (at === undefined || (timer !== undefined && timer.at <= at)) return;
    timer?.cancel();
    // Also for what may be sent at once: what happens together is then said together.
    const cancel = clock.after(Math.max(0, at - clock.now()), () => {
      timer = undefined;
      void attest();
    });
    timer = { at, cancel };
  }

  /** When there is something to say, if there is. */
  function due(): number | undefined {
    const head = votable(Infinity);
    const ahead = head === undefined ? 0 : head.timeMs - limits.CLOCK_AHEAD_MS - clock.now();
    if (head !== undefined) tellOfClock(head, ahead > 0);
    if (isNews(votable(clock.now() + limits.CLOCK_AHEAD_MS))) return nextAt;
    // The header's time comes, though perhaps no block does.
    return ahead > 0 && isNews(head) ? Math.max(nextAt, clock.now() + ahead) : undefined;
  }

  function isNews(vote: BlockInfo | undefined): vote is BlockInfo {
    if (vote === undefined || vote.hash === refusedHeader) return false;
    if (vote.height > voted) return true;
    for (const height of pending.keys()) if (height <= vote.height) return true;
    return false;
  }

  function tellOfClock({ height, timeMs }: BlockInfo, isBehind: boolean) {
    if (isBehind && !clockIsBehind) {
      const seconds = Math.round((timeMs - clock.now()) / 1_000);
      options.onProblem(new OcelliError("CLOCK_BEHIND", `Block ${height} claims a time ${seconds} s from now`));
    }
    clockIsBehind = isBehind;
  }

  async function attest() {
    const vote = votable(clock.now() + limits.CLOCK_AHEAD_MS);
    if (closed || !isNews(vote)) return schedule();
    const blocks = collect(vote.height);
    const owner = owners;
    busy = true;
    nextAt = clock.now() + limits.ATTESTATION_INTERVAL_MS;
    try {
      const signed = await sign(vote, blocks);
      // A fault may have been found while it was signed, or the block replaced.
      if (closed || (votable(Infinity)?.height ?? 0) < vote.height) return;
      await post(signed);
      taken(vote, blocks);
    } catch (error) {
      refused(error, vote, blocks, owner);
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

  function refused(error: unknown, vote: BlockInfo, blocks: readonly TaskList[], owner: number) {
    const { reason = "", retryAfterMs = 0 } = error instanceof EndpointError ? error : {};
    // Of the owner before.
    if (KEY_REFUSED.has(reason) && owner !== owners) return;
    if (SAID_IN_VAIN.has(reason)) forget(vote, blocks);
    else if (KEY_REFUSED.has(reason)) muted = true;
    else if (HEADER_REFUSED.has(reason)) refusedHeader = vote.hash;
    else nextAt = clock.now() + Math.max(backoff.next(), retryAfterMs, limits.ATTESTATION_INTERVAL_MS);
    if (!SAID_ALREADY.has(reason)) options.onProblem(error);
  }

  function taken(vote: BlockInfo, blocks: readonly TaskList[]) {
    forget(vote, blocks);
    backoff.reset();
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
      owners += 1;
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
      refusedHeader = undefined;
    },
    close() {
      closed = true;
      timer?.cancel();
    },
  };
}
