/**
 * Takes task after task from the board, a few at a time, so that one is fetched while another is checked.
 *
 * Guaranteed: a task that ends without a verdict is tried again. If the endpoint is the trouble, nothing is taken for a
 * while; if the task is, it waits by itself, and is given up only after a long time, or when what it takes is not kept any more.
 */

import { createBackoff, type Backoff } from "./backoff.js";
import type { Clock } from "./clock.js";
import { EndpointError } from "./errors.js";
import * as limits from "./limits.js";
import type { BoardTask, TaskBoard } from "./task_board.js";

export type TaskRunner = {
  /** Says that there may be tasks. */
  readonly wake: () => void;
  /** Says that the endpoint is there again. */
  readonly connected: () => void;
  /** The lowest height of a task that was taken and has no verdict; `Infinity` if there is none. */
  readonly lowest: () => number;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly close: () => void;
};

export type TaskRunnerOptions = {
  readonly clock: Clock;
  readonly board: Pick<TaskBoard, "take" | "giveBack">;
  /** How many tasks are under way at once. */
  readonly atOnce: number;
  /** Rejects if there is no verdict. */
  readonly run: (task: BoardTask) => Promise<void>;
  /** Whenever a task was done or given up. */
  readonly onDone: () => void;
  readonly onProblem: (error: unknown) => void;
};

/** Of a task that has failed: since when, and what cancels its next attempt. */
type Failing = { readonly since: number; readonly backoff: Backoff; cancel: () => void };

const createWaits = () => createBackoff({ minMs: limits.RETRY_MIN_MS, maxMs: limits.RETRY_MAX_MS });

export function createTaskRunner(options: TaskRunnerOptions): TaskRunner {
  const { clock, board, atOnce, run, onDone, onProblem } = options;
  const underWay = new Set<BoardTask>();
  const failing = new Map<BoardTask, Failing>();
  /** Those of the failing whose time has come. */
  const again: BoardTask[] = [];
  const waits = createWaits();
  let cancelRest: (() => void) | undefined;
  let paused = false;
  let closed = false;

  function wake() {
    while (!paused && !closed && cancelRest === undefined && underWay.size < atOnce) {
      const task = again.shift() ?? board.take();
      if (task === undefined) return;
      underWay.add(task);
      void runOne(task);
    }
  }

  async function runOne(task: BoardTask) {
    let done = true;
    try {
      await run(task);
      waits.reset();
    } catch (error) {
      if (closed) return;
      done = !retry(task, error);
      onProblem(error);
    } finally {
      underWay.delete(task);
      if (done) failing.delete(task);
    }
    if (done) onDone();
    wake();
  }

  /** Sees to it that the task is tried again. Says whether it is. */
  function retry(task: BoardTask, error: unknown): boolean {
    const { retryAfterMs = 0 } = error instanceof EndpointError ? error : {};
    if (isOfEndpoint(error)) {
      if (failing.has(task)) again.push(task);
      else board.giveBack(task);
      if (cancelRest === undefined) rest(Math.max(waits.next(), retryAfterMs));
      return true;
    }
    if (isOver(error)) return false;
    const known = failing.get(task) ?? { since: clock.now(), backoff: createWaits(), cancel() {} };
    failing.set(task, known);
    if (clock.now() - known.since >= limits.TASK_PATIENCE_MS || failing.size > limits.FAILING_TASKS) return false;
    known.cancel = clock.after(Math.max(known.backoff.next(), retryAfterMs), () => {
      again.push(task);
      wake();
    });
    return true;
  }

  /** Takes nothing for so long. What is under way meanwhile and fails too says nothing new. */
  function rest(ms: number) {
    cancelRest = clock.after(ms, () => {
      cancelRest = undefined;
      wake();
    });
  }

  return {
    wake,
    connected() {
      cancelRest?.();
      cancelRest = undefined;
      wake();
    },
    lowest: () => [...underWay, ...failing.keys()].reduce((lowest, { height }) => Math.min(lowest, height), Infinity),
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
      wake();
    },
    close() {
      closed = true;
      cancelRest?.();
      for (const { cancel } of failing.values()) cancel();
    },
  };
}

/** Whether the endpoint had what the task takes, and will not have it again. */
function isOver(error: unknown): boolean {
  return error instanceof EndpointError && error.status === 410;
}

/** Whether another task would fare no better. */
function isOfEndpoint(error: unknown): boolean {
  if (!(error instanceof EndpointError)) return false;
  const { code, status = 0 } = error;
  return code === "CONNECTION_LOST" || (code === "HTTP_STATUS" && (status >= 500 || status === 429 || status === 408));
}
