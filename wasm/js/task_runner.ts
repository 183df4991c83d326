/** Takes task after task from the board, a few at a time, so that one is fetched while another is checked. */

import { OcelliError } from "./errors.js";
import type { BoardTask, TaskBoard } from "./task_board.js";

export type TaskRunner = {
  /** Says that there may be tasks. */
  readonly wake: () => void;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly close: () => void;
};

export type TaskRunnerOptions = {
  readonly board: Pick<TaskBoard, "take" | "giveBack">;
  /** How many tasks are under way at once. */
  readonly atOnce: number;
  readonly run: (task: BoardTask) => Promise<void>;
  readonly onProblem: (error: unknown) => void;
};

export function createTaskRunner({ board, atOnce, run, onProblem }: TaskRunnerOptions): TaskRunner {
  let running = 0;
  let paused = false;
  let closed = false;

  function wake() {
    while (!paused && !closed && running < atOnce) {
      const task = board.take();
      if (task === undefined) return;
      running += 1;
      void runOne(task);
    }
  }

  async function runOne(task: BoardTask) {
    let again = true;
    try {
      await run(task);
    } catch (error) {
      if (closed) return;
      // Without a network a task is not lost: it waits for whoever wakes this next.
      if (error instanceof OcelliError && error.code === "CONNECTION_LOST") {
        board.giveBack(task);
        again = false;
      }
      onProblem(error);
    } finally {
      running -= 1;
    }
    if (again) wake();
  }

  return {
    wake,
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
      wake();
    },
    close() {
      closed = true;
    },
  };
}
